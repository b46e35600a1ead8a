//! Replay: stages and promotes an entity's raw pages once more, without a call to Gazelle.

use chrono::NaiveDate;
use db::Db;
use model::entity::Entity;
use protocol::object_key::object_kind;

use crate::announcer::{Announcer, announce_all};
use crate::error::StagerError;
use crate::progress::Progress;
use crate::raw_source::{RawSource, raw_prefix};
use crate::task_result::TaskResult;

/// Keys in one statement that prepares a replay.
const KEYS_PER_STATEMENT: usize = 1_000;

/// Keys from which a group of runs is announced. Announcing takes about five seconds then, a third of the margin that
/// the deadline leaves.
const GROUP_KEYS: usize = 1_000;

/// Replays the raw pages of runs that began from `start` to `end`, both included, UTC. Goes on at the position of the
/// progress, the last key that was announced.
pub(crate) async fn replay(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    entity: &'static Entity,
    (start, end): (NaiveDate, NaiveDate),
    mut progress: Progress<'_>,
) -> Result<TaskResult, StagerError> {
    let mut is_first = true;
    for day in start.iter_days().take_while(|day| *day <= end) {
        let prefix = raw_prefix(entity, day);
        let position = progress.position().to_owned();
        let is_within = position.starts_with(&prefix);
        if !is_within && position > prefix {
            continue;
        }
        if !is_first && progress.pause(&prefix, day).await? {
            break;
        }
        is_first = false;
        let mut after = is_within.then_some(position);
        let mut group: Vec<String> = Vec::new();
        loop {
            let listed = source.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last() else { break };
            after = Some(last.key.clone());
            group.extend(listed.into_iter().map(|object| object.key));
            if group.len() < GROUP_KEYS {
                continue;
            }
            // The last run of the list may go on in the next one: the counts of a run are reset once, before its first
            // page is announced.
            let run = group.last().map(|key| run_prefix(key).to_owned()).unwrap_or_default();
            let complete = group.partition_point(|key| run_prefix(key) != run);
            let later = group.split_off(complete);
            if !announce(db, announcer, &group, day, &mut progress).await? {
                return progress.finish().await;
            }
            group = later;
        }
        if !announce(db, announcer, &group, day, &mut progress).await? {
            return progress.finish().await;
        }
    }
    progress.finish().await
}

/// Prepares and announces the pages of whole runs. Returns whether there is time to go on.
async fn announce(
    db: &Db,
    announcer: &impl Announcer,
    group: &[String],
    day: NaiveDate,
    progress: &mut Progress<'_>,
) -> Result<bool, StagerError> {
    let Some(last) = group.last().cloned() else { return Ok(true) };
    let keys: Vec<String> = group.iter().filter(|key| object_kind(key).is_some()).cloned().collect();
    for chunk in keys.chunks(KEYS_PER_STATEMENT) {
        db::staging::prepare_replay(db, chunk).await.map_err(|source| StagerError::Database {
            operation: "prepare raw pages for a replay",
            source,
        })?;
    }
    progress.result.objects += group.len();
    progress.result.announced += announce_all(announcer, &keys).await?;
    progress.advance(last, day).await
}

/// Returns the part of a key that the pages of a run share.
fn run_prefix(key: &str) -> &str {
    key.rsplit_once('/').map_or(key, |(run, _)| run)
}
