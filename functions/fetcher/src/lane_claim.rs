//! Claim of a lane: takes its lease together with the run to work on.

use chrono::{DateTime, Utc};
use model::entity::{Entity, Source};
use model::window::Window;
use object_store::{Object, ObjectStore, StateError};
use protocol::lane::Lane;
use protocol::object_key::{self, RunId};
use protocol::request::Mode;
use rand::RngExt;

use crate::digest::query_sha256;
use crate::job::Job;
use crate::page_digests::PageDigests;
use crate::state::{Checkpoint, LEASE, LaneState, Lease, NextPosition, QueuedRequest};

/// Invocations in a row that got a run no page further, after which the page is searched for the record at fault: an
/// incident of Gazelle that is over within minutes costs nothing but time.
const STALLS_MAX: u32 = 2;

/// Run that this invocation has claimed.
#[derive(Debug)]
pub(crate) struct ClaimedRun {
    /// State of the lane, with this invocation's lease.
    pub(crate) lane: Object<LaneState>,
    /// Progress of the run.
    pub(crate) checkpoint: Checkpoint,
    /// Page at which this invocation takes over the run; none for a new run.
    pub(crate) resumed_from_page: Option<u32>,
    /// States that the run is resumed at a page that was requested in vain by several invocations.
    pub(crate) is_stuck: bool,
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
    if !(state.has_work(now) || begins_tick) {
        return Ok(Claim::Nothing);
    }
    if state.is_held_against(&job.holder, now) {
        return Ok(Claim::Busy);
    }
    let mut is_stuck = false;
    let (mut checkpoint, resumed_from_page) = match state.checkpoint.take() {
        Some(mut checkpoint) => {
            if lane != Lane::Incremental && state.lease.is_some() {
                // The invocation was killed: it may have stored a page of which the state knows nothing.
                PageDigests::forget(states, entity.name).await?;
            }
            is_stuck = checkpoint.stalls >= STALLS_MAX;
            checkpoint.searches |= is_stuck;
            let resumed_from_page = checkpoint.page + 1;
            (checkpoint, Some(resumed_from_page))
        }
        None => match next_request(job, lane, state, now) {
            Some(request) => (new_checkpoint(job, entity, state, request, now), None),
            None => return Ok(Claim::Nothing),
        },
    };
    // A run that is resumed has lost the digests of the pages that it has passed over.
    let page_digests = if lane == Lane::Incremental && resumed_from_page.is_none() {
        let background = background_pages(states, entity).await?;
        let digests = PageDigests::load(states, entity.name, background).await?;
        checkpoint.may_pass_over = digests.is_of(state.last_run.as_ref(), &query_sha256(entity));
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
        Ok(()) => Ok(Claim::Run(Box::new(ClaimedRun {
            lane: object,
            checkpoint,
            resumed_from_page,
            is_stuck,
            page_digests,
        }))),
        Err(StateError::Conflict { .. }) => Ok(Claim::Busy),
        Err(error) => Err(error),
    }
}

/// Returns the request of a new run: a tick's own request in the incremental lane, or the request that has waited
/// longest.
fn next_request(job: &Job, lane: Lane, state: &mut LaneState, now: DateTime<Utc>) -> Option<QueuedRequest> {
    if lane == Lane::Incremental {
        let mode = Mode::Incremental { lookback_days: None };
        return Some(QueuedRequest {
            request_id: job.request_id.clone(),
            mode,
            attempt: 1,
            not_before: None,
        });
    }
    state.dequeue(now)
}

/// Returns a text that names the pages which unfinished runs of the other lanes have stored: it is another one as soon
/// as one of them has stored a page. A run that has ended has deleted the digests itself.
async fn background_pages(states: &ObjectStore, entity: &'static Entity) -> Result<String, StateError> {
    let mut pages_of_runs = Vec::new();
    for lane in Lane::BACKGROUND {
        let key = object_key::state(entity.name, lane);
        let object: Object<LaneState> = states.load(&key).await?;
        pages_of_runs.extend(object.value.unfinished_pages().map(|(run, pages)| format!("{run}:{pages}")));
    }
    Ok(pages_of_runs.join(" "))
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
    let checkpoint = Checkpoint::new(RunId::new(now, rand::rng().random()), request, now);
    Checkpoint {
        window,
        next: if is_lookup { NextPosition::Ids(0) } else { NextPosition::Page(None) },
        searches: state.searches,
        ..checkpoint
    }
}
