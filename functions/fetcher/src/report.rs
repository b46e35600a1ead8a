//! What the fetcher says of a run.

use chrono::{DateTime, Utc};
use serde::Serialize;
use shared::key::RunId;
use tracing::{info, warn};

/// What became of a run, as the fetcher answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run; none where none began.
    pub run_id: Option<RunId>,
    /// The entity's name.
    pub entity: &'static str,
    /// incremental, full or repair.
    pub mode: String,
    /// `running` means that it resumes at the next tick; `busy` that another invocation is at it.
    pub status: &'static str,
    /// Pages stored.
    pub pages: u32,
    /// Elements in them, null ones included.
    pub records: u64,
    /// The page at which this invocation took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from_page: Option<u32>,
    /// When the run's first invocation began.
    pub started_at: DateTime<Utc>,
    /// When it ended, or this invocation did.
    pub ended_at: DateTime<Utc>,
    /// Why it is not a success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Report {
    /// Logs it.
    pub(crate) fn tell(&self) {
        let Self { entity, mode, status, pages, records, .. } = self;
        let run_id = self.run_id.as_ref().map(RunId::as_str).unwrap_or_default();
        match &self.error {
            None => info!(
                entity,
                run.id = run_id,
                mode,
                status,
                pages,
                records,
                "The {mode} run of {entity} is {status}"
            ),
            Some(error) => {
                warn!(
                    entity,
                    run.id = run_id,
                    mode,
                    status,
                    pages,
                    records,
                    error,
                    "The {mode} run of {entity} is {status}: {error}"
                );
            }
        }
    }
}
