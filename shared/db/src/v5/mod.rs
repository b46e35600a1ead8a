//! V5 import: reads the tables of V5 where they stand, compares them with the mirror, and backfills manual columns.
//! Nothing of V5 replaces anything fresher.

mod backfill;
mod compare;
mod read_statements;
mod reader;
mod statements;
mod table;

use model::entity::Entity;

pub use backfill::{already_newer, backfill_manual_columns};
pub use compare::{Comparison, Difference, ImportCandidate};
pub use reader::{V5Error, V5Reader, V5Row};
pub use table::{KEY, V5NestedList, V5Table};

/// Returns the static statements of the V5 import, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    reader::STATEMENTS.to_vec()
}

/// Returns the assembled statements of the V5 import for an entity, by name. Those of `read_statements` are left out:
/// they name tables and columns of one installation of V5, so that no empty database can prepare them.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    statements::assembled(entity)
}
