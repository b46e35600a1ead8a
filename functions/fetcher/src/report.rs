//! What the fetcher says of a run.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use protocol::manifest::RunStatus;
use protocol::object_key::RunId;
use serde::Serialize;
use tracing::{info, warn};

use crate::fetch::Job;
use crate::state::Checkpoint;

/// What became of a run, as the fetcher answers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The run; none where none began.
    pub run_id: Option<RunId>,
    /// The entity's name.
    pub entity: &'static str,
    /// incremental, full, repair or verify.
    pub mode: String,
    /// `running` means that it resumes at the next tick; `busy` that another invocation is at it; `queued`
    /// that it is written down and follows.
    pub status: &'static str,
    /// Pages stored.
    pub pages: u32,
    /// Pages read and not stored: unchanged, or outside the period.
    pub pages_passed: u32,
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
    /// Which help by a person it needs: `credentials`, `schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<&'static str>,
}

impl Report {
    pub(crate) fn of(
        entity: &'static Entity,
        checkpoint: &Checkpoint,
        status: RunStatus,
        resumed_from_page: Option<u32>,
        ended_at: DateTime<Utc>,
        error: Option<String>,
    ) -> Self {
        Self {
            run_id: Some(checkpoint.run_id.clone()),
            entity: entity.name,
            mode: checkpoint.ask.mode.name().to_owned(),
            status: status.as_str(),
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

    /// A run that did not begin.
    pub(crate) fn refused(
        job: &Job,
        entity: &'static Entity,
        lane: &'static str,
        status: &'static str,
        error: String,
    ) -> Self {
        let now = Utc::now();
        let mode = if lane == job.mode.lane() { job.mode.name() } else { lane };
        let report = Self {
            run_id: None,
            entity: entity.name,
            mode: mode.to_owned(),
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
        report.tell();
        report
    }

    /// Logs it.
    pub(crate) fn tell(&self) {
        let Self { entity, mode, status, pages, records, .. } = self;
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
