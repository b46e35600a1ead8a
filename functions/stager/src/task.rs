//! Tasks that a person or a schedule may request beside the queue: `{"task": "audit"}`, `{"task": "archive"}`,
//! `{"task": "replay", "entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}`, and `restore` with the
//! fields of `replay`.

use chrono::{DateTime, NaiveDate, Utc};
use db::Db;
use model::entity::{self, Entity};
use serde_json::Value;
use tokio::time::Instant;

use crate::announcer::Announcer;
use crate::archive::{archive, restore};
use crate::audit::audit;
use crate::error::StagerError;
use crate::raw_source::ArchiveStore;
use crate::replay::replay;
use crate::task_result::TaskResult;

/// Days that an audit looks back by default.
const AUDIT_DAYS: u64 = 3;
/// Days after which a settled row is archived by default.
const ARCHIVE_DAYS: u64 = 30;
/// Days after which a settled row may be archived: a weekly full sync must have seen it first.
const ARCHIVE_DAYS_MIN: u64 = 8;
/// Longest reach of a task, about ten years.
const DAYS_MAX: u64 = 3_660;

/// Task with validated fields.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    /// Announces objects that the database does not know, because their notification was lost.
    Audit {
        /// Days to look back, today included.
        days: u64,
    },
    /// Stages and promotes an entity's raw pages once more, without a call to Gazelle.
    Replay {
        /// Entity whose raw pages are replayed.
        entity: &'static Entity,
        /// First day on which the runs began, UTC.
        start: NaiveDate,
        /// Last of these days, inclusive.
        end: NaiveDate,
    },
    /// Moves settled staging rows to the archive.
    Archive {
        /// Days since they were last seen.
        days: u64,
    },
    /// Restores archived staging rows.
    Restore {
        /// Entity whose rows are restored.
        entity: &'static Entity,
        /// First day on which the rows were last seen, UTC.
        start: NaiveDate,
        /// Last of these days, inclusive.
        end: NaiveDate,
    },
}

/// Error for a task that is refused: the first wrong field, and its accepted values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid task: `{field}` {problem}; expected {expected}")]
pub struct InvalidTask {
    field: &'static str,
    problem: &'static str,
    expected: String,
}

impl Task {
    /// Returns the task's name in requests.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Audit { .. } => "audit",
            Self::Replay { .. } => "replay",
            Self::Archive { .. } => "archive",
            Self::Restore { .. } => "restore",
        }
    }

    /// Returns whether a schedule requests the task again and again, so that no person waits for it.
    #[must_use]
    pub const fn is_scheduled(&self) -> bool {
        matches!(self, Self::Audit { .. } | Self::Archive { .. })
    }

    /// Parses a task.
    ///
    /// # Errors
    /// Names the first field that is unknown, missing, ill-typed or out of range.
    pub fn parse(payload: &Value) -> Result<Self, InvalidTask> {
        let entity = text(payload, "entity").and_then(entity::find);
        match text(payload, "task") {
            Some("audit") => Ok(Self::Audit { days: parse_days(payload, AUDIT_DAYS, 1)? }),
            Some("archive") => {
                Ok(Self::Archive { days: parse_days(payload, ARCHIVE_DAYS, ARCHIVE_DAYS_MIN)? })
            }
            Some("replay") => {
                let entity = entity.filter(|entity| entity.query().is_some());
                let entity = entity.ok_or_else(|| InvalidTask {
                    field: "entity",
                    problem: "is missing, or has no raw pages of its own",
                    expected: entity::fetched_names(),
                })?;
                let (start, end) = parse_period(payload)?;
                Ok(Self::Replay { entity, start, end })
            }
            Some("restore") => {
                let entity = entity.ok_or_else(|| InvalidTask {
                    field: "entity",
                    problem: "is missing or unknown",
                    expected: entity::ALL.map(|entity| entity.name).join(", "),
                })?;
                let (start, end) = parse_period(payload)?;
                Ok(Self::Restore { entity, start, end })
            }
            _ => Err(InvalidTask {
                field: "task",
                problem: "is missing or unknown",
                expected: "audit, replay, archive, restore".to_owned(),
            }),
        }
    }

    /// Runs the task.
    ///
    /// # Errors
    /// The bucket, the database or the queue failed. Work done before stays so; the same task continues from there
    /// when it is requested again.
    pub async fn run(
        self,
        db: &Db,
        source: &impl ArchiveStore,
        announcer: &impl Announcer,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<TaskResult, StagerError> {
        match self {
            Self::Archive { days } => archive(db, source, days, now, deadline).await,
            Self::Restore { entity, start, end } => restore(db, source, entity, start, end, deadline).await,
            Self::Audit { days } => audit(db, source, announcer, days, now).await,
            Self::Replay { entity, start, end } => replay(db, source, announcer, entity, start, end).await,
        }
    }
}

fn text<'a>(payload: &'a Value, field: &str) -> Option<&'a str> {
    payload.get(field).and_then(Value::as_str)
}

fn parse_days(payload: &Value, default: u64, min: u64) -> Result<u64, InvalidTask> {
    let days = payload.get("days").map_or(Some(default), Value::as_u64);
    days.filter(|days| (min..=DAYS_MAX).contains(days)).ok_or_else(|| InvalidTask {
        field: "days",
        problem: "is no number in range",
        expected: format!("{min} to {DAYS_MAX}"),
    })
}

fn parse_period(payload: &Value) -> Result<(NaiveDate, NaiveDate), InvalidTask> {
    let day = |field: &'static str| {
        let day = text(payload, field).and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
        day.ok_or_else(|| InvalidTask {
            field,
            problem: "is missing or malformed",
            expected: "a day such as 2025-12-01".to_owned(),
        })
    };
    let (start, end) = (day("start")?, day("end")?);
    if end < start {
        return Err(InvalidTask {
            field: "end",
            problem: "is before `start`",
            expected: "the day of `start` or a later one".to_owned(),
        });
    }
    Ok((start, end))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_task_names_field_and_accepted_values() {
        for (payload, field, accepted) in [
            (json!({"task": "delete"}), "`task`", "audit, replay, archive, restore"),
            (json!({"task": "audit", "days": 0}), "`days`", "1 to"),
            (json!({"task": "archive", "days": 7}), "`days`", "8 to"),
            (json!({"task": "replay", "entity": "widgets"}), "`entity`", "users, clients"),
            (json!({"task": "replay", "entity": "clients", "start": "hier"}), "`start`", "a day"),
            (
                json!({"task": "replay", "entity": "clients", "start": "2025-12-02", "end": "2025-12-01"}),
                "`end`",
                "a later one",
            ),
        ] {
            let message =
                Task::parse(&payload).map_or_else(|error| error.to_string(), |task| format!("{task:?}"));
            assert!(message.contains(field) && message.contains(accepted), "{payload} → {message}");
        }
    }
}
