//! Draining of an entity's staging table: batch after batch, until no record waits or the deadline has come.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::production::{Candidate, CreatedPlaceholder, PromotionOutcome};
use db::staging::{Claimed, RecordOutcome, Settlement};
use db::{Db, Tx};
use lambda::error_chain;
use model::entity::Entity;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::batch_log::{log_batch, log_runs};
use crate::classify::{ClassifiedBatch, classify_batch};
use crate::drift::find_drifts;
use crate::error::ReconcilerError;

/// Records per transaction: enough that round trips do not count, few enough that it takes about a second.
const BATCH_ROWS_MAX: u32 = 2_000;
/// Bytes of JSON per transaction, to bound its memory. A larger record is claimed alone.
const BATCH_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// Counts of one drain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Rows written to production.
    pub promoted: u32,
    /// Records whose row production held already.
    pub unchanged: u32,
    /// Records that never become a row, and records of which newer content is staged.
    pub skipped: u32,
    /// Records that need a person.
    pub failed: u32,
    /// True if no record waits any more; false if the deadline came first.
    pub is_empty: bool,
}

impl Drained {
    fn count(&mut self, outcome: RecordOutcome) {
        let count = match outcome {
            RecordOutcome::Promoted => &mut self.promoted,
            RecordOutcome::Unchanged => &mut self.unchanged,
            RecordOutcome::Skipped | RecordOutcome::Superseded => &mut self.skipped,
            RecordOutcome::Failed => &mut self.failed,
        };
        *count += 1;
    }
}

/// Promotes the records that wait in the entity's staging table until none is left or the deadline has come, then
/// compares the changed rows with the others, and reports what people should look at. A report that fails is logged, and
/// comes again with the next reconcile request: the records are promoted all the same.
///
/// # Errors
/// [`ReconcilerError::Promote`]. Batches that were committed before stay so; the other records wait, unchanged.
pub async fn drain(db: &Db, entity: &'static Entity, deadline: Instant) -> Result<Drained, ReconcilerError> {
    let mut drained = Drained::default();
    while Instant::now() < deadline {
        let batch = Box::pin(drain_batch(db, entity)).await;
        let batch = batch.map_err(|source| ReconcilerError::Promote { entity: entity.name, source })?;
        let Some(settlements) = batch else {
            drained.is_empty = true;
            break;
        };
        for settled in &settlements {
            drained.count(settled.outcome);
        }
    }
    let matched = Box::pin(match_changed_rows(db, entity, deadline)).await;
    log_failure(entity, matched.map_err(|source| ReconcilerError::Match { entity: entity.name, source }));
    if Instant::now() < deadline {
        let reported = Box::pin(report(db, entity, drained.promoted > 0)).await;
        log_failure(
            entity,
            reported.map_err(|source| ReconcilerError::Report { entity: entity.name, source }),
        );
    }
    Ok(drained)
}

fn log_failure(entity: &Entity, result: Result<(), ReconcilerError>) {
    if let Err(error) = result {
        warn!(entity = entity.name, "A report waits for the next reconcile request: {}", error_chain(&error));
    }
}

/// Lets people know of placeholders that stay, and of entries under two ids.
async fn report(db: &Db, entity: &'static Entity, has_changed: bool) -> Result<(), db::Error> {
    db::follow_up::release_placeholders(db, entity).await?;
    if has_changed {
        report_duplicate_ids(db, entity).await?;
    }
    Ok(())
}

/// Claims, promotes and settles one batch in one transaction; returns nothing if no record waits.
async fn drain_batch(db: &Db, entity: &'static Entity) -> Result<Option<Vec<Settlement>>, db::Error> {
    let mut tx = db.begin().await?;
    let claimed = db::staging::claim(&mut tx, entity, BATCH_ROWS_MAX, BATCH_BYTES_MAX).await?;
    if claimed.is_empty() {
        tx.rollback().await?;
        return Ok(None);
    }
    let ClassifiedBatch { mut candidates, mut settlements, deferrals } = classify_batch(entity, &claimed);
    Box::pin(ensure_partitions(db, entity, &candidates)).await?;
    Box::pin(keep_unreadable(&mut tx, entity, &mut candidates)).await?;
    let mut placeholders = Vec::new();
    let promoted = promote_batch(&mut tx, entity, candidates, &mut placeholders).await?;
    settlements.extend(settlements_of(&claimed, promoted));
    db::staging::settle(&mut tx, entity, &settlements).await?;
    db::staging::defer(&mut tx, entity, &deferrals).await?;
    tx.commit().await?;
    log_batch(entity, &settlements, &deferrals, &placeholders);
    log_runs(entity, &settlements);
    Ok(Some(settlements))
}

/// Keeps the old values of columns that many records of the batch cannot be read in, and lets people know.
async fn keep_unreadable(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: &mut [Candidate],
) -> Result<(), db::Error> {
    let open = db::follow_up::open_drifts(tx, entity).await?;
    let drifts = find_drifts(entity, candidates, &open);
    for drift in &drifts.found {
        let (field, unreadable, records) = (&drift.field, drift.unreadable, drift.records);
        warn!(
            entity = entity.name,
            field, "{field} of {} cannot be read in {unreadable} of {records} records", entity.name
        );
    }
    db::follow_up::update_drifts(tx, entity, &drifts.found, &drifts.healed).await?;
    db::production::keep_old_values(tx, entity, candidates, &drifts.fields).await
}

