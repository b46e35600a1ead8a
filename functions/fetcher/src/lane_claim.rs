//! Claim of a lane: takes its lease together with the run to work on.

use chrono::{DateTime, Utc};
use model::entity::{Entity, Source};
use model::window::Window;
use object_store::{Object, ObjectStore, StateError};
use protocol::lane::Lane;
use protocol::object_key::{self, RunId};
use protocol::request::Mode;
use rand::RngExt;
use tracing::warn;

use crate::digest::query_sha256;
use crate::job::Job;
use crate::page_digests::PageDigests;
use crate::state::{Checkpoint, LEASE, LaneState, Lease, NextPosition, QueuedRequest};

/// Invocations in a row that got a run no page further, after which it is given up: its cursor may be worthless.
const STALLS_MAX: u32 = 5;

/// Run that this invocation has claimed.
#[derive(Debug)]
pub(crate) struct ClaimedRun {
    /// State of the lane, with this invocation's lease.
    pub(crate) lane: Object<LaneState>,
    /// Progress of the run.
    pub(crate) checkpoint: Checkpoint,
    /// Page at which this invocation takes over the run; none for a new run.
    pub(crate) resumed_from_page: Option<u32>,
    /// Digests of the pages stored before; none if the run does not compare pages.
    pub(crate) page_digests: Option<PageDigests>,
}

/// Result of claiming a lane.
pub(crate) enum Claim {
    /// The lane has no run to work on.
    Nothing,
    /// Another invocation works on the lane.
    Busy,
    /// This invocation holds the lane.
    Run(Box<ClaimedRun>),
}

/// Claims a lane, with its unfinished run or the request that has waited longest. With `may_begin_tick` an
/// incremental run begins without a request.
pub(crate) async fn claim_lane(
    states: &ObjectStore,
    job: &Job,
    entity: &'static Entity,
    lane: Lane,
    may_begin_tick: bool,
) -> Result<Claim, StateError> {
    let mut object: Object<LaneState> = states.load(&object_key::state(entity.name, lane)).await?;
    let now = Utc::now();
    let state = &mut object.value;
    let begins_tick = lane == Lane::Incremental && may_begin_tick;
    if !(state.has_work() || begins_tick) {
        return Ok(Claim::Nothing);
    }
    if state.is_held_against(&job.holder, now) {
        return Ok(Claim::Busy);
    }
    let (mut checkpoint, resumed_from_page) = match state.checkpoint.take() {
        Some(checkpoint) if checkpoint.stalls < STALLS_MAX => {
            let resumed_from_page = checkpoint.page + 1;
            (checkpoint, Some(resumed_from_page))
        }
        given_up => {
            if given_up.is_some() && lane != Lane::Incremental {
                PageDigests::forget(states, entity.name).await?;
            }
            let Some(request) = next_request(job, entity, lane, given_up, state) else {
                // The run was given up for good and no request waits: only the checkpoint has to be deleted.
                states.save(&mut object).await?;
                return Ok(Claim::Nothing);
            };
            (new_checkpoint(job, entity, state, request, now), None)
        }
    };
    // A run that is resumed has lost the digests of the pages that it has passed over.
    let page_digests = if lane == Lane::Incremental && resumed_from_page.is_none() {
        let digests = PageDigests::load(states, entity.name).await?;
        checkpoint.may_pass_over = digests.is_of(state.last_run.as_ref(), &query_sha256(entity))
            && !has_background_work(states, entity).await?;
        Some(digests)
    } else {
        checkpoint.may_pass_over = false;
        None
    };
    checkpoint.stalls += 1;
    state.last_run = Some(checkpoint.run_id.clone());
    state.checkpoint = Some(checkpoint.clone());
    state.lease = Some(Lease { holder: job.holder.clone(), expires_at: now + LEASE });
    match states.save(&mut object).await {
        Ok(()) => {
            Ok(Claim::Run(Box::new(ClaimedRun { lane: object, checkpoint, resumed_from_page, page_digests })))
        }
        Err(StateError::Conflict { .. }) => Ok(Claim::Busy),
        Err(error) => Err(error),
    }
}

/// Returns the request of a new run: the next attempt at the run that was given up, a tick's own request in the
/// incremental lane, or the request that has waited longest.
fn next_request(
    job: &Job,
    entity: &'static Entity,
    lane: Lane,
    given_up: Option<Checkpoint>,
    state: &mut LaneState,
) -> Option<QueuedRequest> {
    if lane == Lane::Incremental {
        let mode = Mode::Incremental { lookback_days: None };
        return Some(QueuedRequest { request_id: job.request_id.clone(), mode, attempt: 1 });
    }
    let again = given_up
        .map(|checkpoint| checkpoint.request)
        .filter(|request| request.attempt < job.attempts_max)
        .map(|request| QueuedRequest { attempt: request.attempt + 1, ..request });
    if let Some(request) = &again {
        let (entity, mode) = (entity.name, request.mode.name().as_str());
        warn!(
            entity,
            mode, "The {mode} run of {entity} begins anew: {STALLS_MAX} invocations got no page further"
        );
    }
    again.or_else(|| state.dequeue())
}

async fn has_background_work(states: &ObjectStore, entity: &'static Entity) -> Result<bool, StateError> {
    for lane in Lane::BACKGROUND {
        let key = object_key::state(entity.name, lane);
        let object: Object<LaneState> = states.load(&key).await?;
        if object.value.has_work() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn new_checkpoint(
    job: &Job,
    entity: &'static Entity,
    state: &LaneState,
    request: QueuedRequest,
    now: DateTime<Utc>,
) -> Checkpoint {
    let filter = entity.time_filter();
    let window = match &request.mode {
        Mode::Full | Mode::Verify { .. } => None,
        Mode::Repair(window) => Some(*window),
        // From now and not from the watermark, which is only minutes old.
        Mode::Incremental { lookback_days: Some(days) } => filter.and_then(|_| Window::since(now, *days)),
        // Without a watermark, the first run fetches everything.
        Mode::Incremental { lookback_days: None } => filter
            .zip(state.watermark)
            .and_then(|(filter, watermark)| filter.incremental_window(now, watermark, job.lookback_days)),
    };
    // A nested entity has no listing of its own: its records can only be looked up by id.
    let is_lookup =
        matches!(request.mode, Mode::Verify { .. }) || matches!(entity.source, Source::Nested { .. });
    Checkpoint {
        run_id: RunId::new(now, rand::rng().random()),
        request,
        window,
        started_at: now,
        next: if is_lookup { NextPosition::Ids(0) } else { NextPosition::Page(None) },
        page: 0,
        pages: 0,
        records: 0,
        pages_passed: 0,
        records_passed: 0,
        total_count_first: None,
        total_count: None,
        source_errors: None,
        truncated: Vec::new(),
        manifest_revision: 0,
        stalls: 0,
        may_pass_over: false,
    }
}
