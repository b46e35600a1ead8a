//! Records that failed through no fault of theirs: tried again a bounded number of times, and once more when a
//! person says so.

use model::entity::Entity;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::pool::{Db, Tx};

/// A record that our own code could not handle is tried so many times before a person must look.
pub const FAULT_ATTEMPTS_MAX: u32 = 3;

/// A claimed record that stays in staging, to be tried again.
#[derive(Debug)]
pub struct Deferral {
    /// The staging row.
    pub staging_id: Uuid,
    /// What went wrong this time.
    pub error: String,
}

/// Puts records off: a minute after the first attempt, five after the second.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn defer(tx: &mut Tx, entity: &Entity, deferrals: &[Deferral]) -> Result<(), sqlx::Error> {
    if deferrals.is_empty() {
        return Ok(());
    }
    let sql = format!(
        r"
        update {} s set
            processing_attempts = s.processing_attempts + 1,
            last_error = u.error,
            next_attempt_at = clock_timestamp() + interval '1 minute' * 5 ^ s.processing_attempts
        from unnest($1::uuid[], $2::text[]) as u(id, error)
        where s.id = u.id
        ",
        entity.staging_table
    );
    tx.query(AssertSqlSafe(sql))
        .bind(deferrals.iter().map(|deferral| deferral.staging_id).collect::<Vec<_>>())
        .bind(deferrals.iter().map(|deferral| deferral.error.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(())
}

/// Has every failed record of an entity tried once more, and closes what a person was asked about it; answers
/// how many there are. The reconciler finds them at its next bell.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn retry_failed(db: &Db, entity: &Entity) -> Result<u64, sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.take_turn("reconcile", entity.table).await?;
    let sql = format!(
        r"
        with retried as (
            update {} set processed = false, outcome = null, processed_at = null, processing_attempts = 0, next_attempt_at = now()
            where processed and outcome = 'failed'
            returning id, run_id
        ),
        answered as (
            update admin_actions a set resolved_at = now(), resolved_by = 'retry'
            from retried r
            where a.kind = 'failed' and a.entity = $1 and a.subject = r.id::text and a.resolved_at is null
        ),
        -- Its run waits for it again, as for any record that is staged and not settled.
        reopened as (
            update sync_status s set
                records_failed = s.records_failed - r.records,
                -- It ended when it ended: old records that pass now do not make the mirror fresh.
                status = 'running'
            from (select run_id, count(*)::int as records from retried group by run_id) r
            where s.run_id = r.run_id and s.sync_type = $1 and s.records_failed >= r.records
        )
        select count(*) from retried
        ",
        entity.staging_table
    );
    let retried: i64 = sqlx::Row::try_get(
        &tx.query(AssertSqlSafe(sql)).bind(entity.name).fetch_one(tx.connection()).await?,
        0,
    )?;
    tx.commit().await?;
    Ok(u64::try_from(retried).unwrap_or_default())
}
