//! What a person or a schedule may ask of the stager, beside its queue: `{"task": "audit"}`,
//! `{"task": "replay", "entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}`, `{"task": "archive"}`,
//! `{"task": "restore", …}` as replay.

use std::future::Future;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::Db;
use model::entity::{self, Entity};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::archive::{archive, restore};
use crate::raw_source::{ArchiveStore, Listed, RawSource, SourceError};

/// Days that an audit looks back where nobody says otherwise.
const AUDIT_DAYS: u64 = 3;
/// Days after which a settled row is archived where nobody says otherwise.
const ARCHIVE_DAYS: u64 = 30;
/// A weekly sweep must have had its say.
const ARCHIVE_DAYS_MIN: u64 = 8;
const DAYS_MAX: u64 = 3_660;
/// Younger objects may still be on their way through the queue.
const ON_ITS_WAY: TimeDelta = TimeDelta::minutes(15);
/// Keys in one announcement.
const KEYS_PER_ANNOUNCEMENT: usize = 10;

/// A task that can be done.
#[derive(Debug, Clone, Copy)]
pub enum Task {
    /// Announces objects again of which the database knows nothing: their event was lost.
    Audit {
        /// So many days back, today included.
        days: u64,
    },
    /// Stages and promotes an entity's raw pages once more, without a call to Gazelle.
    Replay {
        /// The entity.
        entity: &'static Entity,
        /// The first day on which runs began, UTC.
        start: NaiveDate,
        /// The last one, inclusive.
        end: NaiveDate,
    },
    /// Moves settled staging rows to the archive.
    Archive {
        /// That were last seen so many days ago.
        days: u64,
    },
    /// Brings archived staging rows back.
    Restore {
        /// The entity.
        entity: &'static Entity,
        /// The first day on which they were last seen, UTC.
        start: NaiveDate,
        /// The last one, inclusive.
        end: NaiveDate,
    },
}

/// Why a task is refused: the field and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}; accepted: {accepted}")]
pub struct BadTask {
    field: &'static str,
    problem: &'static str,
    accepted: String,
}

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Objects looked at.
    pub objects: usize,
    /// Those of them announced to the stager.
    pub announced: usize,
    /// Staging rows archived or brought back.
    pub records: u64,
    /// Time was up: the day with which to ask again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NaiveDate>,
}

/// Why a task stopped. What was done before stays so; the same task goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The bucket could not be listed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The database refused or was out of reach.
    #[error(transparent)]
    Database(#[from] db::Error),
    /// An object of the archive cannot be written or read.
    #[error("The archive: {0}")]
    Archive(String),
    /// The queue did not take an announcement.
    #[error("Could not announce objects: {0}")]
    Announce(String),
}

/// Announces objects to the stager, as S3 does.
pub trait Announcer: Send + Sync {
    /// Announces these keys; says why where it could not.
    fn announce(&self, keys: &[String]) -> impl Future<Output = Result<(), String>> + Send;
}

impl Task {
    /// Whether a schedule asks for it again and again, and no person waits for it.
    #[must_use]
    pub const fn is_scheduled(&self) -> bool {
        matches!(self, Self::Audit { .. } | Self::Archive { .. })
    }

    /// Reads a task.
    ///
    /// # Errors
    /// The first field that is unknown, missing, ill-typed or out of range.
    pub fn parse(payload: &Value) -> Result<Self, BadTask> {
        let bad = |field, problem, accepted: &str| BadTask { field, problem, accepted: accepted.to_owned() };
        let text = |field: &str| payload.get(field).and_then(Value::as_str);
        let day = |field: &'static str| {
            let day = text(field).and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
            day.ok_or_else(|| bad(field, "it is no day", "a day such as 2025-12-01"))
        };
        let days = |usual: u64, least: u64| {
            let days = payload.get("days").map_or(Some(usual), Value::as_u64);
            let accepted = format!("{least} to {DAYS_MAX}");
            days.filter(|days| (least..=DAYS_MAX).contains(days))
                .ok_or_else(|| bad("days", "it is no such number", &accepted))
        };
        let period = || {
            let (start, end) = (day("start")?, day("end")?);
            if end < start {
                return Err(bad("end", "it lies before start", "the day of start or a later one"));
            }
            Ok((start, end))
        };
        match text("task") {
            Some("audit") => Ok(Self::Audit { days: days(AUDIT_DAYS, 1)? }),
            Some("archive") => Ok(Self::Archive { days: days(ARCHIVE_DAYS, ARCHIVE_DAYS_MIN)? }),
            Some("replay") => {
                let entity = text("entity").and_then(entity::find).filter(|entity| entity.query().is_some());
                let accepted = entity::fetched_names();
                let entity =
                    entity.ok_or_else(|| bad("entity", "it has no raw pages of its own", &accepted))?;
                let (start, end) = period()?;
                Ok(Self::Replay { entity, start, end })
            }
            Some("restore") => {
                let accepted = entity::ALL.map(|entity| entity.name).join(", ");
                let entity = text("entity").and_then(entity::find);
                let entity = entity.ok_or_else(|| bad("entity", "it is missing or unknown", &accepted))?;
                let (start, end) = period()?;
                Ok(Self::Restore { entity, start, end })
            }
            _ => Err(bad("task", "it is missing or unknown", "audit, replay, archive, restore")),
        }
    }

    /// Does it.
    ///
    /// # Errors
    /// The bucket, the database or the queue is in trouble.
    pub async fn run(
        self,
        db: &Db,
        source: &impl ArchiveStore,
        announcer: &impl Announcer,
        now: DateTime<Utc>,
        deadline: Instant,
    ) -> Result<Done, TaskError> {
        match self {
            Self::Archive { days } => archive(db, source, days, now, deadline).await,
            Self::Restore { entity, start, end } => restore(db, source, entity, start, end, deadline).await,
            Self::Audit { days } => audit(db, source, announcer, days, now).await,
            Self::Replay { entity, start, end } => replay(db, source, announcer, entity, start, end).await,
        }
    }
}

