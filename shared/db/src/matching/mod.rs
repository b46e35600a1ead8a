//! Matching: references without an id, probable duplicates and predecessors. Candidates come from the database, the
//! scores from the entity, and every decision is recorded.

mod alias;
mod candidate_search;
mod compare_changed;
pub(crate) mod decision;
mod duplicate_group;
mod duplicate_ids;
mod match_keys;
mod predecessor;
mod probable_duplicate;
mod profile;
mod reference;
mod similar_pair;
mod statements;

pub use compare_changed::{MatchCounts, match_changed};
pub use duplicate_ids::report_duplicate_ids;
pub use reference::resolve_references;

use model::entity::Entity;

/// Returns the static statements of matching, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [
        alias::STATEMENTS,
        candidate_search::STATEMENTS,
        compare_changed::STATEMENTS,
        decision::STATEMENTS,
        duplicate_group::STATEMENTS,
        duplicate_ids::STATEMENTS,
        match_keys::STATEMENTS,
        predecessor::STATEMENTS,
        probable_duplicate::STATEMENTS,
    ]
    .concat()
}

/// Returns the assembled statements of matching for an entity, by name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    statements::assembled(entity)
}
