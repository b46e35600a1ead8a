//! Report of a run, as the fetcher returns and logs it.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use protocol::action::ActionKind;
use protocol::lane::Lane;
use protocol::manifest::RunStatus;
use protocol::object_key::RunId;
use serde::Serialize;
use tracing::{info, warn};

use crate::state::Checkpoint;

/// Report of a run, or of a run that could not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunReport {
    /// Id of the run; none if none began.
    pub run_id: Option<RunId>,
    /// Name of the entity.
    pub entity: &'static str,
    /// Mode of the run, as in its manifest; the lane if no run began there.
    pub mode: &'static str,
    /// Lane of the run.
    pub lane: Lane,
    /// Status of the run as this invocation leaves it.
    pub status: ReportStatus,
    /// Number of pages stored.
    pub pages: u32,
    /// Number of pages read and not stored: unchanged, or outside the period.
    pub pages_passed: u32,
    /// Number of elements on the stored pages, null ones included.
    pub records: u64,
    /// Page at which this invocation took over the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from_page: Option<u32>,
    /// Time at which the run's first invocation began.
    pub started_at: DateTime<Utc>,
    /// Time at which the run ended, or this invocation did.
    pub ended_at: DateTime<Utc>,
    /// Reason for any status but success; an error with its causes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Kind of action that a person has to take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<ActionKind>,
}

/// Status of a run in a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    /// The run is unfinished and resumes at the next tick.
    Running,
    /// Every record that Gazelle counts is stored.
    Success,
    /// The run ended, and its counts do not add up.
    Partial,
    /// The run broke off before its last page, or could not begin.
    Failed,
    /// No run began, because another invocation works on the lane; the next tick requests the same.
    Busy,
    /// The request waits in its lane, on which another invocation works.
    Queued,
}

impl ReportStatus {
    /// Returns the word in reports and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Busy => "busy",
            Self::Queued => "queued",
        }
    }

    /// Returns the status of the run itself; one that another invocation works on goes on.
    pub(crate) const fn of_run(self) -> RunStatus {
        match self {
            Self::Running | Self::Busy | Self::Queued => RunStatus::Running,
            Self::Success => RunStatus::Success,
            Self::Partial => RunStatus::Partial,
            Self::Failed => RunStatus::Failed,
        }
    }

    /// Returns whether the run read its listing to the end.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Success | Self::Partial)
    }
}

impl From<RunStatus> for ReportStatus {
    fn from(status: RunStatus) -> Self {
        match status {
            RunStatus::Running => Self::Running,
            RunStatus::Success => Self::Success,
            RunStatus::Partial => Self::Partial,
            RunStatus::Failed => Self::Failed,
        }
    }
}

impl RunReport {
    /// Creates the report of a run whose progress is `checkpoint`.
    pub(crate) fn new(
        entity: &'static Entity,
        checkpoint: &Checkpoint,
        status: ReportStatus,
        resumed_from_page: Option<u32>,
        ended_at: DateTime<Utc>,
        error: Option<String>,
    ) -> Self {
        Self {
            run_id: Some(checkpoint.run_id.clone()),
            entity: entity.name,
            mode: checkpoint.request.mode.name().as_str(),
            lane: checkpoint.request.mode.lane(),
            status,
            pages: checkpoint.pages,
            pages_passed: checkpoint.pages_passed,
            records: checkpoint.records,
            resumed_from_page,
            started_at: checkpoint.started_at,
            ended_at,
            error,
            action: None,
        }
    }

    /// Creates and logs the report of a run that could not begin.
    pub(crate) fn not_begun(
        entity: &'static Entity,
        mode: &'static str,
        lane: Lane,
        status: ReportStatus,
        error: String,
    ) -> Self {
        let now = Utc::now();
        let report = Self {
            run_id: None,
            entity: entity.name,
            mode,
            lane,
            status,
            pages: 0,
            pages_passed: 0,
            records: 0,
            resumed_from_page: None,
            started_at: now,
            ended_at: now,
            error: Some(error),
            action: None,
        };
        report.log();
        report
    }

    /// Writes the report to the log.
    pub(crate) fn log(&self) {
        let Self { entity, mode, pages, records, .. } = self;
        let status = self.status.as_str();
        let run_id = self.run_id.as_ref().map(RunId::as_str).unwrap_or_default();
        let trace_id = self.run_id.as_ref().map(RunId::trace_id).unwrap_or_default();
        match &self.error {
            None => info!(
                entity,
                run.id = run_id,
                trace.id = trace_id,
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
                    trace.id = trace_id,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_status_keeps_its_words() {
        for (status, word) in [
            (ReportStatus::from(RunStatus::Running), "running"),
            (ReportStatus::from(RunStatus::Success), "success"),
            (ReportStatus::from(RunStatus::Partial), "partial"),
            (ReportStatus::from(RunStatus::Failed), "failed"),
            (ReportStatus::Busy, "busy"),
            (ReportStatus::Queued, "queued"),
        ] {
            assert_eq!(status.as_str(), word);
            assert_eq!(serde_json::to_string(&status).ok(), Some(format!("\"{word}\"")));
        }
    }
}
