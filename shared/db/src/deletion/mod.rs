//! Deletions: records that complete listings lack, looked up by id, then marked as deleted. Rows are never removed.

pub(crate) mod sweep;

pub use sweep::{
    Question, Swept, conclude_sweep, delete_missing, entities_with_absence, mark_asked, question,
};
