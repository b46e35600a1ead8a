//! Settled staging rows that are old: out of the database and into the bucket, and back.

use std::io::Read as _;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::Db;
use model::entity::{self, Entity};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::{error, info};

use crate::raw_source::{ArchiveStore, Found};
use crate::task::{Done, TaskError};

/// zstd's own default: most of the gain at little cost.
const LEVEL: i32 = 3;
/// A part unpacked; more is none of ours.
const PART_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Moves settled rows last seen before `now` less `days` into the bucket. Each part is written, read back and
/// compared before its rows are deleted. Stops at the deadline; the next one goes on.
pub(crate) async fn archive(
    db: &Db,
    store: &impl ArchiveStore,
    days: u64,
    now: DateTime<Utc>,
    deadline: Instant,
) -> Result<Done, TaskError> {
    let before = now - TimeDelta::days(i64::try_from(days).unwrap_or(i64::MAX / 1_000_000_000));
    let mut done = Done::default();
    let mut trouble = None;
    for entity in entity::ALL {
        match archive_entity(db, store, entity, before, deadline, &mut done).await {
            Ok(()) => {}
            Err(TaskError::Database(error)) if db::is_out_of_reach(&error) => return Err(error.into()),
            // An entity's trouble never touches another's.
            Err(error) => {
                error!(entity = entity.name, "What is old of {} stays in staging: {error}", entity.name);
                trouble = trouble.or(Some(error));
            }
        }
    }
    trouble.map_or(Ok(done), Err)
}

async fn archive_entity(
    db: &Db,
    store: &impl ArchiveStore,
    entity: &Entity,
    before: DateTime<Utc>,
    deadline: Instant,
    done: &mut Done,
) -> Result<(), TaskError> {
    while Instant::now() < deadline {
        let Some(part) = db::staging::archivable(db, entity, before).await? else { break };
        let key = part_key(entity, part.day, &part.lines);
        let packed = zstd::encode_all(part.lines.as_bytes(), LEVEL)
            .map_err(|error| TaskError::Archive(error.to_string()))?;
        store.write(&key, packed).await?;
        if read_part(store, &key).await? != part.lines {
            return Err(TaskError::Archive(format!(
                "{key} does not read as it was written; nothing is deleted"
            )));
        }
        let deleted = db::staging::delete_archived(db, entity, &part).await?;
        done.objects += 1;
        done.records += deleted;
        info!(
            entity = entity.name,
            key,
            records = deleted,
            "Archived {deleted} settled records of {}",
            entity.name
        );
    }
    Ok(())
}

/// Brings archived rows of an entity back that were last seen on these days, UTC. What staging holds stays as
/// it is. Stops between two days at the deadline, and says at which to go on.
pub(crate) async fn restore(
    db: &Db,
    store: &impl ArchiveStore,
    entity: &'static Entity,
    start: NaiveDate,
    end: NaiveDate,
    deadline: Instant,
) -> Result<Done, TaskError> {
    let mut done = Done::default();
    for day in start.iter_days().take_while(|day| *day <= end) {
        if Instant::now() >= deadline {
            done.next = Some(day);
            break;
        }
        let prefix = format!("archive/{}/{}/", entity.staging_table, day.format("%Y/%m/%d"));
        let mut after: Option<String> = None;
        loop {
            let listed = store.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last() else { break };
            after = Some(last.key.clone());
            for object in &listed {
                let lines = read_part(store, &object.key).await?;
                done.records += db::staging::restore_archived(db, entity, &lines).await?;
                done.objects += 1;
            }
        }
    }
    Ok(done)
}

/// Named by its content: the same rows archived twice are one object.
fn part_key(entity: &Entity, day: NaiveDate, lines: &str) -> String {
    let digest: String = Sha256::digest(lines).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("archive/{}/{}/{digest}.jsonl.zst", entity.staging_table, day.format("%Y/%m/%d"))
}

async fn read_part(store: &impl ArchiveStore, key: &str) -> Result<String, TaskError> {
    let unreadable = |problem: String| TaskError::Archive(format!("{key}: {problem}"));
    let Found::Bytes(bytes) = store.read(key).await? else {
        return Err(unreadable("the object is gone".to_owned()));
    };
    let mut lines = String::new();
    zstd::Decoder::new(bytes.as_slice())
        .and_then(|decoder| decoder.take(PART_BYTES_MAX).read_to_string(&mut lines))
        .map_err(|error| unreadable(error.to_string()))?;
    Ok(lines)
}
