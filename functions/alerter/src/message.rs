//! Notices as messages for people, in French.

use chrono::{DateTime, Utc};
use i18n::alert as texts;
use i18n::language::Language;
use model::entity;
use model::local_day::ZONE;
use protocol::alert::{AlertClass, parse_lane_subject};
use protocol::lane::Lane;

use crate::alert::{Alert, Notice, NoticeKind};

/// Notices that a digest lists; more are counted.
const DIGEST_LINES: usize = 20;

/// Message for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Title of one line.
    pub title: String,
    /// Body of several lines.
    pub body: String,
}

/// Returns whether alerts of a class go to every channel at once, instead of the first that accepts them.
#[must_use]
pub const fn is_urgent(class: AlertClass) -> bool {
    matches!(
        class,
        AlertClass::DatabaseUnreachable
            | AlertClass::ScheduleSilent
            | AlertClass::Credentials
            | AlertClass::SchemaChanged
            | AlertClass::DeletionWithheld
            | AlertClass::DeadLetters
            | AlertClass::DatabaseRestored
            | AlertClass::SourceDrift
    )
}

/// Returns title and subject of an alert, such as `Synchronisation en échec · Clients (complète)`.
#[must_use]
pub fn heading(alert: &Alert) -> String {
    let title = texts::title(alert.class);
    let french = Language::French;
    let (name, lane) = parse_lane_subject(&alert.subject);
    let subject = match (entity::find(name), lane) {
        (Some(entity), Lane::Incremental) => french.title(entity).to_owned(),
        (Some(entity), lane) => format!("{} ({})", french.title(entity), french.mode(lane.as_str())),
        (None, _) => alert.subject.clone(),
    };
    if subject.is_empty() { title.to_owned() } else { format!("{title} · {subject}") }
}

fn title(notice: &Notice) -> String {
    let Some(alert) = &notice.alert else { return notice.title.clone() };
    let heading = heading(alert);
    match notice.kind {
        NoticeKind::Resolved => texts::resolved(&heading),
        NoticeKind::Grown => texts::grown(&heading),
        NoticeKind::Raised | NoticeKind::Text => texts::raised(&heading, is_urgent(alert.class)),
    }
}

fn body(notice: &Notice) -> String {
    let Some(alert) = &notice.alert else { return notice.text.clone() };
    if notice.kind == NoticeKind::Resolved {
        return texts::lasted((notice.at - alert.since).num_minutes().max(1), alert.count);
    }
    let mut lines = Vec::new();
    if !alert.detail.is_empty() {
        lines.push(alert.detail.clone());
    }
    lines.push(texts::since(&moment(alert.since)));
    lines.push(texts::to_do(texts::advice(alert.class)));
    lines.join("\n")
}

/// Returns one notice as a message, with a link to the page.
#[must_use]
pub fn message(notice: &Notice, dashboard_url: Option<&str>) -> Message {
    Message { title: title(notice), body: with_link(body(notice), dashboard_url) }
}

/// Returns many notices as one message.
#[must_use]
pub fn digest(notices: &[Notice], dashboard_url: Option<&str>) -> Message {
    let resolved = notices.iter().filter(|notice| notice.kind == NoticeKind::Resolved).count();
    let mut lines: Vec<String> = Vec::new();
    for notice in notices.iter().take(DIGEST_LINES) {
        lines.push(title(notice));
        // On a line of its own: a function's detail is English.
        lines.extend(notice.alert.iter().filter_map(|alert| {
            let is_shown = notice.kind != NoticeKind::Resolved && !alert.detail.is_empty();
            is_shown.then(|| format!("    {}", alert.detail))
        }));
    }
    if notices.len() > DIGEST_LINES {
        lines.push(texts::digest_more(notices.len() - DIGEST_LINES));
    }
    let title = texts::digest_title(notices.len() - resolved, resolved);
    Message { title, body: with_link(lines.join("\n"), dashboard_url) }
}

fn with_link(body: String, dashboard_url: Option<&str>) -> String {
    match dashboard_url {
        Some(url) => format!("{body}\n{url}"),
        None => body,
    }
}

/// Formats an instant in the firm's time zone: `2026-01-31 14:05`.
#[must_use]
pub fn moment(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&ZONE).format("%Y-%m-%d %H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use protocol::alert::{Signal, lane_subject};

    use super::*;
    use crate::alert_store::AlertStore;

    #[test]
    fn heading_names_entity_and_lane() {
        let mut store = AlertStore::default();
        let entity = entity::ALL[0];
        for lane in [Lane::Incremental, Lane::Full] {
            let subject = lane_subject(entity.name, lane);
            store.raise(
                &Signal::new(AlertClass::SyncFailed, &subject, "", DateTime::UNIX_EPOCH),
                DateTime::UNIX_EPOCH,
            );
        }
        store.raise(
            &Signal::new(AlertClass::DeadLetters, "raw-events", "", DateTime::UNIX_EPOCH),
            DateTime::UNIX_EPOCH,
        );
        let headings: Vec<String> = store.open.values().map(heading).collect();
        let title = Language::French.title(entity);
        assert!(headings.iter().any(|heading| heading.ends_with(&format!("· {title}"))), "{headings:?}");
        let full = format!("· {title} ({})", Language::French.mode("full"));
        assert!(headings.iter().any(|heading| heading.ends_with(&full)), "{headings:?}");
        assert!(headings.iter().any(|heading| heading.ends_with("· raw-events")), "{headings:?}");
    }
}
