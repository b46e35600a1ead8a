//! Records that complete listings lack: looked up at the source, then marked as deleted.

use std::future::Future;

use db::Db;
use db::deletion::{PendingLookup, SweepResult};
use lambda::{Queue, error_chain};
use model::entity::Entity;
use protocol::request::{IDS_MAX, SyncRequest};
use serde_json::Value;
use tracing::{error, info, warn};

use crate::error::ReconcilerError;

/// Sender of requests to the fetcher.
pub trait LookupSender: Send + Sync {
    /// Sends one request.
    ///
    /// # Errors
    /// [`ReconcilerError::SendLookup`].
    fn send_lookup(&self, payload: &Value) -> impl Future<Output = Result<(), ReconcilerError>> + Send;
}

impl LookupSender for Queue {
    async fn send_lookup(&self, payload: &Value) -> Result<(), ReconcilerError> {
        self.send(payload.to_string()).await.map_err(ReconcilerError::SendLookup)
    }
}

/// Compares complete listings with production, looks missing records up, and deletes those that are proven to be
/// gone.
///
/// # Errors
/// A statement failed. What was committed before stays so; the next reconcile request does the rest.
pub async fn process_missing_records(
    db: &Db,
    sender: &impl LookupSender,
    share_max_percent: u32,
) -> Result<(), ReconcilerError> {
    let entities =
        db::deletion::entities_with_missing_records(db).await.map_err(ReconcilerError::FindMissing)?;
    for entity in entities {
        conclude_sweeps(db, entity, share_max_percent)
            .await
            .map_err(|source| ReconcilerError::ConcludeSweep { entity: entity.name, source })?;
        send_lookups(db, entity, sender)
            .await
            .map_err(|source| ReconcilerError::PrepareLookup { entity: entity.name, source })?;
        let deleted = db::deletion::mark_deleted(db, entity)
            .await
            .map_err(|source| ReconcilerError::DeleteMissing { entity: entity.name, source })?;
        if deleted > 0 {
            info!(entity = entity.name, deleted, "Marked {deleted} records of {} as deleted", entity.name);
        }
    }
    Ok(())
}

async fn conclude_sweeps(db: &Db, entity: &'static Entity, share_max_percent: u32) -> Result<(), db::Error> {
    while let Some(swept) = db::deletion::process_sweep(db, entity, share_max_percent).await? {
        let SweepResult { run_id, missing, live, unidentified, is_withheld } = &swept;
        let entity = entity.name;
        if *is_withheld {
            error!(
                entity,
                missing,
                live,
                unidentified,
                run.id = run_id,
                "Withheld the deletion of {missing} of {live} {entity}: a person must confirm it"
            );
        } else {
            info!(
                entity,
                missing,
                live,
                unidentified,
                run.id = run_id,
                "A complete listing of {entity} lacks {missing} of {live} records"
            );
        }
    }
    Ok(())
}

/// Sends the lookups that missing records need. A queue that does not accept one is tried again at the next
/// reconcile request.
async fn send_lookups(db: &Db, entity: &Entity, sender: &impl LookupSender) -> Result<(), db::Error> {
    loop {
        let lookup = db::deletion::pending_lookup(db, entity, IDS_MAX).await?;
        let payload = match &lookup {
            PendingLookup::None => return Ok(()),
            PendingLookup::ByIds(ids) => SyncRequest::verify_payload(entity, ids),
            PendingLookup::FullSync => SyncRequest::full_payload(entity),
        };
        if let Err(error) = sender.send_lookup(&payload).await {
            warn!(
                entity = entity.name,
                "Could not look up missing records of {}; the next reconcile request tries again: {}",
                entity.name,
                error_chain(&error)
            );
            return Ok(());
        }
        // Marked after it was sent: a lookup sent twice does no harm, one marked and not sent would wait a day.
        db::deletion::mark_lookup_sent(db, entity, &lookup).await?;
    }
}
