//! What the functions tell the alerter, and the names of what may go wrong.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A signal's detail is cut here: it is read on a phone.
const DETAIL_CHARACTERS_MAX: usize = 400;

/// What may go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The database gives no answer.
    DatabaseUnreachable,
    /// A function crashed, ran out of time or memory, or refused its event.
    FunctionFailed,
    /// No fetch has begun for longer than the interval.
    ScheduleSilent,
    /// Only a person can renew the authorisation.
    Credentials,
    /// Gazelle refuses a query: its schema has changed.
    SchemaChanged,
    /// A run failed.
    SyncFailed,
    /// Readers see old data.
    EntityStale,
    /// More records fail than is tolerated.
    ErrorRate,
    /// A large share of a table is missing at the source: nothing is deleted without a person's word.
    DeletionWithheld,
    /// Messages were set aside by their queue.
    DeadLetters,
    /// An object or a message that nobody can read was set aside.
    Quarantined,
    /// A record should have become a row and did not.
    RecordFailed,
    /// Something refers to a record that Gazelle has not sent.
    Placeholder,
    /// Alerts do not get through on one of their ways.
    Channel,
}

impl Class {
    /// All of them, the gravest first.
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

    /// The word, as in messages and in the book of alerts.
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

    /// The class of an `admin_actions` row; none for what can wait for the daily report.
    #[must_use]
    pub fn of_action(kind: &str) -> Option<Self> {
        Some(match kind {
            "credentials" => Self::Credentials,
            "schema" => Self::SchemaChanged,
            "deletion_withheld" => Self::DeletionWithheld,
            "quarantined" => Self::Quarantined,
            "failed" => Self::RecordFailed,
            "placeholder" => Self::Placeholder,
            _ => return None,
        })
    }
}

/// Something went wrong, as the function that met it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// What.
    pub class: Class,
    /// Of which entity, queue, function or way; empty where it concerns all.
    #[serde(default)]
    pub subject: String,
    /// What is known, without customers' data.
    #[serde(default)]
    pub detail: String,
    /// When.
    pub at: DateTime<Utc>,
}

impl Signal {
    /// A signal; its detail is cut to a length that a person reads.
    #[must_use]
    pub fn new(class: Class, subject: &str, detail: &str, at: DateTime<Utc>) -> Self {
        Self { class, subject: subject.to_owned(), detail: shortened(detail), at }
    }
}

/// A message of the alerts queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Ping {
    /// Something went wrong.
    Signal(Signal),
    /// There may be news in the database: look now, not at the next minute.
    Look {
        /// The function that asks.
        look: String,
    },
}

/// Text without control characters, cut to a length that a person reads.
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
    fn a_class_is_written_as_its_word() {
        for class in Class::ALL {
            assert_eq!(serde_json::to_string(&class).ok(), Some(format!("\"{}\"", class.as_str())));
        }
    }

    #[test]
    fn a_ping_is_a_signal_or_a_wish_to_look() {
        let signal = Signal::new(Class::SyncFailed, "clients", "a\nb", DateTime::UNIX_EPOCH);
        let text = serde_json::to_string(&Ping::Signal(signal.clone())).unwrap_or_default();
        assert!(text.contains(r#""detail":"a b""#), "{text}");
        assert_eq!(serde_json::from_str::<Ping>(&text).ok(), Some(Ping::Signal(signal)));
        let look = serde_json::from_str::<Ping>(r#"{"look":"stager"}"#).ok();
        assert_eq!(look, Some(Ping::Look { look: "stager".to_owned() }));
        assert!(serde_json::from_str::<Ping>(r#"{"class":"nonsense","at":"2026-01-01T00:00:00Z"}"#).is_err());
    }

    #[test]
    fn a_long_detail_is_cut_and_says_so() {
        let detail = Signal::new(Class::SyncFailed, "", &"é".repeat(2_000), DateTime::UNIX_EPOCH).detail;
        assert_eq!((detail.chars().count(), detail.ends_with('…')), (DETAIL_CHARACTERS_MAX + 1, true));
        assert_eq!(shortened(&"é".repeat(DETAIL_CHARACTERS_MAX)).chars().count(), DETAIL_CHARACTERS_MAX);
    }
}
