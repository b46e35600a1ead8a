//! What complete listings lack: asked for, and then marked as deleted.

use std::future::Future;

use db::deletion::Question;
use db::{Db, Error};
use lambda::Queue;
use model::entity::Entity;
use protocol::request::{IDS_MAX, SyncRequest};
use serde_json::Value;
use tracing::{error, info, warn};

/// Takes requests to the fetcher.
pub trait Asker: Send + Sync {
    /// Sends one; says why where it could not.
    fn ask(&self, payload: &Value) -> impl Future<Output = Result<(), String>> + Send;
}

impl Asker for Queue {
    async fn ask(&self, payload: &Value) -> Result<(), String> {
        self.send(payload.to_string()).await.map_err(|error| error.to_string())
    }
}

/// Looks at complete listings, asks what must be asked, deletes what is proven to be gone.
///
/// # Errors
/// The database is in trouble. What was done before stays so; the rest is done at the next bell.
pub async fn serve(db: &Db, asker: &impl Asker, share_max_percent: u32) -> Result<(), Error> {
    for entity in db::deletion::entities_with_absence(db).await? {
        while let Some(swept) = db::deletion::conclude_sweep(db, entity, share_max_percent).await? {
            let (entity, missing, live, run_id) = (entity.name, swept.missing, swept.live, &swept.run_id);
            if swept.is_withheld {
                error!(
                    entity,
                    missing,
                    live,
                    run.id = run_id,
                    "Withheld the deletion of {missing} of {live} {entity}: a person must confirm it"
                );
            } else {
                info!(
                    entity,
                    missing,
                    live,
                    run.id = run_id,
                    "A complete listing of {entity} lacks {missing} of {live}"
                );
            }
        }
        ask(db, entity, asker).await?;
        let deleted = db::deletion::delete_missing(db, entity).await?;
        if deleted > 0 {
            info!(entity = entity.name, deleted, "Marked {deleted} of {} as deleted", entity.name);
        }
    }
    Ok(())
}

async fn ask(db: &Db, entity: &Entity, asker: &impl Asker) -> Result<(), Error> {
    loop {
        let question = db::deletion::question(db, entity, IDS_MAX).await?;
        let payload = match &question {
            Question::None => return Ok(()),
            Question::Records(ids) => SyncRequest::verify_payload(entity, ids),
            Question::Everything => SyncRequest::full_payload(entity),
        };
        if let Err(reason) = asker.ask(&payload).await {
            warn!(entity = entity.name, "Could not ask for what is missing, at the next bell: {reason}");
            return Ok(());
        }
        // Sent before noted: asked twice does no harm, noted and not sent would wait a day.
        db::deletion::mark_asked(db, entity, &question).await?;
    }
}