async fn audit(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    days: u64,
    now: DateTime<Utc>,
) -> Result<Done, TaskError> {
    let mut done = Done::default();
    let youngest = (now - ON_ITS_WAY).timestamp();
    let is_due = |object: &Listed| object.written_at <= youngest;
    for entity in entity::ALL {
        for back in 0..days {
            let Some(day) = now.date_naive().checked_sub_days(Days::new(back)) else { break };
            let mut after: Option<String> = None;
            loop {
                let listed = source.list(&raw_prefix(entity, day), after.as_deref()).await?;
                let Some(last) = listed.last() else { break };
                after = Some(last.key.clone());
                done.objects += listed.len();
                let keys: Vec<String> = listed.into_iter().filter(is_due).map(|object| object.key).collect();
                let unknown = db::staging::unknown_pages(db, &keys).await?;
                done.announced += announce(announcer, &unknown).await?;
            }
            let mut after: Option<String> = None;
            loop {
                let prefix = format!("runs/{}/{}", entity.name, day.format("%Y%m%d"));
                let listed = source.list(&prefix, after.as_deref()).await?;
                let Some(last) = listed.last() else { break };
                after = Some(last.key.clone());
                done.objects += listed.len();
                let key_of = |run_id: &str| format!("runs/{}/{run_id}.json", entity.name);
                let runs: Vec<String> =
                    listed.iter().filter(|object| is_due(object)).filter_map(run_id).collect();
                let unheard = db::staging::unheard_runs(db, entity, &runs).await?;
                let keys: Vec<String> = unheard.iter().map(|run_id| key_of(run_id)).collect();
                done.announced += announce(announcer, &keys).await?;
            }
        }
    }
    Ok(done)
}

async fn replay(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    entity: &'static Entity,
    start: NaiveDate,
    end: NaiveDate,
) -> Result<Done, TaskError> {
    let mut keys = Vec::new();
    for day in start.iter_days().take_while(|day| *day <= end) {
        let mut after: Option<String> = None;
        loop {
            let listed = source.list(&raw_prefix(entity, day), after.as_deref()).await?;
            let Some(last) = listed.last() else { break };
            after = Some(last.key.clone());
            keys.extend(listed.into_iter().map(|object| object.key));
        }
    }
    // All of them before the first is announced: a run's counts begin anew once.
    for some in keys.chunks(1_000) {
        db::staging::prepare_replay(db, some).await?;
    }
    let announced = announce(announcer, &keys).await?;
    Ok(Done { objects: keys.len(), announced, ..Done::default() })
}

async fn announce(announcer: &impl Announcer, keys: &[String]) -> Result<usize, TaskError> {
    for some in keys.chunks(KEYS_PER_ANNOUNCEMENT) {
        announcer.announce(some).await.map_err(TaskError::Announce)?;
    }
    Ok(keys.len())
}

fn raw_prefix(entity: &Entity, day: NaiveDate) -> String {
    format!("raw/{}/{}/", entity.name, day.format("%Y/%m/%d"))
}

fn run_id(object: &Listed) -> Option<String> {
    object.key.rsplit('/').next()?.strip_suffix(".json").map(str::to_owned)
}

/// An announcement of these keys, in the shape of S3's own.
#[must_use]
pub fn notification(bucket: &str, keys: &[String]) -> Value {
    let records: Vec<Value> = keys
        .iter()
        // Our keys hold no character that S3 would encode.
        .map(|key| json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": bucket }, "object": { "key": key } } }))
        .collect();
    json!({ "Records": records })
}

#[cfg(test)]
mod tests {
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
                Task::parse(&payload).map_or_else(|bad| bad.to_string(), |task| format!("{task:?}"));
            assert!(message.contains(field) && message.contains(accepted), "{payload} → {message}");
        }
    }

    #[test]
    fn announcement_parses_as_an_s3_event() {
        let keys = ["raw/users/2025/12/01/x/page-00001.json".to_owned()];
        let body = notification("b", &keys).to_string();
        let Ok(protocol::message::Notification::Objects(objects)) = protocol::message::notification(&body)
        else {
            panic!("{body}")
        };
        assert_eq!((objects[0].bucket.as_str(), &objects[0].key), ("b", &keys[0]));
    }
}
