//! Retries of records that failed through no fault of theirs: a bounded number by themselves, and one more at an
//! operator's request.

use model::entity::Entity;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};
use crate::statements::staging;

/// Attempts at a record that the program's own code could not handle, before a person has to look at it.
pub const FAULT_ATTEMPTS_MAX: u32 = 3;

/// Claimed record that stays in staging, to be tried again.
#[derive(Debug)]
pub struct Deferral {
    /// Id of the staging row.
    pub staging_id: Uuid,
    /// Reason why this attempt failed.
    pub error: String,
}

/// Defers records: by a minute after the first attempt, by five after the second.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn defer(tx: &mut Tx, entity: &Entity, deferrals: &[Deferral]) -> Result<(), Error> {
    if deferrals.is_empty() {
        return Ok(());
    }
    tx.query(AssertSqlSafe(staging::defer_records(entity)))
        .bind(deferrals.iter().map(|deferral| deferral.staging_id).collect::<Vec<_>>())
        .bind(deferrals.iter().map(|deferral| deferral.error.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("defer records")?;
    Ok(())
}

/// Makes every failed record of an entity pending again, resolves the actions about them, and returns how many there
/// are. The reconciler finds them at its next request.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn retry_failed(db: &Db, entity: &Entity) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    tx.lock_entity("reconcile", entity.table).await?;
    let retried: i64 = tx
        .query_scalar(AssertSqlSafe(staging::retry_failed_records(entity)))
        .bind(entity.name)
        .fetch_one(tx.connection())
        .await
        .during("retry failed records")?;
    tx.commit().await?;
    Ok(u64::try_from(retried).unwrap_or_default())
}