/// Creates the partitions that the batch needs, in transactions of their own, while this one holds no lock on the table
/// yet. One that cannot be created now holds nothing up: its rows go to the default partition, and move later.
async fn ensure_partitions(
    db: &Db,
    entity: &'static Entity,
    candidates: &[Candidate],
) -> Result<(), db::Error> {
    match db::production::ensure_months(db, entity, partition_instants(entity, candidates)).await {
        Err(error) if !db::is_out_of_reach(&error) => {
            warn!(
                entity = entity.name,
                "Could not create a partition of {}; its rows wait in the default one: {}",
                entity.name,
                error_chain(&error)
            );
            Ok(())
        }
        result => result.map(|_| ()),
    }
}

/// Promotes Gazelle's rows before those of the V5 import, which only fill what Gazelle's leave open.
async fn promote_batch(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: Vec<Candidate>,
    placeholders: &mut Vec<CreatedPlaceholder>,
) -> Result<Vec<(Candidate, PromotionOutcome)>, db::Error> {
    let (imported, fetched): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| candidate.is_v5_import);
    let mut promoted = promote_rows(tx, entity, fetched, placeholders).await?;
    if !imported.is_empty() {
        promoted.extend(promote_v5_import(tx, entity, imported, placeholders).await?);
    }
    Ok(promoted)
}

/// Promotes candidates of distinct ids, after the placeholders to which they refer.
async fn promote_rows(
    tx: &mut Tx,
    entity: &'static Entity,
    mut candidates: Vec<Candidate>,
    placeholders: &mut Vec<CreatedPlaceholder>,
) -> Result<Vec<(Candidate, PromotionOutcome)>, db::Error> {
    db::matching::resolve_references(tx, entity, &mut candidates).await?;
    placeholders.extend(db::production::make_placeholders(tx, entity, &candidates).await?);
    let outcomes = db::production::promote(tx, entity, &candidates).await?;
    Ok(candidates.into_iter().zip(outcomes).collect())
}

/// Promotes rows of the V5 import. Where production holds a newer row, only the manual columns that it leaves empty
/// are filled; the references of such a candidate do not count, so no placeholder is created for them.
async fn promote_v5_import(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: Vec<Candidate>,
    placeholders: &mut Vec<CreatedPlaceholder>,
) -> Result<Vec<(Candidate, PromotionOutcome)>, db::Error> {
    let newer_ids = db::v5::already_newer(tx, entity, &candidates).await?;
    let (already_newer, current): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| newer_ids.contains(&candidate.row.id));
    let mut promoted = promote_rows(tx, entity, current, placeholders).await?;
    let outcomes = db::v5::backfill_manual_columns(tx, entity, &already_newer).await?;
    promoted.extend(already_newer.into_iter().zip(outcomes));
    Ok(promoted)
}

/// Compares changed rows with the others of their table, until none is left or the deadline has come.
async fn match_changed_rows(db: &Db, entity: &'static Entity, deadline: Instant) -> Result<(), db::Error> {
    while Instant::now() < deadline {
        let matched = db::matching::match_changed(db, entity).await?;
        if matched.rows == 0 {
            break;
        }
        info!(
            entity = entity.name,
            rows = matched.rows,
            proposed = matched.proposed,
            linked = matched.linked,
            "Compared {} changed rows of {} with the others",
            matched.rows,
            entity.name
        );
    }
    Ok(())
}

async fn report_duplicate_ids(db: &Db, entity: &'static Entity) -> Result<(), db::Error> {
    let duplicates = db::matching::report_duplicate_ids(db, entity).await?;
    if duplicates > 0 {
        warn!(
            entity = entity.name,
            duplicates, "{duplicates} entries of {} exist under two ids", entity.name
        );
    }
    Ok(())
}

fn settlements_of(claimed: &[Claimed], promoted: Vec<(Candidate, PromotionOutcome)>) -> Vec<Settlement> {
    let run_ids: HashMap<_, _> =
        claimed.iter().map(|claimed| (claimed.staging_id, claimed.run_id.as_str())).collect();
    let settlement = |(candidate, outcome): (Candidate, PromotionOutcome)| {
        let (outcome, error) = match outcome {
            PromotionOutcome::Promoted => (RecordOutcome::Promoted, None),
            PromotionOutcome::Unchanged => (RecordOutcome::Unchanged, None),
            PromotionOutcome::Failed(reason) => (RecordOutcome::Failed, Some(reason)),
        };
        Settlement {
            staging_id: candidate.staging_id,
            run_id: run_ids.get(&candidate.staging_id).copied().unwrap_or_default().to_owned(),
            outcome,
            error,
            note: (!candidate.row.notes.is_empty()).then(|| candidate.row.notes.join("; ")),
        }
    };
    promoted.into_iter().map(settlement).collect()
}

/// Returns the instants by which the candidates' rows are partitioned; none for a table without partitions.
fn partition_instants<'a>(
    entity: &'a Entity,
    candidates: &'a [Candidate],
) -> impl Iterator<Item = DateTime<Utc>> + 'a {
    let column = entity.partitioned_by;
    candidates
        .iter()
        .filter_map(move |candidate| model::cell::parse_instant(candidate.row.get(entity.columns, column?)?))
}
