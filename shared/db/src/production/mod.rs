//! Production tables: promotion, child tables, partitions, placeholders.

mod child_tables;
mod partition;
mod placeholder;
pub(crate) mod promote;

pub use partition::ensure_months;
pub use placeholder::{MadeUp, make_placeholders};
pub use promote::{Candidate, Verdict, promote};
