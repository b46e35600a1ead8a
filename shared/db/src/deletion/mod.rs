//! Deletions: records that complete listings lack, looked up by id, then marked as deleted. Rows are never removed.

mod lock;
pub(crate) mod lookup;
mod mark;
mod statements;
mod sweep;
mod withhold;

pub use lookup::{PendingLookup, mark_lookup_sent, pending_lookup};
pub use mark::mark_deleted;
pub use sweep::{entities_with_missing_records, process_sweep};
pub use withhold::SweepResult;

use model::entity::Entity;

/// Returns the static statements of deletions, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [lookup::STATEMENTS, sweep::STATEMENTS, withhold::STATEMENTS].concat()
}

/// Returns the assembled statements of deletions for an entity, by name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    statements::assembled(entity)
}
