//! What an invocation does for one entity: the run that was asked for, and those that wait.
//!
//! Runs of one lane follow each other under a lease; lanes go on side by side. A request that no tick
//! repeats is written down first, so that neither a busy lane nor a crash loses it.

use chrono::Utc;
use futures::future::join_all;
use model::entity::{Absence, Entity, Source};
use model::window::Window;
use protocol::object_key::{self, RunId};
use protocol::request::Mode;
use rand::RngExt;
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::known_pages::KnownPages;
use crate::raw_sink::RawSink;
use crate::report::Report;
use crate::run::Run;
use crate::state::{Ask, Checkpoint, LaneState, Lease, Next};
use gazelle_client::Gazelle;
use object_store::{Object, ObjectStore, StateError};

/// A run that came no page further in so many invocations is given up: its cursor may be worth nothing.
const STALLS_MAX: u32 = 5;
/// A run that was given up, or whose source moved under it, is tried so often in all.
pub const ATTEMPTS_MAX: u32 = 3;
/// Those who write one lane's state at the same time try again this often: each time, one has won.
const RACES_MAX: u32 = 60;

/// What is to be done for one entity.
#[derive(Debug, Clone)]
pub struct Job {
    /// The entity.
    pub entity: &'static Entity,
    /// How far the run reaches.
    pub mode: Mode,
    /// The request: one that comes twice is served once.
    pub request_id: String,
    /// How far an incremental run reaches behind its watermark, where the request does not say.
    pub lookback_days: u32,
    /// How often a run is tried whose source moved under it.
    pub attempts_max: u32,
    /// This invocation, and no other.
    pub holder: String,
    /// No page is begun after this.
    pub deadline: Instant,
}

/// What a run works with.
#[derive(Debug)]
pub struct Parts<'a, S> {
    /// The source.
    pub api: &'a Gazelle,
    /// Where pages and manifests go.
    pub sink: &'a S,
    /// What invocations share.
    pub states: &'a ObjectStore,
}

impl<S> Clone for Parts<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for Parts<'_, S> {}

/// Called after each page, for whoever shows progress.
pub type OnPage<'a> = &'a (dyn Fn(&Checkpoint) + Sync);

/// The lane of the frequent runs.
pub(crate) const FREQUENT: &str = "incremental";

/// Serves a job. What happens to a run is in its report.
///
/// # Errors
/// The request could not be written down: it would be lost.
pub async fn fetch<S: RawSink>(
    parts: Parts<'_, S>,
    job: &Job,
    on_page: OnPage<'_>,
) -> Result<Vec<Report>, StateError> {
    let lane = job.mode.lane();
    if lane != FREQUENT {
        write_down(parts.states, job).await?;
        let mut reports = Box::pin(serve(parts, job, job.entity, lane, on_page)).await;
        reports.extend(Box::pin(follow_up(parts, job, on_page)).await);
        return Ok(reports);
    }
    // Every tick also takes up what an earlier invocation has left in other lanes.
    let nested = job.entity.children().map(|(child, _)| child);
    let mut lanes: Vec<(&'static Entity, &'static str)> = vec![(job.entity, FREQUENT)];
    lanes.extend(Mode::BACKGROUND_LANES.map(|lane| (job.entity, lane)));
    lanes
        .extend(nested.filter(|child| child.absence != Absence::MeansNothing).map(|child| (child, "verify")));
    let served = lanes.into_iter().map(|(entity, lane)| serve(parts, job, entity, lane, on_page));
    let mut reports: Vec<Report> = join_all(served).await.into_iter().flatten().collect();
    reports.extend(Box::pin(follow_up(parts, job, on_page)).await);
    Ok(reports)
}

/// Asks at once for what the runs have just found to be cut short.
async fn follow_up<S: RawSink>(parts: Parts<'_, S>, job: &Job, on_page: OnPage<'_>) -> Vec<Report> {
    let may_be_cut_short = job.entity.is_asked_for_by_id() && !job.entity.parts.is_empty();
    if may_be_cut_short && Instant::now() < job.deadline {
        return serve(parts, job, job.entity, "verify", on_page).await;
    }
    Vec::new()
}

