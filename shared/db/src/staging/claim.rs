//! Claims of pending records by the reconciler.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use protocol::v5_import;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::statements::staging;

/// Pending record that was claimed.
#[derive(Debug)]
pub struct Claimed {
    /// Id of the staging row.
    pub staging_id: Uuid,
    /// Id of the record that contained it, if it is nested.
    pub parent_id: Option<String>,
    /// Record as JSON; none if newer content of the same id is staged.
    pub raw: Option<String>,
    /// Run that made the record pending.
    pub run_id: String,
    /// Time at which the record was first fetched with this content.
    pub fetched_at: DateTime<Utc>,
    /// Number of earlier attempts.
    pub attempts: u32,
    /// True if the record comes from the V5 import.
    pub is_v5_import: bool,
}

#[derive(FromRow)]
struct ClaimedRow {
    staging_id: Uuid,
    parent_id: Option<String>,
    raw: Option<String>,
    run_id: String,
    fetched_at: DateTime<Utc>,
    processing_attempts: i32,
    is_v5_import: bool,
}

impl From<ClaimedRow> for Claimed {
    fn from(row: ClaimedRow) -> Self {
        Self {
            staging_id: row.staging_id,
            parent_id: row.parent_id,
            raw: row.raw,
            run_id: row.run_id,
            fetched_at: row.fetched_at,
            attempts: u32::try_from(row.processing_attempts).unwrap_or_default(),
            is_v5_import: row.is_v5_import,
        }
    }
}

/// Claims the oldest pending records, at most `rows` and about `bytes` of JSON, but at least one record. Locks the
/// entity, so that two transactions never hold two records of one id. Two records of one id are claimed together only if
/// one of them comes from the V5 import.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn claim(tx: &mut Tx, entity: &Entity, rows: u32, bytes: u32) -> Result<Vec<Claimed>, Error> {
    tx.lock_entity("reconcile", entity.table).await?;
    let claimed: Vec<ClaimedRow> = tx
        .query_as(AssertSqlSafe(staging::claim_records(entity)))
        .bind(i64::from(rows))
        .bind(i64::from(bytes))
        .bind(v5_import::FETCHED_AT)
        .fetch_all(tx.connection())
        .await
        .during("claim staged records")?;
    Ok(claimed.into_iter().map(Claimed::from).collect())
}
