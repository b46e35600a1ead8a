//! End of an invocation's work on a run: its manifest, its state and its report.

use chrono::{DateTime, TimeDelta, Utc};
use lambda::error_chain;
use object_store::StateError;
use protocol::action::ActionKind;
use protocol::lane::Lane;
use protocol::manifest::RunStatus;
use protocol::request::Mode;
use tracing::error;

use super::active_run::ActiveRun;
use super::persistence::ManifestError;
use crate::distinct_ids::DistinctCount;
use crate::error::FetchError;
use crate::page_digests::{Contradiction, PageDigests};
use crate::raw_sink::RawSink;
use crate::report::{ReportStatus, RunReport};
use crate::state::{Checkpoint, NextPosition, QueuedRequest};

/// Age up to which the watermark waits for a record that is not served: beyond it the weekly full run asks for it.
const WATERMARK_HELD_MAX: TimeDelta = TimeDelta::days(8);
/// Unserved records that the reason of a run names.
const NAMED_MAX: usize = 5;

/// State in which an invocation leaves a run that met no error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunEnd {
    /// The deadline is near; the run resumes at its next page.
    Paused,
    /// Every page is stored.
    Complete,
}

/// Consequences of the end of a run for the state of its lane.
struct LaneEnd {
    /// The run does not go on.
    is_over: bool,
    /// The run has read its listing to the end.
    is_complete: bool,
    /// Request that the run leaves behind, and whether it goes before those that wait.
    again: Option<(QueuedRequest, bool)>,
}

