//! What an alert says, in French: to people who run a firm, on their phone.

use chrono::{DateTime, Utc};
use model::entity;
use model::local_day::ZONE;
use protocol::alert::Class;

use crate::book::{Alert, Kind, Notice};

/// A digest names so many.
const DIGEST_LINES: usize = 20;

/// A message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
}

/// What is wrong, and what to do.
const fn words(class: Class) -> (&'static str, &'static str) {
    match class {
        Class::DatabaseUnreachable => (
            "La base de données ne répond pas",
            "Rien n'est perdu : tout attend dans le stockage. Vérifiez l'état de Supabase.",
        ),
        Class::FunctionFailed => (
            "Une fonction s'est arrêtée",
            "Le travail reprend de lui-même ; si l'alerte revient, lisez le journal de la fonction.",
        ),
        Class::ScheduleSilent => (
            "Plus aucune récupération",
            "Vérifiez que les planifications sont actives et que la fonction fetcher démarre.",
        ),
        Class::Credentials => (
            "Autorisation refusée par Gazelle",
            "Refaites l'autorisation dans Gazelle et mettez les nouveaux jetons dans le secret.",
        ),
        Class::SchemaChanged => (
            "Gazelle a changé",
            "Une requête n'est plus acceptée : prévenez la personne qui entretient le programme.",
        ),
        Class::SyncFailed => (
            "Synchronisation en échec",
            "Elle reprend seule à la prochaine minute ; si elle persiste, voyez la raison ci-dessus.",
        ),
        Class::EntityStale => {
            ("Données en retard", "Voyez le tableau : exécutions en échec, file d'attente ou base lente.")
        }
        Class::ErrorRate => ("Trop d'enregistrements en échec", "Voyez les actions ouvertes sur le tableau."),
        Class::DeletionWithheld => (
            "Suppressions retenues",
            "Une grande part de la table manque dans Gazelle. Vérifiez, puis confirmez par la commande du tableau.",
        ),
        Class::DeadLetters => (
            "Messages mis de côté",
            "Ils sont remis en file d'eux-mêmes dès que la base répond ; sinon : make redrive.",
        ),
        Class::Quarantined => (
            "Donnée illisible mise de côté",
            "Elle est gardée telle quelle ; voyez la raison sur le tableau.",
        ),
        Class::RecordFailed => {
            ("Enregistrement en échec", "Corrigez-le dans Gazelle ; voyez la raison sur le tableau.")
        }
        Class::Placeholder => {
            ("Fiche inconnue", "Elle se complète d'elle-même ; si elle reste, vérifiez-la dans Gazelle.")
        }
        Class::Channel => {
            ("Les alertes ne passent plus par cette voie", "Vérifiez le secret et l'état du service.")
        }
    }
}

/// Whether it goes to every channel at once, and not to the first that takes it.
#[must_use]
pub const fn is_urgent(class: Class) -> bool {
    matches!(
        class,
        Class::DatabaseUnreachable
            | Class::ScheduleSilent
            | Class::Credentials
            | Class::SchemaChanged
            | Class::DeletionWithheld
            | Class::DeadLetters
    )
}

/// What the alert is about, as people call it.
fn subject(alert: &Alert) -> &str {
    entity::find(&alert.subject).map_or(alert.subject.as_str(), |entity| entity.title.french)
}

/// What goes wrong, of what.
#[must_use]
pub fn heading(alert: &Alert) -> String {
    let (what, _) = words(alert.class);
    match subject(alert) {
        "" => what.to_owned(),
        subject => format!("{what} · {subject}"),
    }
}

fn title(notice: &Notice) -> String {
    let Some(alert) = &notice.alert else { return notice.title.clone() };
    let heading = heading(alert);
    match notice.kind {
        Kind::Resolved => format!("✅ Rétabli : {heading}"),
        Kind::Grown => format!("🟠 Encore : {heading}"),
        Kind::Raised | Kind::Text if is_urgent(alert.class) => format!("🔴 {heading}"),
        Kind::Raised | Kind::Text => format!("🟠 {heading}"),
    }
}

fn body(notice: &Notice) -> String {
    let Some(alert) = &notice.alert else { return notice.text.clone() };
    if notice.kind == Kind::Resolved {
        let minutes = (notice.at - alert.since).num_minutes().max(1);
        let times = if alert.count > 1 { format!(", {} fois", alert.count) } else { String::new() };
        return format!("A duré {minutes} min{times}.");
    }
    let mut lines = Vec::new();
    if !alert.detail.is_empty() {
        lines.push(alert.detail.clone());
    }
    lines.push(format!("Depuis {}.", moment(alert.since)));
    lines.push(format!("À faire : {}", words(alert.class).1));
    lines.join("\n")
}

/// One notice as a message.
#[must_use]
pub fn message(notice: &Notice, dashboard_url: Option<&str>) -> Message {
    Message { title: title(notice), body: with_link(body(notice), dashboard_url) }
}

/// Many notices as one message.
#[must_use]
pub fn digest(notices: &[Notice], dashboard_url: Option<&str>) -> Message {
    let count = |kind| notices.iter().filter(|notice| notice.kind == kind).count();
    let (resolved, others) = (count(Kind::Resolved), notices.len() - count(Kind::Resolved));
    let title = match (others, resolved) {
        (0, resolved) => format!("✅ {resolved} alertes rétablies"),
        (others, 0) => format!("🔴 {others} alertes"),
        (others, resolved) => format!("🔴 {others} alertes, {resolved} rétablies"),
    };
    let mut lines: Vec<String> = notices
        .iter()
        .take(DIGEST_LINES)
        .map(|notice| match &notice.alert {
            Some(alert) if notice.kind != Kind::Resolved && !alert.detail.is_empty() => {
                format!("{} : {}", self::title(notice), alert.detail)
            }
            _ => self::title(notice),
        })
        .collect();
    if notices.len() > DIGEST_LINES {
        lines.push(format!("… et {} autres", notices.len() - DIGEST_LINES));
    }
    Message { title, body: with_link(lines.join("\n"), dashboard_url) }
}

fn with_link(body: String, dashboard_url: Option<&str>) -> String {
    match dashboard_url {
        Some(url) => format!("{body}\n{url}"),
        None => body,
    }
}

/// An instant in the firm's time.
#[must_use]
pub fn moment(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&ZONE).format("%Y-%m-%d %H:%M").to_string()
}
