//! Manifests: the state of a run, as the fetcher writes it to S3 and the stager copies it to `sync_status`.

use chrono::{DateTime, Utc};
use model::window::Window;
use serde::{Deserialize, Serialize};

use crate::action::ActionKind;
use crate::object_key::RunId;

/// Version of the manifest's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// Manifest of a run of one entity. Written when the run starts and after each invocation that worked on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the run.
    pub run_id: RunId,
    /// Name of the entity.
    pub entity: String,
    /// Mode of the run, as [`crate::request::ModeName`] writes it.
    pub mode: String,
    /// Period that the run fetches; none for the whole list.
    pub window: Option<Window>,
    /// Status of the run.
    pub status: RunStatus,
    /// Instant at which the first invocation began.
    pub started_at: DateTime<Utc>,
    /// Instant at which the run ended; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// Number of raw pages stored so far.
    pub pages: u32,
    /// Number of elements on them, null ones included.
    pub records: u64,
    /// Number of pages read and not stored, because they are unchanged or outside the period.
    #[serde(default)]
    pub pages_passed: u32,
    /// Number of elements on the pages that were not stored.
    #[serde(default)]
    pub records_passed: u64,
    /// Count stated by the source on the first page.
    #[serde(default)]
    pub total_count_first: Option<u64>,
    /// Count stated by the source on the last page.
    pub total_count: Option<u64>,
    /// Number of distinct ids plus elements without an id; counted by a full run that read its list to the end.
    #[serde(default)]
    pub distinct: Option<u64>,
    /// States that the run stored every record of its period, so that a record which it lacks is gone.
    #[serde(default)]
    pub proves_absence: bool,
    /// Page at which the last invocation resumed the work of an earlier one.
    pub resumed_from_page: Option<u32>,
    /// Number of this version of the manifest: an older one never overwrites a newer one.
    pub revision: u32,
    /// Reason for which the run is not a success.
    pub error: Option<String>,
    /// Kind of the action that a person must take, if only a person can help.
    #[serde(default)]
    pub action: Option<ActionKind>,
    /// Version of the fetcher.
    pub fetcher_version: String,
}

/// Status of a run, as far as the fetcher can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// The run goes on, now or in a later invocation.
    Running,
    /// The run stored every record that the source counted.
    Success,
    /// The run ended, and its counts differ from those of the source.
    Partial,
    /// The run ended before its last page.
    Failed,
}

impl RunStatus {
    /// Every status, in the order in which the documentation lists them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Success, Self::Partial, Self::Failed];

    /// Returns the text in reports and in `sync_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }

    /// Parses the text of `sync_status`; none for a status that this version does not know.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_status_round_trips_through_its_text() {
        for status in RunStatus::ALL {
            assert_eq!(RunStatus::parse(status.as_str()), Some(status));
            let json = serde_json::to_string(&status).ok();
            assert_eq!(json, Some(format!("\"{}\"", status.as_str())));
        }
        assert_eq!(RunStatus::parse("busy"), None);
    }
}
