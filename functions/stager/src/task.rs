//! Tasks that a person or a schedule may request beside the queue: `{"task": "audit"}`, `{"task": "archive"}`,
//! `{"task": "replay", "entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}`, and `restore` with the
//! fields of `replay`.

use chrono::{DateTime, NaiveDate, Utc};
use db::Db;
use db::staging::UnfinishedTask;
use lambda::error_chain;
use model::entity::{self, Entity};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::error;

use crate::announcer::Announcer;
use crate::archive::{archive, restore};
use crate::audit::audit;
use crate::error::StagerError;
use crate::progress::Progress;
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
        /// Days to look back, the last one included.
        days: u64,
        /// Last of these days, UTC; none for today.
        until: Option<NaiveDate>,
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
            Some("audit") => {
                let until = payload.get("until").map(|_| parse_day(payload, "until")).transpose()?;
                Ok(Self::Audit { days: parse_days(payload, AUDIT_DAYS, 1)?, until })
            }
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

    /// Runs the task until it is done or the deadline has come. An audit first goes on with the tasks that met their
    /// deadline before: it comes every hour.
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
            Self::Audit { .. } | Self::Replay { .. } => {
                let unfinished = db::staging::unfinished_tasks(db)
                    .await
                    .map_err(|source| StagerError::Database { operation: "list unfinished tasks", source })?;
                let mut total = TaskResult::default();
                for task in self.order(&unfinished, now) {
                    let is_own = task.key() == self.key();
                    let result = match task.walk(db, source, announcer, now, deadline, &unfinished).await {
                        Err(error) if !is_own && !error.is_database_unreachable() => {
                            // Nobody waits for it, and this audit must not wait for it either.
                            error!("Could not go on with a task: {}", error_chain(&error));
                            continue;
                        }
                        result => result?,
                    };
                    total.objects += result.objects;
                    total.announced += result.announced;
                    total.next = result.next;
                    if Instant::now() >= deadline {
                        break;
                    }
                }
                Ok(total)
            }
        }
    }

    /// Returns the tasks that this invocation works on, one after the other: this one, and before an audit those that
    /// wait longest.
    fn order(self, unfinished: &[UnfinishedTask], now: DateTime<Utc>) -> Vec<Self> {
        let key = self.key();
        let own = unfinished.iter().find(|task| task.task == key);
        let own = own.and_then(|task| Self::parse(&task.request).ok());
        let own = own.unwrap_or(match self {
            Self::Audit { days, until } => {
                Self::Audit { days, until: Some(until.unwrap_or_else(|| now.date_naive())) }
            }
            other => other,
        });
        let others = unfinished.iter().filter(|task| task.task != key && self.is_scheduled());
        others.filter_map(|task| Self::parse(&task.request).ok()).chain([own]).collect()
    }

    /// Audits or replays from where the task stopped before, until the deadline.
    async fn walk(
        self,
        db: &Db,
        source: &impl ArchiveStore,
        announcer: &impl Announcer,
        now: DateTime<Utc>,
        deadline: Instant,
        unfinished: &[UnfinishedTask],
    ) -> Result<TaskResult, StagerError> {
        let task = self.key();
        let position = unfinished.iter().find(|other| other.task == task).map(|other| other.position.clone());
        let position = position.unwrap_or_default();
        let progress =
            Progress::new(db, UnfinishedTask { task, request: self.request(), position }, deadline);
        match self {
            Self::Audit { days, until } => {
                let until = until.unwrap_or_else(|| now.date_naive());
                audit(db, source, announcer, (days, until), now, progress).await
            }
            Self::Replay { entity, start, end } => {
                replay(db, source, announcer, entity, (start, end), progress).await
            }
            Self::Archive { .. } | Self::Restore { .. } => Ok(TaskResult::default()),
        }
    }

    /// Returns the name under which the task's position is kept. An audit that comes again goes on with the last one of
    /// the same reach.
    fn key(self) -> String {
        match self {
            Self::Audit { days, .. } => format!("audit {days}"),
            Self::Replay { entity, start, end } => format!("replay {} {start} {end}", entity.name),
            Self::Archive { .. } | Self::Restore { .. } => self.name().to_owned(),
        }
    }

    /// Returns the request that [`Task::parse`] reads as this task.
    fn request(self) -> Value {
        match self {
            Self::Audit { days, until } => until.map_or_else(
                || json!({"task": "audit", "days": days}),
                |until| json!({"task": "audit", "days": days, "until": until}),
            ),
            Self::Archive { days } => json!({"task": "archive", "days": days}),
            Self::Replay { entity, start, end } | Self::Restore { entity, start, end } => {
                json!({"task": self.name(), "entity": entity.name, "start": start, "end": end})
            }
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

fn parse_day(payload: &Value, field: &'static str) -> Result<NaiveDate, InvalidTask> {
    let day = text(payload, field).and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
    day.ok_or_else(|| InvalidTask {
        field,
        problem: "is missing or malformed",
        expected: "a day such as 2025-12-01".to_owned(),
    })
}

fn parse_period(payload: &Value) -> Result<(NaiveDate, NaiveDate), InvalidTask> {
    let (start, end) = (parse_day(payload, "start")?, parse_day(payload, "end")?);
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
