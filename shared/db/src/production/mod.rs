//! Production tables: promotion, child tables, partitions, placeholders.

pub(crate) mod candidate;
mod child_tables;
mod keep;
mod partition;
mod placeholder;
mod promote;

pub use candidate::{Candidate, PromotionOutcome};
pub use keep::keep_old_values;
pub use partition::ensure_months;
pub use placeholder::{CreatedPlaceholder, make_placeholders};
pub use promote::promote;

/// Returns the static statements of this room.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    partition::STATEMENTS.to_vec()
}
