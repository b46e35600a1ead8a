//! What a run did, as the fetcher writes it to S3 and the stager turns it into `sync_status`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::object_key::RunId;
use model::window::Window;

/// The version of the manifest's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// A run of one entity. Written when it starts and again after each invocation that served it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run.
    pub run_id: RunId,
    /// The entity's name.
    pub entity: String,
    /// incremental, full, repair or verify; import for what an older system knew.
    pub mode: String,
    /// The period fetched; none where the whole list was.
    pub window: Option<Window>,
    /// How far it came.
    pub status: RunStatus,
    /// When its first invocation began.
    pub started_at: DateTime<Utc>,
    /// When it ended; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// Raw pages stored so far.
    pub pages: u32,
    /// Elements of the list stored so far, null ones included.
    pub records: u64,
    /// Pages read and not stored: they hold what was stored before, or nothing of the period.
    #[serde(default)]
    pub pages_passed: u32,
    /// Elements on those pages.
    #[serde(default)]
    pub records_passed: u64,
    /// The source's own count, from the first page.
    #[serde(default)]
    pub total_count_first: Option<u64>,
    /// The source's own count, from the last page.
    pub total_count: Option<u64>,
    /// Different ids, and elements without any: counted by a full run that read its list to the end.
    #[serde(default)]
    pub distinct: Option<u64>,
    /// Whether it lists everything of its window and stored it all: what it lacks is gone.
    #[serde(default)]
    pub proves_absence: bool,
    /// The page at which the last invocation took over from an earlier one.
    pub resumed_from_page: Option<u32>,
    /// Counts the writings of this manifest: an older one never overwrites a newer.
    pub revision: u32,
    /// Why it is not a success.
    pub error: Option<String>,
    /// What kind of help by a person it needs, such as `credentials`.
    #[serde(default)]
    pub action: Option<String>,
    /// The version of the fetcher.
    pub fetcher_version: String,
}

/// How a run ended, as far as the fetcher can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// It goes on, now or in a later invocation.
    Running,
    /// Every record that the source counted is stored.
    Success,
    /// It ended, and its counts do not add up.
    Partial,
    /// It ended before its last page.
    Failed,
}

impl RunStatus {
    /// The word in answers and in `sync_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}
