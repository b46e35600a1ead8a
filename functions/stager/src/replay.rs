//! Replay: stages and promotes an entity's raw pages once more, without a call to Gazelle.

use chrono::NaiveDate;
use db::Db;
use model::entity::Entity;

use crate::announcer::{Announcer, announce_all};
use crate::error::StagerError;
use crate::raw_source::{RawSource, raw_prefix};
use crate::task_result::TaskResult;

/// Keys in one statement that prepares a replay.
const KEYS_PER_STATEMENT: usize = 1_000;

/// Replays the raw pages of runs that began from `start` to `end`, both included, UTC.
pub(crate) async fn replay(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    entity: &'static Entity,
    start: NaiveDate,
    end: NaiveDate,
) -> Result<TaskResult, StagerError> {
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
    // All pages are prepared before the first is announced, so that the counts of each run are reset only once.
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        db::staging::prepare_replay(db, chunk).await.map_err(|source| StagerError::Database {
            operation: "prepare raw pages for a replay",
            source,
        })?;
    }
    let announced = announce_all(announcer, &keys).await?;
    Ok(TaskResult { objects: keys.len(), announced, ..TaskResult::default() })
}
