//! Classification of claimed records: a row to promote, a final outcome without one, or another attempt. Pure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use db::production::Candidate;
use db::staging::{Claimed, Deferral, FAULT_ATTEMPTS_MAX, RecordOutcome, Settlement};
use model::entity::Entity;
use model::repair::repair;
use model::row::{Record, Row};
use model::unresolved::UnresolvedReference;
use model::unresolved::unresolved_references;
use serde_json::Value;

/// Class of a claimed record.
#[derive(Debug, PartialEq, Eq)]
pub enum Classified {
    /// A row to promote, and its references that name someone without a usable id.
    Row(Row, Vec<UnresolvedReference>),
    /// A record that never becomes a row: its outcome, and the reason where there is one.
    Final(RecordOutcome, Option<String>),
    /// A record whose transform panicked, which is a fault of the program: it is tried again a few times.
    Fault(String),
}

/// Classified records of a batch.
#[derive(Debug, Default)]
pub(crate) struct ClassifiedBatch {
    /// Records that became a row to promote.
    pub(crate) candidates: Vec<Candidate>,
    /// Records that are done without a row.
    pub(crate) settlements: Vec<Settlement>,
    /// Records that are tried again later.
    pub(crate) deferrals: Vec<Deferral>,
}

/// Classifies the records of a batch.
pub(crate) fn classify_batch(entity: &Entity, claimed: &[Claimed]) -> ClassifiedBatch {
    let mut batch = ClassifiedBatch::default();
    for record in claimed {
        match classify(entity, record) {
            Classified::Row(row, unresolved) => batch.candidates.push(Candidate {
                staging_id: record.staging_id,
                row,
                unresolved,
                run_id: record.run_id.clone(),
                fetched_at: record.fetched_at,
                is_v5_import: record.is_v5_import,
            }),
            Classified::Final(outcome, error) => {
                batch.settlements.push(settlement_without_row(record, outcome, error));
            }
            Classified::Fault(error) if record.attempts + 1 < FAULT_ATTEMPTS_MAX => {
                batch.deferrals.push(Deferral { staging_id: record.staging_id, error });
            }
            Classified::Fault(error) => {
                let error = format!("{error}, {FAULT_ATTEMPTS_MAX} times");
                batch.settlements.push(settlement_without_row(record, RecordOutcome::Failed, Some(error)));
            }
        }
    }
    batch
}

/// Classifies one record. A panic in its transform fails that record alone.
#[must_use]
pub fn classify(entity: &Entity, claimed: &Claimed) -> Classified {
    let Some(raw) = &claimed.raw else { return Classified::Final(RecordOutcome::Superseded, None) };
    let Some((raw, is_repaired)) = parse(raw) else {
        return Classified::Final(RecordOutcome::Failed, Some("the record cannot be read".to_owned()));
    };
    let record = Record { raw: &raw, parent_id: claimed.parent_id.as_deref() };
    let transformed = catch_unwind(AssertUnwindSafe(|| {
        entity.transform(record).map(|mut row| {
            if is_repaired {
                row.notes.push(LEFT_OUT_NOTE.to_owned());
            }
            let asked = unresolved_references(entity, record, &row);
            (row, asked)
        })
    }));
    match transformed {
        Ok(Ok((row, asked))) => Classified::Row(row, asked),
        Ok(Err(rejection)) => {
            let outcome =
                if rejection.is_ordinary() { RecordOutcome::Skipped } else { RecordOutcome::Failed };
            Classified::Final(outcome, Some(rejection.to_string()))
        }
        // The panic's own message may hold customer data.
        Err(_) => Classified::Fault("the transform panicked".to_owned()),
    }
}

/// Note on a record of which the parser cannot follow everything.
const LEFT_OUT_NOTE: &str = "values out of range or nested too deeply were left out";

/// Parses a record, and returns whether parts were left out. PostgreSQL holds it as JSON, so it can only have numbers out
/// of range, or be nested deeper than the parser follows.
fn parse(raw: &str) -> Option<(Value, bool)> {
    if let Ok(value) = serde_json::from_str(raw) {
        return Some((value, false));
    }
    serde_json::from_str(&repair(raw)?).ok().map(|value| (value, true))
}

fn settlement_without_row(claimed: &Claimed, outcome: RecordOutcome, error: Option<String>) -> Settlement {
    Settlement { staging_id: claimed.staging_id, run_id: claimed.run_id.clone(), outcome, error, note: None }
}
