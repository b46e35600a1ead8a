//! Texts of alerts and notices. French: people who run the firm read them on a phone.

use protocol::alert::AlertClass;

/// Label of the e-mail channel.
pub const EMAIL: &str = "courriel";
/// Title of the trial message.
pub const TRIAL_TITLE: &str = "🔔 Essai";
/// Text of the trial message.
pub const TRIAL_TEXT: &str = "Cette voie fonctionne.";
/// Configuration error: only one of sender and recipients is set.
pub const EMAIL_SETTINGS_INCOMPLETE: &str =
    "ALERT_EMAIL_FROM et ALERT_EMAIL_TO vont ensemble : pas de courriel";
/// Detail of a failed run without an error text.
pub const NO_KNOWN_REASON: &str = "sans raison connue";

/// Returns what is wrong, and the advice to the person who reads it.
const fn texts(class: AlertClass) -> (&'static str, &'static str) {
    match class {
        AlertClass::DatabaseUnreachable => (
            "La base de données ne répond pas",
            "Rien n'est perdu : tout attend dans le stockage. Vérifiez l'état de Supabase.",
        ),
        AlertClass::FunctionFailed => (
            "Une fonction s'est arrêtée",
            "Le travail reprend de lui-même ; si l'alerte revient, lisez le journal de la fonction.",
        ),
        AlertClass::ScheduleSilent => (
            "Plus aucune récupération",
            "Vérifiez que les planifications sont actives et que la fonction fetcher démarre.",
        ),
        AlertClass::Credentials => (
            "Autorisation refusée par Gazelle",
            "Refaites l'autorisation dans Gazelle et mettez les nouveaux jetons dans le secret.",
        ),
        AlertClass::SchemaChanged => (
            "Gazelle a changé",
            "Une requête n'est plus acceptée : prévenez la personne qui entretient le programme.",
        ),
        AlertClass::SyncFailed => (
            "Synchronisation en échec",
            "Elle reprend seule à la prochaine minute ; si elle persiste, voyez la raison ci-dessus.",
        ),
        AlertClass::EntityStale => {
            ("Données en retard", "Voyez le tableau : exécutions en échec, file d'attente ou base lente.")
        }
        AlertClass::ErrorRate => {
            ("Trop d'enregistrements en échec", "Voyez les actions ouvertes sur le tableau.")
        }
        AlertClass::DeletionWithheld => (
            "Suppressions retenues",
            "Une grande part de la table manque dans Gazelle. Vérifiez, puis confirmez par la commande du tableau.",
        ),
        AlertClass::DeadLetters => (
            "Messages mis de côté",
            "Ils sont remis en file d'eux-mêmes dès que la base répond ; sinon : make redrive.",
        ),
        AlertClass::Quarantined => (
            "Donnée illisible mise de côté",
            "Elle est gardée telle quelle ; voyez la raison sur le tableau.",
        ),
        AlertClass::RecordFailed => {
            ("Enregistrement en échec", "Corrigez-le dans Gazelle ; voyez la raison sur le tableau.")
        }
        AlertClass::Placeholder => {
            ("Fiche inconnue", "Elle se complète d'elle-même ; si elle reste, vérifiez-la dans Gazelle.")
        }
        AlertClass::Channel => {
            ("Les alertes ne passent plus par cette voie", "Vérifiez le secret et l'état du service.")
        }
    }
}

/// Returns the title of an alert class.
#[must_use]
pub const fn title(class: AlertClass) -> &'static str {
    texts(class).0
}

/// Returns the advice for an alert class.
#[must_use]
pub const fn advice(class: AlertClass) -> &'static str {
    texts(class).1
}

/// Returns the title of a new alert.
#[must_use]
pub fn raised(heading: &str, is_urgent: bool) -> String {
    if is_urgent { format!("🔴 {heading}") } else { format!("🟠 {heading}") }
}

/// Returns the title of an open alert that has grown.
#[must_use]
pub fn grown(heading: &str) -> String {
    format!("🟠 Encore : {heading}")
}

/// Returns the title of a resolved alert.
#[must_use]
pub fn resolved(heading: &str) -> String {
    format!("✅ Rétabli : {heading}")
}

/// Returns the line on a resolved alert's duration, in minutes, and on how often it was met.
#[must_use]
pub fn lasted(minutes: i64, count: u64) -> String {
    let times = if count > 1 { format!(", {count} fois") } else { String::new() };
    format!("A duré {minutes} min{times}.")
}

/// Returns the line on an alert's start; `moment` is local time.
#[must_use]
pub fn since(moment: &str) -> String {
    format!("Depuis {moment}.")
}

/// Returns the line that introduces the advice.
#[must_use]
pub fn to_do(advice: &str) -> String {
    format!("À faire : {advice}")
}

/// Returns the title of a digest of so many open and resolved alerts.
#[must_use]
pub fn digest_title(open: usize, resolved: usize) -> String {
    match (open, resolved) {
        (0, resolved) => format!("✅ {resolved} alertes rétablies"),
        (open, 0) => format!("🔴 {open} alertes"),
        (open, resolved) => format!("🔴 {open} alertes, {resolved} rétablies"),
    }
}

/// Returns the last line of a digest that leaves so many notices out.
#[must_use]
pub fn digest_more(count: usize) -> String {
    format!("… et {count} autres")
}

/// Detail of dead letters.
#[must_use]
pub fn dead_letters(depth: u64) -> String {
    format!("{depth} message(s) mis de côté")
}

/// Detail of a schedule that did not fire.
#[must_use]
pub fn no_fetch_since(minutes: i64) -> String {
    format!("Aucune récupération depuis {minutes} min.")
}

/// Detail of an error rate above the tolerated one, in percent.
#[must_use]
pub fn error_rate(percent: f64) -> String {
    format!("{percent:.1} % des enregistrements de la dernière heure")
}

/// Detail of a stale entity: minutes since its last success, records that wait.
#[must_use]
pub fn stale(minutes_since_success: Option<i64>, pending: i64) -> String {
    match minutes_since_success {
        Some(minutes) => {
            format!("Dernière réussite il y a {minutes} min ; {pending} enregistrement(s) en attente.")
        }
        None => format!("Aucune réussite encore ; {pending} enregistrement(s) en attente."),
    }
}

/// Detail of an invocation that Lambda gave up: its condition, the request and the error.
#[must_use]
pub fn invocation_failed(condition: &str, request: &str, reason: &str) -> String {
    format!("{condition} ; demande : {request} ; {reason}")
}

/// Detail of a request that Scheduler could not deliver.
#[must_use]
pub fn request_undelivered(body: &str) -> String {
    format!("Demande non livrée : {body}")
}

/// Detail of an invocation that the platform reports as failed; `status` and `kind` are the platform's words.
#[must_use]
pub fn platform_failure(status: &str, kind: &str, request_id: &str) -> String {
    let what = match kind {
        _ if status == "timeout" => "délai dépassé",
        kind if kind.contains("OutOfMemory") => "mémoire épuisée",
        kind if kind.contains("ExitError") || kind.contains("ExitCode") => "arrêt brutal",
        _ => "erreur",
    };
    format!("{what} ({status} {kind}), requête {request_id}")
}
