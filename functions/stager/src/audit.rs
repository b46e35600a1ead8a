//! Audit of the bucket: announces objects that the database does not know, because their notification was lost.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::Db;
use model::entity::{self, Entity};

use crate::announcer::{Announcer, announce_all};
use crate::error::StagerError;
use crate::raw_source::{ListedObject, RawSource, raw_prefix};
use crate::task_result::TaskResult;

/// Age from which an object is audited: a younger one may still be on its way through the queue.
const AUDIT_AGE_MIN: TimeDelta = TimeDelta::minutes(15);

/// Audit with its connections and its progress.
struct Audit<'a, S, A> {
    db: &'a Db,
    source: &'a S,
    announcer: &'a A,
    /// Latest writing of an object that is audited, in seconds since 1970.
    written_until: i64,
    result: TaskResult,
}

/// Audits the raw pages and the manifests of the last `days` days, today included.
pub(crate) async fn audit(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    days: u64,
    now: DateTime<Utc>,
) -> Result<TaskResult, StagerError> {
    let written_until = (now - AUDIT_AGE_MIN).timestamp();
    let mut audit = Audit { db, source, announcer, written_until, result: TaskResult::default() };
    for entity in entity::ALL {
        for days_back in 0..days {
            let Some(day) = now.date_naive().checked_sub_days(Days::new(days_back)) else { break };
            audit.announce_unknown_pages(entity, day).await?;
            audit.announce_unknown_manifests(entity, day).await?;
        }
    }
    Ok(audit.result)
}

impl<S: RawSource, A: Announcer> Audit<'_, S, A> {
    async fn announce_unknown_pages(&mut self, entity: &Entity, day: NaiveDate) -> Result<(), StagerError> {
        let prefix = raw_prefix(entity, day);
        let mut after: Option<String> = None;
        loop {
            let listed = self.source.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last() else { return Ok(()) };
            after = Some(last.key.clone());
            self.result.objects += listed.len();
            let keys: Vec<String> =
                listed.into_iter().filter(|object| self.is_due(object)).map(|object| object.key).collect();
            let unknown = db::staging::unknown_pages(self.db, &keys).await.map_err(|source| {
                StagerError::Database { operation: "find raw pages that were never staged", source }
            })?;
            self.result.announced += announce_all(self.announcer, &unknown).await?;
        }
    }

    async fn announce_unknown_manifests(
        &mut self,
        entity: &Entity,
        day: NaiveDate,
    ) -> Result<(), StagerError> {
        let prefix = format!("runs/{}/{}", entity.name, day.format("%Y%m%d"));
        let mut after: Option<String> = None;
        loop {
            let listed = self.source.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last() else { return Ok(()) };
            after = Some(last.key.clone());
            self.result.objects += listed.len();
            let run_ids: Vec<String> =
                listed.iter().filter(|object| self.is_due(object)).filter_map(run_id).collect();
            let unknown = db::staging::unheard_runs(self.db, entity, &run_ids).await.map_err(|source| {
                StagerError::Database { operation: "find runs whose manifest was never recorded", source }
            })?;
            let keys: Vec<String> =
                unknown.iter().map(|run_id| format!("runs/{}/{run_id}.json", entity.name)).collect();
            self.result.announced += announce_all(self.announcer, &keys).await?;
        }
    }

    fn is_due(&self, object: &ListedObject) -> bool {
        object.written_at <= self.written_until
    }
}

/// Returns the run id in the key of a manifest.
fn run_id(object: &ListedObject) -> Option<String> {
    object.key.rsplit('/').next()?.strip_suffix(".json").map(str::to_owned)
}
