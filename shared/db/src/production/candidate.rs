//! Candidates for promotion, and the outcome of each.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use model::row::Row;
use model::unresolved::UnresolvedReference;
use uuid::Uuid;

use crate::bisect::Refusal;

/// Staged record that was transformed into a row.
#[derive(Debug)]
pub struct Candidate {
    /// Id of the staging row, which keeps the raw record and the time at which it was fetched.
    pub staging_id: Uuid,
    /// Row of the production table.
    pub row: Row,
    /// References that name a record without a usable id.
    pub unresolved: Vec<UnresolvedReference>,
    /// Run that made the record pending.
    pub run_id: String,
    /// Time at which the record was first fetched with this content.
    pub fetched_at: DateTime<Utc>,
    /// True if the record comes from the V5 import.
    pub is_v5_import: bool,
}

/// Outcome of the promotion of one candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromotionOutcome {
    /// The row was inserted or updated.
    Promoted,
    /// The table held the row already, or something newer.
    Unchanged,
    /// The database refuses this very row, for the reason given; the others went through.
    Failed(String),
}

impl From<Result<Self, Refusal>> for PromotionOutcome {
    fn from(result: Result<Self, Refusal>) -> Self {
        result.unwrap_or_else(|refusal| Self::Failed(refusal.reason))
    }
}

/// Returns the ids of the candidates, in their order.
pub(crate) fn ids(candidates: &[Candidate]) -> Vec<&str> {
    candidates.iter().map(|candidate| candidate.row.id.as_str()).collect()
}

/// Returns the ids of the candidates' staging rows, in their order.
pub(crate) fn staging_ids(candidates: &[Candidate]) -> Vec<Uuid> {
    candidates.iter().map(|candidate| candidate.staging_id).collect()
}

/// Returns the values of a column, given by its index in the entity, in the order of the candidates.
pub(crate) fn cells(candidates: &[Candidate], column: usize) -> Vec<Option<&str>> {
    candidates.iter().map(|candidate| candidate.row.cells.get(column).and_then(Option::as_deref)).collect()
}

/// Returns an outcome for each candidate: promoted if a statement returned its id, else unchanged.
pub(crate) fn outcomes(candidates: &[Candidate], changed_ids: &[String]) -> Vec<PromotionOutcome> {
    let changed: HashSet<&str> = changed_ids.iter().map(String::as_str).collect();
    let outcome = |candidate: &Candidate| {
        if changed.contains(candidate.row.id.as_str()) {
            PromotionOutcome::Promoted
        } else {
            PromotionOutcome::Unchanged
        }
    };
    candidates.iter().map(outcome).collect()
}
