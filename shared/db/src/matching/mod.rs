//! References without an id, duplicates and predecessors: candidates come from the database, what they are
//! worth is decided by the entity's own scores, and every decision is written down.

mod decision;
mod duplicate_ids;
mod keys;
mod pass;
mod reference;

pub(crate) use decision::{Decision, record};
pub use duplicate_ids::report_twins;
pub use pass::{Matched, match_changed};
pub use reference::resolve_references;