/// Writes a request down among those that wait.
pub(crate) async fn write_down(states: &ObjectStore, job: &Job) -> Result<(), StateError> {
    let key = object_key::state(job.entity.name, job.mode.lane());
    let mut lost = 0;
    loop {
        let mut lane: Object<LaneState> = states.load(&key).await?;
        let ask = Ask { request_id: job.request_id.clone(), mode: job.mode.clone(), attempt: 1 };
        match lane.value.ask(ask) {
            Some(true) => {}
            Some(false) => return Ok(()),
            None => {
                let reason = "too many requests wait there already".to_owned();
                return Err(StateError::Unreachable { key, reason });
            }
        }
        match states.save(&mut lane).await {
            Err(StateError::Taken { .. }) if lost < RACES_MAX => {
                lost += 1;
                sleep(object_store::jitter(5..50)).await;
            }
            done => return done,
        }
    }
}

/// Runs what waits in a lane, one after the other, until nothing does or time is up.
async fn serve<S: RawSink>(
    parts: Parts<'_, S>,
    job: &Job,
    entity: &'static Entity,
    lane: &'static str,
    on_page: OnPage<'_>,
) -> Vec<Report> {
    let mut reports = Vec::new();
    loop {
        let begun = match begin(parts.states, job, entity, lane, reports.is_empty()).await {
            Ok(Begun::Nothing) => break,
            Ok(Begun::Busy) => {
                // A tick asks what the next one asks again; anything else is written down.
                let status = if lane == FREQUENT { "busy" } else { "queued" };
                let is_told = lane == FREQUENT || lane == job.mode.lane();
                if is_told && reports.is_empty() {
                    let why = "another invocation is at it".to_owned();
                    reports.push(Report::refused(job, entity, lane, status, why));
                }
                break;
            }
            Ok(Begun::Run(begun)) => begun,
            Err(error) => {
                reports.push(Report::refused(job, entity, lane, "failed", error.to_string()));
                break;
            }
        };
        let report = Run::new(parts, job, entity, *begun).work(on_page).await;
        let is_over = matches!(report.status, "success" | "partial");
        reports.push(report);
        if !is_over || Instant::now() >= job.deadline {
            break;
        }
    }
    reports
}

/// A run that this invocation holds.
#[derive(Debug)]
pub(crate) struct BegunRun {
    pub(crate) lane: Object<LaneState>,
    pub(crate) checkpoint: Checkpoint,
    /// The page at which this invocation took over.
    pub(crate) resumed_from_page: Option<u32>,
    /// What earlier runs know of the pages; none where the run keeps no such list.
    pub(crate) known: Option<KnownPages>,
}

enum Begun {
    /// Nothing waits.
    Nothing,
    /// Another invocation is at it.
    Busy,
    Run(Box<BegunRun>),
}

