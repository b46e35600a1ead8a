//! Result of a task, as the function returns it.

use chrono::NaiveDate;
use serde::Serialize;

/// Counts of a task, and the day from which to continue it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct TaskResult {
    /// Objects examined, written or read.
    pub objects: usize,
    /// Objects announced to the stager.
    pub announced: usize,
    /// Staging rows archived or restored.
    pub records: u64,
    /// First day that is still to do, if the deadline came first: the `start` of the next request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<NaiveDate>,
}
