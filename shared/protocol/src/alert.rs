//! Messages to the alerter, and the classes of alerts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::action::ActionKind;

/// Upper bound for the length of a detail, which people read on a phone.
const DETAIL_CHARACTERS_MAX: usize = 400;

/// Class of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertClass {
    /// The database does not respond.
    DatabaseUnreachable,
    /// A function crashed, ran out of time or memory, or rejected its event.
    FunctionFailed,
    /// No run has begun for longer than the schedule allows.
    ScheduleSilent,
    /// Gazelle refuses the credentials: only a person can renew the authorisation.
    Credentials,
    /// Gazelle refuses a query, because its schema has changed.
    SchemaChanged,
    /// Run of an entity that failed.
    SyncFailed,
    /// Readers of an entity see outdated data.
    EntityStale,
    /// The share of failed records exceeds its threshold.
    ErrorRate,
    /// A large share of a table is missing at the source: deletions wait for a person's confirmation.
    DeletionWithheld,
    /// Messages reached a dead-letter queue.
    DeadLetters,
    /// An object or a message cannot be read and was set aside.
    Quarantined,
    /// A record could not be promoted to its production table.
    RecordFailed,
    /// A record refers to another one that Gazelle has not sent.
    Placeholder,
    /// Alerts cannot be delivered over one of their channels.
    Channel,
}

impl AlertClass {
    /// Every class, the most serious first.
    pub const ALL: [Self; 14] = [
        Self::DatabaseUnreachable,
        Self::FunctionFailed,
        Self::ScheduleSilent,
        Self::Credentials,
        Self::SchemaChanged,
        Self::SyncFailed,
        Self::EntityStale,
        Self::ErrorRate,
        Self::DeletionWithheld,
        Self::DeadLetters,
        Self::Quarantined,
        Self::RecordFailed,
        Self::Placeholder,
        Self::Channel,
    ];

    /// Returns the text in messages and in the stored alerts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseUnreachable => "database_unreachable",
            Self::FunctionFailed => "function_failed",
            Self::ScheduleSilent => "schedule_silent",
            Self::Credentials => "credentials",
            Self::SchemaChanged => "schema_changed",
            Self::SyncFailed => "sync_failed",
            Self::EntityStale => "entity_stale",
            Self::ErrorRate => "error_rate",
            Self::DeletionWithheld => "deletion_withheld",
            Self::DeadLetters => "dead_letters",
            Self::Quarantined => "quarantined",
            Self::RecordFailed => "record_failed",
            Self::Placeholder => "placeholder",
            Self::Channel => "channel",
        }
    }

    /// Returns the class of an action; none for a kind that can wait for the daily report.
    #[must_use]
    pub const fn of_action(kind: ActionKind) -> Option<Self> {
        Some(match kind {
            ActionKind::Credentials => Self::Credentials,
            ActionKind::Schema => Self::SchemaChanged,
            ActionKind::DeletionWithheld => Self::DeletionWithheld,
            ActionKind::Quarantined => Self::Quarantined,
            ActionKind::Failed => Self::RecordFailed,
            ActionKind::Placeholder => Self::Placeholder,
            ActionKind::Duplicate | ActionKind::ProbableDuplicate | ActionKind::Unmatched => return None,
        })
    }
}

/// Signal of a problem, from the function that met it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// Class of the alert.
    pub class: AlertClass,
    /// Entity, queue, function or channel concerned; empty where it concerns all.
    #[serde(default)]
    pub subject: String,
    /// Details of the problem, without customers' data.
    #[serde(default)]
    pub detail: String,
    /// Instant at which the problem was met.
    pub at: DateTime<Utc>,
}

impl Signal {
    /// Returns a signal, with its detail shortened by [`shortened`].
    #[must_use]
    pub fn new(class: AlertClass, subject: &str, detail: &str, at: DateTime<Utc>) -> Self {
        Self { class, subject: subject.to_owned(), detail: shortened(detail), at }
    }
}

/// Message of the alerts queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AlertMessage {
    /// Signal of a problem.
    Signal(Signal),
    /// Request to check the database now, instead of at the next minute.
    CheckNow {
        /// Name of the function that requests the check.
        #[serde(rename = "look")]
        requested_by: String,
    },
}

/// Returns the text without control characters, cut to 400 characters.
#[must_use]
pub fn shortened(text: &str) -> String {
    let clean = text.chars().map(|character| if character.is_control() { ' ' } else { character });
    let mut short: String = clean.take(DETAIL_CHARACTERS_MAX).collect();
    if text.chars().nth(DETAIL_CHARACTERS_MAX).is_some() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_class_serializes_as_its_text() {
        for class in AlertClass::ALL {
            assert_eq!(serde_json::to_string(&class).ok(), Some(format!("\"{}\"", class.as_str())));
        }
    }

    #[test]
    fn alert_message_is_a_signal_or_a_check() {
        let signal = Signal::new(AlertClass::SyncFailed, "clients", "a\nb", DateTime::UNIX_EPOCH);
        let text = serde_json::to_string(&AlertMessage::Signal(signal.clone())).unwrap_or_default();
        assert!(text.contains(r#""detail":"a b""#), "{text}");
        assert_eq!(serde_json::from_str::<AlertMessage>(&text).ok(), Some(AlertMessage::Signal(signal)));
        let check = serde_json::from_str::<AlertMessage>(r#"{"look":"stager"}"#).ok();
        assert_eq!(check, Some(AlertMessage::CheckNow { requested_by: "stager".to_owned() }));
        assert!(
            serde_json::from_str::<AlertMessage>(r#"{"class":"nonsense","at":"2026-01-01T00:00:00Z"}"#)
                .is_err()
        );
    }

    #[test]
    fn long_detail_is_cut_with_an_ellipsis() {
        let detail = Signal::new(AlertClass::SyncFailed, "", &"é".repeat(2_000), DateTime::UNIX_EPOCH).detail;
        assert_eq!((detail.chars().count(), detail.ends_with('…')), (DETAIL_CHARACTERS_MAX + 1, true));
        assert_eq!(shortened(&"é".repeat(DETAIL_CHARACTERS_MAX)).chars().count(), DETAIL_CHARACTERS_MAX);
    }
}