/// Takes the lane's lease, with the unfinished run or the one that waits longest. `may_tick`: a frequent
/// run begins by itself, once per invocation.
async fn begin(
    states: &ObjectStore,
    job: &Job,
    entity: &'static Entity,
    lane: &'static str,
    may_tick: bool,
) -> Result<Begun, StateError> {
    let mut object: Object<LaneState> = states.load(&object_key::state(entity.name, lane)).await?;
    let now = Utc::now();
    let state = &mut object.value;
    let is_frequent = lane == FREQUENT;
    let begins_by_itself = is_frequent && may_tick;
    if !(state.has_work() || begins_by_itself) {
        return Ok(Begun::Nothing);
    }
    if state.is_held_against(&job.holder, now) {
        return Ok(Begun::Busy);
    }
    let unfinished = state.checkpoint.take();
    let resumed_from_page = unfinished.as_ref().map(|checkpoint| checkpoint.page + 1);
    let (mut checkpoint, resumed_from_page) = match unfinished {
        Some(checkpoint) if checkpoint.stalls < STALLS_MAX => (checkpoint, resumed_from_page),
        given_up => {
            if given_up.is_some() && !is_frequent {
                KnownPages::forget(states, entity.name).await?;
            }
            let again = given_up
                .map(|checkpoint| checkpoint.ask)
                .filter(|ask| !is_frequent && ask.attempt < job.attempts_max);
            if let Some(ask) = &again {
                warn!(entity = entity.name, "The {} run of {} begins anew", ask.mode.name(), entity.name);
            }
            let tick = || is_frequent.then(|| tick(job));
            let ask = again.map(|ask| Ask { attempt: ask.attempt + 1, ..ask }).or_else(tick);
            let Some(ask) = ask.or_else(|| state.take_ask()) else {
                // A run was given up for good and nothing else waits: it only has to be forgotten.
                states.save(&mut object).await?;
                return Ok(Begun::Nothing);
            };
            (new_checkpoint(job, entity, state, ask), None)
        }
    };
    let known = if is_frequent && resumed_from_page.is_none() {
        let known = KnownPages::load(states, entity.name).await?;
        let query_sha256 = crate::query_sha256(entity);
        checkpoint.may_pass_over = known.is_of(state.last_run.as_ref(), &query_sha256)
            && !is_another_lane_at_work(states, entity).await?;
        Some(known)
    } else {
        // Which pages were passed over before is not known any more.
        checkpoint.may_pass_over = false;
        None
    };
    checkpoint.stalls += 1;
    state.last_run = Some(checkpoint.run_id.clone());
    state.checkpoint = Some(checkpoint.clone());
    state.lease = Some(Lease { holder: job.holder.clone(), expires_at: now + crate::state::LEASE });
    match states.save(&mut object).await {
        Ok(()) => Ok(Begun::Run(Box::new(BegunRun { lane: object, checkpoint, resumed_from_page, known }))),
        Err(StateError::Taken { .. }) => Ok(Begun::Busy),
        Err(error) => Err(error),
    }
}

fn tick(job: &Job) -> Ask {
    Ask { request_id: job.request_id.clone(), mode: Mode::Incremental { lookback_days: None }, attempt: 1 }
}

async fn is_another_lane_at_work(states: &ObjectStore, entity: &'static Entity) -> Result<bool, StateError> {
    for lane in Mode::BACKGROUND_LANES {
        let object: Object<LaneState> = states.load(&object_key::state(entity.name, lane)).await?;
        if object.value.has_work() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn new_checkpoint(job: &Job, entity: &'static Entity, state: &LaneState, ask: Ask) -> Checkpoint {
    let now = Utc::now();
    let filter = entity.time_filter();
    let window = match &ask.mode {
        Mode::Full | Mode::Verify { .. } => None,
        Mode::Repair(window) => Some(*window),
        // Days before now: the watermark is minutes old.
        Mode::Incremental { lookback_days: Some(days) } => filter.and_then(|_| Window::since(now, *days)),
        // The first one fetches everything.
        Mode::Incremental { lookback_days: None } => filter
            .zip(state.watermark)
            .and_then(|(filter, watermark)| filter.frequent_window(now, watermark, job.lookback_days)),
    };
    // A nested entity has no pages of its own: it is asked for by id alone.
    let is_by_id = matches!(ask.mode, Mode::Verify { .. }) || matches!(entity.source, Source::Nested { .. });
    Checkpoint {
        run_id: RunId::new(now, rand::rng().random()),
        ask,
        window,
        started_at: now,
        next: if is_by_id { Next::Ids(0) } else { Next::Page(None) },
        page: 0,
        pages: 0,
        records: 0,
        pages_passed: 0,
        records_passed: 0,
        total_count_first: None,
        total_count: None,
        source_errors: None,
        cut_short: Vec::new(),
        manifest_revision: 0,
        stalls: 0,
        may_pass_over: false,
    }
}
