//! Archive of old settled staging rows: moved from the database to the bucket, and restored.

use std::io::Read as _;

use chrono::{DateTime, Days, NaiveDate, Utc};
use db::Db;
use lambda::error_chain;
use model::entity::{self, Entity};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::{error, info};

use crate::error::StagerError;
use crate::raw_source::{ArchiveStore, ReadObject};
use crate::task_result::TaskResult;

/// Compression level: zstd's own default, most of the gain at little cost.
const COMPRESSION_LEVEL: i32 = 3;
/// Bytes of a decompressed archive object at most; the stager writes none so large.
const CHUNK_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Moves settled rows that were last seen more than `days` days before `now` into the bucket, until the deadline;
/// the next archive task continues. Each chunk is written, read back and compared before its rows are deleted.
pub(crate) async fn archive(
    db: &Db,
    store: &impl ArchiveStore,
    days: u64,
    now: DateTime<Utc>,
    deadline: Instant,
) -> Result<TaskResult, StagerError> {
    let before = now.checked_sub_days(Days::new(days)).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let mut result = TaskResult::default();
    let mut first_error = None;
    for entity in entity::ALL {
        match archive_entity(db, store, entity, before, deadline, &mut result).await {
            Ok(()) => {}
            // An outage would only cost the timeout again for each further entity.
            Err(error) if error.is_database_unreachable() => return Err(error),
            // The failure of one entity never stops another's archive.
            Err(error) => {
                error!(
                    entity = entity.name,
                    "Could not archive old rows of {}, which stay in staging: {}",
                    entity.name,
                    error_chain(&error)
                );
                first_error = first_error.or(Some(error));
            }
        }
    }
    first_error.map_or(Ok(result), Err)
}

async fn archive_entity(
    db: &Db,
    store: &impl ArchiveStore,
    entity: &Entity,
    before: DateTime<Utc>,
    deadline: Instant,
    result: &mut TaskResult,
) -> Result<(), StagerError> {
    while Instant::now() < deadline {
        let chunk = db::staging::archivable(db, entity, before).await;
        let chunk =
            chunk.map_err(|source| StagerError::Database { operation: "read rows to archive", source })?;
        let Some(chunk) = chunk else { break };
        let key = chunk_key(entity, chunk.day, &chunk.lines);
        let compressed = zstd::encode_all(chunk.lines.as_bytes(), COMPRESSION_LEVEL)
            .map_err(|source| StagerError::Compress { key: key.clone(), source })?;
        store.write(&key, compressed).await?;
        if read_chunk(store, &key).await? != chunk.lines {
            return Err(StagerError::ArchiveMismatch { key });
        }
        let deleted = db::staging::delete_archived(db, entity, &chunk)
            .await
            .map_err(|source| StagerError::Database { operation: "delete archived rows", source })?;
        result.objects += 1;
        result.records += deleted;
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

/// Restores archived rows of an entity that were last seen from `start` to `end`, UTC. Rows that staging holds stay
/// as they are. Stops between two days at the deadline, and returns the day from which to continue.
pub(crate) async fn restore(
    db: &Db,
    store: &impl ArchiveStore,
    entity: &'static Entity,
    start: NaiveDate,
    end: NaiveDate,
    deadline: Instant,
) -> Result<TaskResult, StagerError> {
    let mut result = TaskResult::default();
    for day in start.iter_days().take_while(|day| *day <= end) {
        if Instant::now() >= deadline {
            result.next = Some(day);
            break;
        }
        let prefix = day_prefix(entity, day);
        let mut after: Option<String> = None;
        loop {
            let listed = store.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last() else { break };
            after = Some(last.key.clone());
            for object in &listed {
                let lines = read_chunk(store, &object.key).await?;
                let restored = db::staging::restore_archived(db, entity, &lines).await;
                result.records += restored
                    .map_err(|source| StagerError::Database { operation: "restore archived rows", source })?;
                result.objects += 1;
            }
        }
    }
    Ok(result)
}

fn day_prefix(entity: &Entity, day: NaiveDate) -> String {
    format!("archive/{}/{}/", entity.staging_table, day.format("%Y/%m/%d"))
}

/// Returns the key of a chunk, which is named by its content: the same rows archived twice are one object.
fn chunk_key(entity: &Entity, day: NaiveDate, lines: &str) -> String {
    let digest: String = Sha256::digest(lines).iter().take(10).map(|byte| format!("{byte:02x}")).collect();
    format!("{}{digest}.jsonl.zst", day_prefix(entity, day))
}

async fn read_chunk(store: &impl ArchiveStore, key: &str) -> Result<String, StagerError> {
    let ReadObject::Bytes(bytes) = store.read(key).await? else {
        return Err(StagerError::ArchiveMissing { key: key.to_owned() });
    };
    let mut lines = String::new();
    zstd::Decoder::new(bytes.as_slice())
        .and_then(|decoder| decoder.take(CHUNK_BYTES_MAX).read_to_string(&mut lines))
        .map_err(|source| StagerError::Decompress { key: key.to_owned(), source })?;
    Ok(lines)
}
