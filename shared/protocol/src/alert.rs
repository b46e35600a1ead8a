//! Messages to the alerter, and the classes of alerts.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::action::ActionKind;
use crate::lane::Lane;

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
    /// Runs of a lane end again and again without the proof that they hold everything.
    RunPartial,
    /// No full run has proven for more than a week which records exist.
    SweepOverdue,
    /// The database lacks runs that it held before: it was restored from a backup.
    DatabaseRestored,
    /// The share of failed records exceeds its threshold.
    ErrorRate,
    /// A field cannot be read in many records: the source seems to write it in another way.
    SourceDrift,
    /// A large share of a table is missing at the source: deletions wait for a person's confirmation.
    DeletionWithheld,
    /// Gazelle counts other records than stand here or are explained.
    Incomplete,
    /// Messages reached a dead-letter queue.
    DeadLetters,
    /// Gazelle does not serve a record, or a part of a listing.
    Unserved,
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
    pub const ALL: [Self; 20] = [
        Self::DatabaseUnreachable,
        Self::FunctionFailed,
        Self::ScheduleSilent,
        Self::Credentials,
        Self::SchemaChanged,
        Self::SyncFailed,
        Self::EntityStale,
        Self::RunPartial,
        Self::SweepOverdue,
        Self::DatabaseRestored,
        Self::ErrorRate,
        Self::SourceDrift,
        Self::DeletionWithheld,
        Self::Incomplete,
        Self::DeadLetters,
        Self::Unserved,
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
            Self::RunPartial => "run_partial",
            Self::SweepOverdue => "sweep_overdue",
            Self::DatabaseRestored => "database_restored",
            Self::ErrorRate => "error_rate",
            Self::SourceDrift => "source_drift",
            Self::DeletionWithheld => "deletion_withheld",
            Self::Incomplete => "incomplete",
            Self::DeadLetters => "dead_letters",
            Self::Unserved => "unserved",
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
            ActionKind::Unserved => Self::Unserved,
            ActionKind::Drift => Self::SourceDrift,
            ActionKind::Incomplete => Self::Incomplete,
            ActionKind::Quarantined => Self::Quarantined,
            ActionKind::Failed => Self::RecordFailed,
            ActionKind::Placeholder => Self::Placeholder,
            ActionKind::Duplicate | ActionKind::ProbableDuplicate | ActionKind::Unmatched => return None,
        })
    }
}

/// Separator of entity and lane in the subject of an alert.
const LANE_SEPARATOR: char = '/';

/// Returns the subject of an alert on a lane: the entity alone for the incremental lane, as the stored alerts of every
/// version have it, else `clients/full`.
#[must_use]
pub fn lane_subject(entity: &str, lane: Lane) -> String {
    match lane {
        Lane::Incremental => entity.to_owned(),
        lane => format!("{entity}{LANE_SEPARATOR}{lane}"),
    }
}

/// Returns the entity and the lane of a subject; the incremental lane where the subject names none.
#[must_use]
pub fn parse_lane_subject(subject: &str) -> (&str, Lane) {
    let named = subject.rsplit_once(LANE_SEPARATOR);
    named
        .and_then(|(entity, lane)| Some((entity, lane.parse().ok()?)))
        .unwrap_or((subject, Lane::Incremental))
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
    fn subject_of_a_lane_round_trips() {
        for lane in Lane::ALL {
            let subject = lane_subject("clients", lane);
            assert_eq!(parse_lane_subject(&subject), ("clients", lane), "{subject}");
        }
        assert_eq!(lane_subject("clients", Lane::Incremental), "clients", "as former versions stored it");
        assert_eq!(parse_lane_subject("raw/users/x.json"), ("raw/users/x.json", Lane::Incremental));
    }

    #[test]
    fn long_detail_is_cut_with_an_ellipsis() {
        let detail = Signal::new(AlertClass::SyncFailed, "", &"é".repeat(2_000), DateTime::UNIX_EPOCH).detail;
        assert_eq!((detail.chars().count(), detail.ends_with('…')), (DETAIL_CHARACTERS_MAX + 1, true));
        assert_eq!(shortened(&"é".repeat(DETAIL_CHARACTERS_MAX)).chars().count(), DETAIL_CHARACTERS_MAX);
    }
}
