//! Staging tables: loading, claiming, settling, retrying, archiving.

mod archive;
mod audit;
pub(crate) mod last_seen;
mod quarantine;
mod retry;
mod settle;
mod stage;

pub use archive::{Part, archivable, delete_archived, restore_archived};
pub use audit::{prepare_replay, unheard_runs, unknown_pages};
pub use quarantine::{Quarantined, quarantine};
pub use retry::{Deferral, FAULT_ATTEMPTS_MAX, defer, retry_failed};
pub use settle::{Claimed, Outcome, Settlement, claim, settle};
pub use stage::{PageNodes, StagedCounts, stage};
