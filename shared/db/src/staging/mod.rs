//! Staging tables: loading, claiming, settling, retrying, archiving.

mod archive;
mod audit;
mod claim;
mod dedup;
mod existing;
mod insert;
pub(crate) mod page;
mod quarantine;
mod retry;
mod settle;
mod stage;
mod unfinished;

pub use archive::{ArchiveChunk, archivable, delete_archived, restore_archived};
pub use audit::{prepare_replay, unheard_runs, unknown_pages};
pub use claim::{Claimed, claim};
pub use page::{PageNodes, StagedCounts};
pub use quarantine::{Quarantined, quarantine};
pub use retry::{Deferral, FAULT_ATTEMPTS_MAX, defer, retry_failed};
pub use settle::{RecordOutcome, Settlement, settle};
pub use stage::stage;
pub use unfinished::{UnfinishedTask, delete_unfinished, save_unfinished, unfinished_tasks};

/// Returns the static statements of this room, each with its name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [
        archive::STATEMENTS,
        audit::STATEMENTS,
        quarantine::STATEMENTS,
        settle::STATEMENTS,
        stage::STATEMENTS,
        unfinished::STATEMENTS,
    ]
    .concat()
}
