//! The reconciler's side of staging: claims rows that wait, and settles them.

use std::collections::BTreeMap;

use model::entity::Entity;
use protocol::v5_import;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::actions;
use crate::pool::Tx;
use crate::runs;

/// A staged record that waits.
#[derive(Debug)]
pub struct Claimed {
    /// The staging row.
    pub staging_id: Uuid,
    /// The record in which it came.
    pub parent_id: Option<String>,
    /// The record as JSON; none where newer content of the same id is staged.
    pub raw: Option<String>,
    /// The run that made it pending.
    pub run_id: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// Whether it was taken over from an older system.
    pub is_heritage: bool,
}

/// How a staged record ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Production holds it.
    Promoted,
    /// Production held it already.
    Unchanged,
    /// It can never become a row; the reason is kept.
    Skipped,
    /// Newer content of the same id is staged.
    Superseded,
    /// It should have become a row and did not; a person must look.
    Failed,
}

impl Outcome {
    /// The word in the staging table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

/// The end of one claimed record.
#[derive(Debug)]
pub struct Settlement {
    /// The staging row.
    pub staging_id: Uuid,
    /// The run that made it pending.
    pub run_id: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped or failed.
    pub error: Option<String>,
    /// Fields that were left empty.
    pub note: Option<String>,
}

/// Claims the oldest waiting records, at most `rows` and about `bytes` of JSON, one record at least.
/// Others who claim at the same time take turns: two records of one id are never in two hands. Two of one id are
/// only claimed together where one of them is heritage.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn claim(tx: &mut Tx, entity: &Entity, rows: u32, bytes: u32) -> Result<Vec<Claimed>, sqlx::Error> {
    tx.take_turn("reconcile", entity.table).await?;
    let table = entity.staging_table;
    let sql = format!(
        r"
        with picked as materialized (
            select id, gazelle_id, parent_id, content_hash, run_id, first_fetched_at, fetched_at, source_key, raw_bytes,
                processing_attempts
            from {table}
            where not processed and next_attempt_at <= now()
            order by first_fetched_at, id
            limit $1
            for update skip locked
        ),
        sized as (
            select p.*, sum(raw_bytes) over (order by first_fetched_at, id) - raw_bytes as bytes_before
            from picked p
        ),
        ranked as (
            select p.*, p.gazelle_id <> '' and exists (
                select from {table} o
                where o.gazelle_id = p.gazelle_id and o.id <> p.id
                    and (o.fetched_at, o.source_key, o.content_hash) > (p.fetched_at, p.source_key, p.content_hash)
                    -- What was taken over may still fill what fresher content leaves empty.
                    and (p.fetched_at <> $3 or o.fetched_at = $3)
            ) as superseded
            from sized p
            where bytes_before < $2
        )
        select p.id, p.parent_id, p.run_id, p.processing_attempts, p.fetched_at = $3 as is_heritage,
            case when not p.superseded then (select s.raw_data::text from {table} s where s.id = p.id) end as raw
        from ranked p
        order by p.first_fetched_at, p.id
        "
    );
    let rows = tx
        .query(AssertSqlSafe(sql))
        .bind(i64::from(rows))
        .bind(i64::from(bytes))
        .bind(v5_import::FETCHED_AT)
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Claimed {
                staging_id: row.try_get("id")?,
                parent_id: row.try_get("parent_id")?,
                raw: row.try_get("raw")?,
                run_id: row.try_get("run_id")?,
                attempts: u32::try_from(row.try_get::<i32, _>("processing_attempts")?).unwrap_or_default(),
                is_heritage: row.try_get("is_heritage")?,
            })
        })
        .collect()
}

/// Settles claimed records and counts them in their runs.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn settle(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), sqlx::Error> {
    let sql = format!(
        r"
        update {} s set
            processed = true,
            outcome = u.outcome,
            last_error = u.error,
            note = u.note,
            processing_attempts = s.processing_attempts + 1,
            processed_at = clock_timestamp()
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as u(id, outcome, error, note)
        where s.id = u.id
        ",
        entity.staging_table
    );
    tx.query(AssertSqlSafe(sql))
        .bind(settlements.iter().map(|settled| settled.staging_id).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.outcome.as_str()).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.error.as_deref()).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.note.as_deref()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    count(tx, entity, settlements).await?;
    report_failures(tx, entity, settlements).await
}

async fn count(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), sqlx::Error> {
    // Promoted, unchanged, skipped, failed.
    let mut runs: BTreeMap<&str, [i32; 4]> = BTreeMap::new();
    for settled in settlements {
        let counts = runs.entry(&settled.run_id).or_default();
        let place = match settled.outcome {
            Outcome::Promoted => 0,
            Outcome::Unchanged => 1,
            Outcome::Skipped | Outcome::Superseded => 2,
            Outcome::Failed => 3,
        };
        counts[place] += 1;
    }
    let of = |place: usize| runs.values().map(|counts| counts[place]).collect::<Vec<_>>();
    let run_ids: Vec<String> = runs.keys().map(|run_id| (*run_id).to_owned()).collect();
    tx.query(
        r"
        update sync_status s set
            records_processed = s.records_processed + u.promoted,
            records_unchanged = s.records_unchanged + u.unchanged,
            records_skipped = s.records_skipped + u.skipped,
            records_failed = s.records_failed + u.failed
        from unnest($2::text[], $3::int[], $4::int[], $5::int[], $6::int[])
            as u(run_id, promoted, unchanged, skipped, failed)
        where s.run_id = u.run_id and s.sync_type = $1
        ",
    )
    .bind(entity.name)
    .bind(&run_ids)
    .bind(of(0))
    .bind(of(1))
    .bind(of(2))
    .bind(of(3))
    .execute(tx.connection())
    .await?;
    runs::close_runs(tx, entity, &run_ids).await
}

/// Opens an action for each record that failed, and closes those of placeholders that healed.
async fn report_failures(
    tx: &mut Tx,
    entity: &Entity,
    settlements: &[Settlement],
) -> Result<(), sqlx::Error> {
    let failed: Vec<&Settlement> =
        settlements.iter().filter(|settled| settled.outcome == Outcome::Failed).collect();
    if !failed.is_empty() {
        tx.query(
            r"
            insert into admin_actions (kind, entity, subject, details)
            select 'failed', $1, subject::text, jsonb_build_object('reason', reason)
            from unnest($2::uuid[], $3::text[]) as u(subject, reason)
            on conflict (kind, entity, subject) where resolved_at is null do nothing
            ",
        )
        .bind(entity.name)
        .bind(failed.iter().map(|settled| settled.staging_id).collect::<Vec<_>>())
        .bind(failed.iter().map(|settled| settled.error.as_deref()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    }
    let healed: Vec<String> = settlements
        .iter()
        .filter(|settled| settled.outcome != Outcome::Failed)
        .map(|settled| settled.staging_id.to_string())
        .collect();
    actions::close(tx, "failed", entity, &healed).await?;
    if !entity.placeholder.is_empty() {
        let sql = format!(
            r"
            update admin_actions a set resolved_at = now(), resolved_by = 'reconciler'
            where a.kind = 'placeholder' and a.entity = $1 and a.resolved_at is null
                and exists (select from {} t where t.id = a.subject and not t.is_placeholder)
            ",
            entity.table
        );
        tx.query(AssertSqlSafe(sql)).bind(entity.name).execute(tx.connection()).await?;
    }
    Ok(())
}
