//! End of an invocation's work on a run: its manifest, its state and its report.

use chrono::{DateTime, Utc};
use lambda::error_chain;
use protocol::action::ActionKind;
use protocol::manifest::RunStatus;
use protocol::request::Mode;
use protocol::request_origin::RequestOrigin;

use super::active_run::ActiveRun;
use crate::error::FetchError;
use crate::page_digests::PageDigests;
use crate::raw_sink::RawSink;
use crate::report::RunReport;
use crate::state::{Checkpoint, QueuedRequest};

/// State in which an invocation leaves a run that met no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// The deadline is near; the run resumes at its next page.
    Paused,
    /// Every page is stored.
    Complete,
}

impl<S: RawSink> ActiveRun<'_, S> {
    /// Writes the manifest and the state of the run, and returns its report.
    pub(super) async fn close(mut self, end: Result<RunEnd, FetchError>) -> RunReport {
        // After a conflict, or with a full queue, this invocation must write nothing more.
        let is_overtaken = matches!(&end, Err(FetchError::State(_) | FetchError::QueueFull { .. }));
        let is_cursor_in_doubt = end.as_ref().err().is_some_and(FetchError::is_cursor_in_doubt);
        let action = end.as_ref().err().and_then(FetchError::action);
        let (mut status, mut error) = match end {
            Ok(RunEnd::Paused) => (RunStatus::Running, None),
            Ok(RunEnd::Complete) => self.final_status(),
            Err(error) => (RunStatus::Failed, Some(error_chain(&error))),
        };
        // An outage says nothing against the cursor: however long it lasts, the run resumes at its page.
        if !is_cursor_in_doubt {
            self.checkpoint.stalls = 0;
        }
        let ended_at = Utc::now();
        if !is_overtaken && let Err(failed) = self.save_end(status, ended_at, error.clone(), action).await {
            (status, error) = (RunStatus::Failed, Some(error_chain(&failed)));
        }
        let mut report =
            RunReport::new(self.entity, &self.checkpoint, status, self.resumed_from_page, ended_at, error);
        report.action = action;
        report.log();
        report
    }

    /// Compares the listed records with Gazelle's own counts; returns the status, and the reason if it is no success.
    fn final_status(&self) -> (RunStatus, Option<String>) {
        let Checkpoint { records, records_passed, total_count_first, total_count, source_errors, .. } =
            &self.checkpoint;
        let partial = |reason| (RunStatus::Partial, Some(reason));
        if let Some(errors) = source_errors {
            return partial(format!("the source answered in part: {errors}"));
        }
        let listed = records + records_passed;
        match (total_count_first, total_count, self.distinct_count) {
            (Some(first), Some(last), Some(distinct)) if *first != distinct || *last != distinct => {
                partial(format!(
                    "the source counted {first} records at the beginning and {last} at the end, and listed {distinct} \
                     different ones"
                ))
            }
            (_, Some(total), None) if *total != listed => {
                partial(format!("the source counts {total} records, and listed {listed}"))
            }
            _ => (RunStatus::Success, None),
        }
    }

    /// Writes the manifest, then the state: if the function is killed in between, the checkpoint remains, and the run
    /// is closed once more.
    async fn save_end(
        &mut self,
        status: RunStatus,
        ended_at: DateTime<Utc>,
        error: Option<String>,
        action: Option<ActionKind>,
    ) -> Result<(), FetchError> {
        // The fence: an invocation that was overtaken must not overwrite the manifest of the other one.
        self.save_state().await?;
        let ended_at = (status != RunStatus::Running).then_some(ended_at);
        self.save_manifest(status, ended_at, error.map(|error| (error, action))).await?;
        let is_over = matches!(status, RunStatus::Success | RunStatus::Partial);
        let has_moved = status == RunStatus::Partial && self.checkpoint.source_errors.is_none();
        if is_over && self.may_store_changed_pages() {
            PageDigests::forget(self.context.states, self.entity.name).await?;
        }
        self.release_lane(is_over, has_moved).await?;
        // After a listing of everything whose source changed meanwhile, the next one must store every page as proof.
        let keeps_digests = is_over && !(self.distinct_ids.is_some() && has_moved);
        if let Some(digests) = self.page_digests.take().filter(|_| keeps_digests) {
            digests.save(self.context.states, &self.checkpoint.run_id, &self.query_sha256).await;
        }
        Ok(())
    }

    /// Returns whether the run may have stored another content of the listed records than the incremental runs know.
    /// A lookup of truncated records stores nothing that a listing would show otherwise.
    fn may_store_changed_pages(&self) -> bool {
        let origin = RequestOrigin::of(&self.checkpoint.request.request_id);
        !self.is_incremental() && origin != RequestOrigin::TruncatedRecords
    }

    /// Ends the lease, and deletes the checkpoint of a run that is over.
    async fn release_lane(&mut self, is_over: bool, has_moved: bool) -> Result<(), FetchError> {
        let checkpoint = self.checkpoint.clone();
        let (is_incremental, attempts_max) = (self.is_incremental(), self.job.attempts_max);
        self.change_state(|state| {
            state.lease = None;
            state.checkpoint = (!is_over).then(|| checkpoint.clone());
            if is_over && is_incremental {
                state.watermark = Some(checkpoint.started_at);
            }
            let request = &checkpoint.request;
            if has_moved && request.mode == Mode::Full && request.attempt < attempts_max {
                // The listing proves nothing, and the next full run is a week away: this one is tried again.
                state.queued.insert(0, QueuedRequest { attempt: request.attempt + 1, ..request.clone() });
            }
        })
        .await
    }
}
