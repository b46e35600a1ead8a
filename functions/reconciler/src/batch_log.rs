//! Log lines of a reconciled batch: counts, one line per run, and a warning per record that needs attention.

use std::collections::BTreeMap;

use db::production::CreatedPlaceholder;
use db::staging::{Deferral, RecordOutcome, Settlement};
use model::entity::Entity;
use protocol::object_key::trace_id;
use tracing::{info, warn};

/// Logs the counts of a batch, and each placeholder, deferral and failure in it.
pub(crate) fn log_batch(
    entity: &Entity,
    settlements: &[Settlement],
    deferrals: &[Deferral],
    placeholders: &[CreatedPlaceholder],
) {
    let count = |outcome| settlements.iter().filter(|settled| settled.outcome == outcome).count();
    info!(
        entity = entity.name,
        records = settlements.len(),
        promoted = count(RecordOutcome::Promoted),
        unchanged = count(RecordOutcome::Unchanged),
        skipped = count(RecordOutcome::Skipped),
        superseded = count(RecordOutcome::Superseded),
        failed = count(RecordOutcome::Failed),
        "Reconciled {} records of {}",
        settlements.len(),
        entity.name
    );
    for placeholder in placeholders {
        warn!(
            entity = placeholder.entity,
            id = placeholder.id,
            "Created a placeholder for {} of {}: a record refers to it, and Gazelle has not sent it",
            placeholder.id,
            placeholder.entity
        );
    }
    for deferral in deferrals {
        warn!(
            entity = entity.name,
            staging_id = %deferral.staging_id,
            reason = deferral.error,
            "Could not process a record of {}; it is tried again later",
            entity.name
        );
    }
    for failed in settlements.iter().filter(|settled| settled.outcome == RecordOutcome::Failed) {
        warn!(
            entity = entity.name,
            staging_id = %failed.staging_id,
            reason = failed.error,
            "A record of {} failed",
            entity.name
        );
    }
}

/// Logs one line per run, so that one query of the logs follows its trace.
pub(crate) fn log_runs(entity: &Entity, settlements: &[Settlement]) {
    let mut records_by_run: BTreeMap<&str, usize> = BTreeMap::new();
    for settled in settlements {
        *records_by_run.entry(&settled.run_id).or_default() += 1;
    }
    for (run_id, records) in records_by_run {
        let trace_id = trace_id(run_id);
        info!(
            entity = entity.name,
            run.id = run_id,
            trace.id = trace_id,
            records,
            "Settled {records} records of {} from a run",
            entity.name
        );
    }
}