impl<S: RawSink> ActiveRun<'_, S> {
    /// Writes the manifest and the state of the run, and returns its report.
    pub(super) async fn close(mut self, end: Result<RunEnd, FetchError>) -> RunReport {
        let ended_at = Utc::now();
        if let Err(FetchError::State(StateError::Conflict { .. })) = &end {
            return self.report_overtaken(ended_at);
        }
        // Without its state this invocation must write nothing more.
        let is_state_lost = matches!(&end, Err(FetchError::State(_)));
        // A page that was not served counts, also if this invocation has read others before it.
        self.checkpoint.stalls = if end.is_ok() { 0 } else { self.checkpoint.stalls.max(1) };
        let again = if matches!(end, Ok(RunEnd::Complete)) { self.repeated_lookup() } else { None };
        let (status, error, action) = match &end {
            Ok(RunEnd::Paused) => (RunStatus::Running, None, None),
            Ok(RunEnd::Complete) => {
                let (status, reason) = self.final_status();
                let action = (!self.checkpoint.unserved.is_empty()).then_some(ActionKind::Unserved);
                (status, reason, action)
            }
            Err(error) => (RunStatus::Failed, Some(error_chain(error)), error.action()),
        };
        let lane_end = self.lane_end(&end, again);
        let (mut status, mut error) = (ReportStatus::from(status), error);
        if !is_state_lost {
            match self.save_end(status, ended_at, error.clone().map(|error| (error, action)), lane_end).await
            {
                Ok(()) => {}
                Err(FetchError::State(StateError::Conflict { .. })) => {
                    return self.report_overtaken(ended_at);
                }
                Err(failed) => (status, error) = (ReportStatus::Failed, Some(error_chain(&failed))),
            }
        }
        let mut report = self.report(status, ended_at, error);
        report.action = action;
        report.log();
        report
    }

    fn report(&self, status: ReportStatus, ended_at: DateTime<Utc>, error: Option<String>) -> RunReport {
        RunReport::new(self.entity, &self.checkpoint, status, self.resumed_from_page, ended_at, error)
    }

    /// Returns the report of an invocation that lost its lease: the run is in the hands of another one.
    fn report_overtaken(&self, ended_at: DateTime<Utc>) -> RunReport {
        let reason = "another invocation has taken over this run".to_owned();
        let report = self.report(ReportStatus::Busy, ended_at, Some(reason));
        report.log();
        report
    }

    /// Returns the status of a run that has read its listing, and the reasons if it is no success.
    fn final_status(&self) -> (RunStatus, Option<String>) {
        let source_errors = self.checkpoint.source_errors.as_ref();
        let reasons: Vec<String> = [
            self.unserved_reason(),
            source_errors.map(|errors| format!("the source answered in part: {errors}")),
            self.count_reason(),
        ]
        .into_iter()
        .flatten()
        .collect();
        if reasons.is_empty() {
            return (RunStatus::Success, None);
        }
        (RunStatus::Partial, Some(reasons.join("; ")))
    }

    fn unserved_reason(&self) -> Option<String> {
        let Checkpoint { unserved, request, .. } = &self.checkpoint;
        let lane = request.mode.lane().as_str();
        let named: Vec<String> =
            unserved.iter().take(NAMED_MAX).map(|unserved| unserved.subject(lane)).collect();
        let more = if unserved.len() > NAMED_MAX { ", …" } else { "" };
        let count = unserved.len();
        (count > 0).then(|| format!("the source does not serve {count} records: {}{more}", named.join(", ")))
    }

    /// Compares the listed records with Gazelle's own counts; returns the reason if they differ.
    fn count_reason(&self) -> Option<String> {
        let Checkpoint { records, records_passed, total_count_first, total_count, .. } = &self.checkpoint;
        let listed = records + records_passed;
        match (total_count_first, total_count, self.distinct_count.map(DistinctCount::total)) {
            (Some(first), Some(last), Some(distinct)) if *first != distinct || *last != distinct => {
                Some(format!(
                    "the source counted {first} records at the beginning and {last} at the end, and listed {distinct} \
                 different ones"
                ))
            }
            (_, Some(total), None) if *total != listed => {
                Some(format!("the source counts {total} records, and listed {listed}"))
            }
            (None, _, Some(_)) | (_, None, Some(_)) if !self.is_plain_list() => {
                Some("the source stated no count that can be read".to_owned())
            }
            _ => None,
        }
    }

    /// Returns whether the listing moved while it was read: another attempt may prove what this one did not.
    fn has_moved(&self) -> bool {
        let Checkpoint { source_errors, unserved, total_count, .. } = &self.checkpoint;
        source_errors.is_none()
            && unserved.is_empty()
            && total_count.is_some()
            && self.count_reason().is_some()
    }

    /// Returns the counts of a listing of everything that contradict each other. Counts that moved meanwhile are no
    /// lasting contradiction, and never equal those of another run.
    fn contradiction(&self) -> Option<Contradiction> {
        let Checkpoint { total_count_first, total_count, started_at, .. } = &self.checkpoint;
        let listed = self.distinct_count.filter(|_| self.count_reason().is_some())?.total();
        let moved_at = (total_count_first != total_count).then_some(*started_at);
        Some(Contradiction { counted: *total_count, listed, moved_at })
    }

    /// Returns the consequences of this end for the lane.
    fn lane_end(&self, end: &Result<RunEnd, FetchError>, again: Option<QueuedRequest>) -> LaneEnd {
        let request = &self.checkpoint.request;
        let mut lane_end =
            LaneEnd { is_over: false, is_complete: false, again: again.map(|again| (again, false)) };
        match end {
            Ok(RunEnd::Complete) => {
                (lane_end.is_over, lane_end.is_complete) = (true, true);
                if self.has_moved() && request.mode == Mode::Full && request.attempt < self.job.attempts_max {
                    // The listing proves nothing, and the next full run is a week away: this one is tried again.
                    lane_end.again =
                        Some((QueuedRequest { attempt: request.attempt + 1, ..request.clone() }, true));
                }
            }
            Err(unskippable @ FetchError::Unskippable { entity, .. }) => {
                let mode = request.mode.name().as_str();
                let reason = error_chain(unskippable);
                error!(entity, mode, "Gave up the {mode} run of {entity}: {reason}");
                lane_end.is_over = true;
            }
            // A request whose lookups fail must not hold up those behind it.
            Err(error) if error.concerns_data() && !self.lane.value.queued.is_empty() => {
                lane_end.again = self.remaining_lookups().map(|again| (again, false));
                lane_end.is_over = lane_end.again.is_some();
            }
            Ok(RunEnd::Paused) | Err(_) => {}
        }
        lane_end
    }

    /// Returns the request for the ids that a run of lookups has got no answer for; none for any other run.
    fn remaining_lookups(&self) -> Option<QueuedRequest> {
        let Checkpoint { request, next, unserved, .. } = &self.checkpoint;
        let (Mode::Verify { ids }, NextPosition::Ids(first)) = (&request.mode, next) else { return None };
        let unanswered = unserved.iter().filter_map(|unserved| unserved.id.clone());
        let ids: Vec<String> = ids.iter().skip(*first).cloned().chain(unanswered).collect();
        (!ids.is_empty()).then(|| QueuedRequest { mode: Mode::Verify { ids }, ..request.clone() })
    }

    /// Writes the manifest, then the state: if the function is killed in between, the checkpoint remains, and the run
    /// is closed once more.
    async fn save_end(
        &mut self,
        status: ReportStatus,
        ended_at: DateTime<Utc>,
        error: Option<ManifestError>,
        lane_end: LaneEnd,
    ) -> Result<(), FetchError> {
        let status = status.of_run();
        let ended_at = (status != RunStatus::Running).then_some(ended_at);
        self.save_manifest(status, ended_at, error).await?;
        if lane_end.is_over && !self.is_incremental() {
            self.forget_page_digests().await?;
        }
        let (is_complete, contradiction) = (lane_end.is_complete, self.contradiction());
        self.release_lane(lane_end).await?;
        let keeps_digests = is_complete && !self.forgets_pages;
        if let Some(digests) = self.page_digests.take().filter(|_| keeps_digests) {
            let contradiction = contradiction.filter(|_| self.lists_everything());
            let (run_id, query) = (&self.checkpoint.run_id, &self.query_sha256);
            digests.save(self.context.states, run_id, query, contradiction).await;
        }
        Ok(())
    }

    /// Deletes the digests of pages, because this run may have stored another content of the listed records than the
    /// incremental runs know. Lookups of truncated records are compared with those before.
    async fn forget_page_digests(&mut self) -> Result<(), FetchError> {
        let (states, entity) = (self.context.states, self.entity.name);
        // What an earlier invocation of this run has looked up is not known any more.
        if self.is_of_truncated_records() && self.resumed_from_page.is_none() {
            PageDigests::note_lookups(states, entity, &self.looked_up).await?;
        } else {
            PageDigests::forget(states, entity).await?;
        }
        Ok(())
    }

    /// Ends the lease, and deletes the checkpoint of a run that is over.
    async fn release_lane(&mut self, lane_end: LaneEnd) -> Result<(), FetchError> {
        let LaneEnd { is_over, is_complete, again } = lane_end;
        let checkpoint = self.checkpoint.clone();
        let is_incremental = self.is_incremental();
        self.change_state(|state| {
            state.lease = None;
            state.checkpoint = (!is_over).then(|| checkpoint.clone());
            if is_over && checkpoint.request.mode.lane() != Lane::Verify {
                state.searches = !checkpoint.unserved.is_empty();
            }
            let is_held = !checkpoint.unserved.is_empty()
                && state.watermark.is_some_and(|at| checkpoint.started_at - at < WATERMARK_HELD_MAX);
            if is_complete && is_incremental && !is_held {
                state.watermark = Some(checkpoint.started_at);
            }
            match &again {
                Some((request, true)) => state.queued.insert(0, request.clone()),
                Some((request, false)) => state.queued.push(request.clone()),
                None => {}
            }
        })
        .await
    }
}
