//! Writes of a run's state and manifest.

use chrono::{DateTime, Utc};
use object_store::{Object, StateError};
use protocol::action::ActionKind;
use protocol::manifest::{self, Manifest, RunStatus};
use protocol::object_key;
use tokio::time::Instant;

use super::active_run::{ActiveRun, FETCHER_VERSION};
use crate::distinct_ids::DistinctCount;
use crate::error::FetchError;
use crate::raw_sink::RawSink;
use crate::state::{LEASE, LaneState, Lease};

/// Error of a run as its manifest shows it: the text, and the kind of action that a person has to take.
pub(super) type ManifestError = (String, Option<ActionKind>);

impl<S: RawSink> ActiveRun<'_, S> {
    /// Writes the checkpoint and renews the lease.
    pub(super) async fn save_state(&mut self) -> Result<(), FetchError> {
        let checkpoint = self.checkpoint.clone();
        let lease = Lease { holder: self.job.holder.clone(), expires_at: Utc::now() + LEASE };
        self.change_state(|state| {
            state.last_run = Some(checkpoint.run_id.clone());
            state.checkpoint = Some(checkpoint.clone());
            state.lease = Some(lease.clone());
        })
        .await
    }

    /// Changes the state of the lane. A request that another invocation has queued in the meantime is kept.
    pub(super) async fn change_state(&mut self, change: impl Fn(&mut LaneState)) -> Result<(), FetchError> {
        loop {
            let mut next = self.lane.clone();
            change(&mut next.value);
            match self.context.states.save(&mut next).await {
                Ok(()) => {
                    self.lane = next;
                    self.saved_at = Instant::now();
                    return Ok(());
                }
                Err(StateError::Conflict { key }) => {
                    let current: Object<LaneState> = self.context.states.load(&key).await?;
                    let (ours, theirs) = (&self.lane.value, &current.value);
                    if ours.lease != theirs.lease || ours.checkpoint != theirs.checkpoint {
                        return Err(StateError::Conflict { key }.into());
                    }
                    self.lane = current;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Writes the manifest with this status and the counts of the checkpoint; it replaces the former one. Before it the
    /// state, as the fence: an invocation that was overtaken must not overwrite the manifest of the other one.
    pub(super) async fn save_manifest(
        &mut self,
        status: RunStatus,
        ended_at: Option<DateTime<Utc>>,
        error: Option<ManifestError>,
    ) -> Result<(), FetchError> {
        let entity = self.entity.name;
        self.checkpoint.manifest_revision += 1;
        self.save_state().await?;
        let checkpoint = &self.checkpoint;
        let (error, action) = error.unzip();
        let manifest = Manifest {
            schema_version: manifest::SCHEMA_VERSION,
            run_id: checkpoint.run_id.clone(),
            entity: entity.to_owned(),
            mode: checkpoint.request.mode.name().as_str().to_owned(),
            lane: Some(checkpoint.request.mode.lane()),
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
            distinct: self.distinct_count.map(DistinctCount::total),
            unidentified: self.distinct_count.map(|count| count.unidentified),
            proves_absence: self.proves_absence(),
            unserved: checkpoint.unserved.clone(),
            served: checkpoint.served.clone(),
            resumed_from_page: self.resumed_from_page,
            revision: checkpoint.manifest_revision,
            error,
            action: action.flatten(),
            access_level: None,
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let bytes =
            serde_json::to_vec(&manifest).map_err(|source| FetchError::EncodeManifest { entity, source })?;
        let key = object_key::manifest(entity, &checkpoint.run_id);
        let stored = self.context.sink.store_manifest(&key, bytes).await;
        stored.map_err(|source| FetchError::SaveManifest { entity, source })
    }
}
