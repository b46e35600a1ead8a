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
        AlertClass::RunPartial => (
            "Exécutions incomplètes à répétition",
            "Les données arrivent, mais aucune suppression n'est constatée. Voyez la raison ci-dessus ; si Gazelle ne se \
             corrige pas, prévenez la personne qui entretient le programme.",
        ),
        AlertClass::SweepOverdue => (
            "Balayage complet en retard",
            "Les suppressions ne sont plus constatées. Envoyez au fetcher : {\"entity\": \"all\", \"mode\": \"full\"}.",
        ),
        AlertClass::DatabaseRestored => (
            "La base est revenue en arrière",
            "Elle a été restaurée d'une sauvegarde, semble-t-il : envoyez au stager la demande ci-dessus, puis au fetcher \
             {\"entity\": \"all\", \"mode\": \"full\"}.",
        ),
        AlertClass::ErrorRate => {
            ("Trop d'enregistrements en échec", "Voyez les actions ouvertes sur le tableau.")
        }
        AlertClass::SourceDrift => (
            "Champ devenu illisible",
            "Gazelle semble l'écrire autrement. Les anciennes valeurs restent ; prévenez la personne qui entretient le \
             programme.",
        ),
        AlertClass::DeletionWithheld => (
            "Suppressions retenues",
            "Une grande part de la table manque dans Gazelle. Vérifiez, puis confirmez par la commande du tableau.",
        ),
        AlertClass::Incomplete => (
            "Le compte n'y est pas",
            "Gazelle en compte d'autres qu'ici (écart / compte de Gazelle). Voyez « Tout y est-il ? » sur le tableau, puis le guide.",
        ),
        AlertClass::DeadLetters => (
            "Messages mis de côté",
            "Ils sont remis en file d'eux-mêmes dès que la base répond ; sinon : make redrive.",
        ),
        AlertClass::Unserved => (
            "Gazelle ne rend pas une fiche",
            "Tout le reste arrive. Ouvrez-la dans Gazelle ; si elle ne s'y ouvre pas non plus, signalez-la à Gazelle.",
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

/// Detail of a schedule that has never fired, since the first observation.
#[must_use]
pub fn never_fetched(minutes: i64) -> String {
    format!("Aucune récupération depuis l'installation, il y a {minutes} min.")
}

/// Detail of full runs that prove nothing: days since the last proof, and the days that are tolerated.
#[must_use]
pub fn sweep_overdue(days: Option<i64>, tolerated: i64) -> String {
    match days {
        Some(days) => format!("Dernier balayage prouvé il y a {days} jours (toléré : {tolerated})."),
        None => format!("Aucun balayage prouvé en {tolerated} jours."),
    }
}

/// Detail of runs that ended partial one after the other, with the reason of the last.
#[must_use]
pub fn partial_runs(count: i64, reason: &str) -> String {
    format!("{count} de suite : {reason}")
}

/// Detail of a database that lacks runs it held before: the request that repairs it.
#[must_use]
pub fn database_restored(days: i64) -> String {
    format!("Des exécutions connues y manquent. Demande : {{\"task\": \"audit\", \"days\": {days}}}")
}

/// Detail of an error rate above the tolerated one, in percent.
#[must_use]
pub fn error_rate(percent: f64) -> String {
    format!("{percent:.1} % des enregistrements de la dernière heure")
}

/// Detail of a stale entity: minutes since its last fetch, records that wait, minutes that the oldest has waited.
#[must_use]
pub fn stale(minutes_since_fetch: Option<i64>, pending: i64, oldest: Option<i64>) -> String {
    let oldest = oldest.map(|minutes| format!(", le plus ancien depuis {minutes} min")).unwrap_or_default();
    match minutes_since_fetch {
        Some(minutes) => {
            format!("Dernière lecture il y a {minutes} min ; {pending} enregistrement(s) en attente{oldest}.")
        }
        None => format!("Aucune lecture encore ; {pending} enregistrement(s) en attente{oldest}."),
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
    // A function's own error is named by a Rust type, which tells nobody anything; the platform's names are plain.
    let is_plain = kind.chars().all(|character| character.is_ascii_alphanumeric() || character == '.');
    let kind = if kind.is_empty() || !is_plain { String::new() } else { format!(" {kind}") };
    format!("{what} ({status}{kind}), requête {request_id}")
}
