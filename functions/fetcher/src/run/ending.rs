//! How an invocation leaves a run: what it says in the manifest, in the state and in its report.

use chrono::{DateTime, Utc};
use protocol::manifest::{self, Manifest, RunStatus};
use protocol::object_key;
use protocol::request::Mode;
use tokio::time::Instant;

use super::{CUT_SHORT, FETCHER_VERSION, Outcome, Run, is_complete};
use crate::fetch::FREQUENT;
use crate::fetch_error::FetchError;
use crate::known_pages::KnownPages;
use crate::raw_sink::{RawSink, SinkError};
use crate::report::Report;
use crate::state::{Ask, Checkpoint, LaneState, Lease};
use object_store::{Object, StateError};

impl<S: RawSink> Run<'_, S> {
    /// Says how the run stands, to whoever reads manifests and state, and in a report.
    pub(super) async fn end(mut self, outcome: Result<Outcome, FetchError>) -> Report {
        // Who has been overtaken writes nothing more: the run is in other hands.
        let is_overtaken = matches!(&outcome, Err(FetchError::State(_)));
        let is_cursor_in_doubt = outcome.as_ref().err().is_some_and(FetchError::is_cursor_in_doubt);
        let action = outcome.as_ref().err().and_then(FetchError::action);
        let (mut status, mut error) = match outcome {
            Ok(Outcome::Paused) => (RunStatus::Running, None),
            Ok(Outcome::Complete) => self.judge(),
            Err(error) => (RunStatus::Failed, Some(error.to_string())),
        };
        // An outage says nothing against the cursor: the run resumes at its page however long it lasts.
        if !is_cursor_in_doubt {
            self.checkpoint.stalls = 0;
        }
        let ended_at = Utc::now();
        if !is_overtaken && let Err(failed) = self.leave(status, ended_at, error.clone(), action).await {
            (status, error) = (RunStatus::Failed, Some(failed.to_string()));
        }
        let mut report =
            Report::of(self.entity, &self.checkpoint, status, self.resumed_from_page, ended_at, error);
        report.action = action;
        report.tell();
        report
    }

    /// Writes the manifest, then the state: a kill in between leaves the checkpoint, and the run is
    /// closed once more.
    async fn leave(
        &mut self,
        status: RunStatus,
        ended_at: DateTime<Utc>,
        error: Option<String>,
        action: Option<&'static str>,
    ) -> Result<(), FetchError> {
        // The fence: who has been overtaken in the meantime must not overwrite the other's manifest.
        self.save_state().await?;
        let ended_at = (status != RunStatus::Running).then_some(ended_at);
        self.save_manifest(status, ended_at, error.map(|error| (error, action))).await?;
        let is_over = matches!(status, RunStatus::Success | RunStatus::Partial);
        let (states, entity) = (self.parts.states, self.entity.name);
        if is_over && !self.is_frequent() && !self.checkpoint.ask.request_id.ends_with(CUT_SHORT) {
            KnownPages::forget(states, entity).await?;
        }
        let is_moved_under = status == RunStatus::Partial && self.checkpoint.source_errors.is_none();
        let checkpoint = self.checkpoint.clone();
        let (is_frequent, attempts_max) = (self.is_frequent(), self.job.attempts_max);
        self.change_state(|state| {
            state.lease = None;
            state.checkpoint = (!is_over).then(|| checkpoint.clone());
            if is_over && is_frequent {
                state.watermark = Some(checkpoint.started_at);
            }
            let ask = &checkpoint.ask;
            if is_moved_under && ask.mode == Mode::Full && ask.attempt < attempts_max {
                // Records came or went while it read: nothing is proven, and a week is long to wait.
                state.asked.insert(0, Ask { attempt: ask.attempt + 1, ..ask.clone() });
            }
        })
        .await?;
        // What moved under a listing that proves what is gone, the next one has to prove: it passes over nothing.
        let is_known = is_over && !(self.tally.is_some() && is_moved_under);
        if let Some(known) = self.known.take().filter(|_| is_known) {
            known.save(states, &self.checkpoint.run_id, &self.query_sha256).await;
        }
        Ok(())
    }

    /// A run is a success only when what was listed is what the source counts.
    fn judge(&self) -> (RunStatus, Option<String>) {
        let Checkpoint { records, records_passed, total_count_first, total_count, source_errors, .. } =
            &self.checkpoint;
        let partial = |reason| (RunStatus::Partial, Some(reason));
        if let Some(errors) = source_errors {
            return partial(format!("the source answered in part: {errors}"));
        }
        let listed = records + records_passed;
        match (total_count_first, total_count, self.distinct) {
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

    pub(super) fn is_frequent(&self) -> bool {
        self.checkpoint.ask.mode.lane() == FREQUENT
    }

    /// Writes the checkpoint down and renews the lease.
    pub(super) async fn save_state(&mut self) -> Result<(), FetchError> {
        let checkpoint = self.checkpoint.clone();
        let lease = Lease { holder: self.job.holder.clone(), expires_at: Utc::now() + crate::state::LEASE };
        self.change_state(|state| {
            state.checkpoint = Some(checkpoint.clone());
            state.lease = Some(lease.clone());
        })
        .await
    }

    /// Writes the lane's state. Where somebody has only written a request down meanwhile, that is kept.
    async fn change_state(&mut self, change: impl Fn(&mut LaneState)) -> Result<(), FetchError> {
        loop {
            let mut next = self.lane.clone();
            change(&mut next.value);
            match self.parts.states.save(&mut next).await {
                Ok(()) => {
                    self.lane = next;
                    self.saved_at = Instant::now();
                    return Ok(());
                }
                Err(StateError::Taken { key }) => {
                    let current: Object<LaneState> = self.parts.states.load(&key).await?;
                    let (ours, theirs) = (&self.lane.value, &current.value);
                    if ours.lease != theirs.lease || ours.checkpoint != theirs.checkpoint {
                        return Err(StateError::Taken { key }.into());
                    }
                    self.lane = current;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn save_manifest(
        &mut self,
        status: RunStatus,
        ended_at: Option<DateTime<Utc>>,
        error: Option<(String, Option<&'static str>)>,
    ) -> Result<(), FetchError> {
        let entity = self.entity.name;
        self.checkpoint.manifest_revision += 1;
        let checkpoint = &self.checkpoint;
        let (error, action) = error.unzip();
        let manifest = Manifest {
            schema_version: manifest::SCHEMA_VERSION,
            run_id: checkpoint.run_id.clone(),
            entity: entity.to_owned(),
            mode: checkpoint.ask.mode.name().to_owned(),
            window: checkpoint.window,
            status,
            started_at: checkpoint.started_at,
            ended_at,
            pages: checkpoint.pages,
            records: checkpoint.records,
            pages_passed: checkpoint.pages_passed,
            records_passed: checkpoint.records_passed,
            total_count_first: checkpoint.total_count_first,
            total_count: checkpoint.total_count,
            distinct: self.distinct,
            proves_absence: is_complete(self.entity, checkpoint) && checkpoint.pages_passed == 0,
            resumed_from_page: self.resumed_from_page,
            revision: checkpoint.manifest_revision,
            error,
            action: action.flatten().map(str::to_owned),
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let failed = |source| FetchError::SaveManifest { entity, source };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| failed(SinkError(error.to_string())))?;
        self.parts
            .sink
            .store_manifest(&object_key::manifest(entity, &checkpoint.run_id), bytes)
            .await
            .map_err(failed)
    }
}
