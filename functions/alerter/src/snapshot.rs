//! Snapshot of the pipeline at one moment, and the conditions in it that are wrong. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use db::queries::{LaneFacts, MonitorSnapshot};
use protocol::action::ActionKind;
use protocol::alert::{AlertClass, lane_subject, parse_lane_subject, shortened};
use protocol::health::{EntityFacts, SWEEP_AGE_MAX, UNPROVEN_SWEEPS_MAX, is_stale, is_sweep_overdue};
use protocol::lane::Lane;
use protocol::manifest::RunStatus;

use crate::alert::Alert;
use crate::memory::Memory;
use i18n::alert as texts;

/// Time without another failure after which a function counts as recovered.
const CALM_FUNCTION: TimeDelta = TimeDelta::minutes(10);
/// Time without a complaint of another function after which the database counts as recovered.
const CALM_DATABASE: TimeDelta = TimeDelta::seconds(30);
/// Scheduler starts a task up to a minute after its time.
const SCHEDULE_SLACK: TimeDelta = TimeDelta::seconds(60);
/// Time after which a lane whose runs end partial is told: a source that changes during a listing is listed again at once.
const PARTIAL_TOLERATED: TimeDelta = TimeDelta::hours(1);
/// Time that the first run of an entity may take from the first observation on.
const FIRST_RUN_MAX: TimeDelta = TimeDelta::hours(1);

/// Thresholds at which a snapshot shows a condition.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// Interval of incremental runs, in seconds.
    pub interval_seconds: u32,
    /// Failed records tolerated within an hour, in percent.
    pub error_rate_max: f64,
    /// Schedules are enabled, so that fetches are due.
    pub is_scheduled: bool,
}

/// Observation of the pipeline; a part is none where it could not be observed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Time of the observation.
    pub at: DateTime<Utc>,
    /// Facts from the database.
    pub database: Option<MonitorSnapshot>,
    /// Reason for which the database gave no answer.
    pub database_error: Option<String>,
    /// Number of dead letters, by queue.
    pub dead_letters: Option<Vec<(&'static str, u64)>>,
    /// Last sign of the schedule; none where the bucket gave no answer.
    pub schedule: Option<ScheduleSign>,
    /// Memory of former observations.
    pub memory: Memory,
}

/// Sign that the fetcher's schedule fires: the state that only its incremental runs write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleSign {
    /// No incremental run has ever begun.
    Never,
    /// Time at which an incremental run last wrote its state.
    FetchedAt(DateTime<Utc>),
}

/// State or event that is wrong in a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Class of the alert that it raises.
    pub class: AlertClass,
    /// Entity or queue concerned.
    pub subject: String,
    /// Detail, in French.
    pub detail: String,
    /// Time of the newest case.
    pub newest: Option<DateTime<Utc>>,
    /// Number of cases.
    pub size: i64,
    /// An event that happened once, not a state that lasts.
    pub is_event: bool,
}

impl Condition {
    pub(crate) fn state(class: AlertClass, subject: &str, detail: &str) -> Self {
        Self {
            class,
            subject: subject.to_owned(),
            detail: shortened(detail),
            newest: None,
            size: 0,
            is_event: false,
        }
    }
}

impl Snapshot {
    /// Returns the conditions that hold.
    #[must_use]
    pub fn conditions(&self, thresholds: &Thresholds) -> Vec<Condition> {
        let mut found = Vec::new();
        if let Some(watch) = &self.database {
            found.extend(self.of_runs(watch, thresholds));
            found.extend(of_actions(watch));
        } else if let Some(reason) = &self.database_error {
            found.push(Condition::state(AlertClass::DatabaseUnreachable, "", reason));
        }
        for (queue, depth) in self.dead_letters.iter().flatten().filter(|(_, depth)| *depth > 0) {
            let mut condition =
                Condition::state(AlertClass::DeadLetters, queue, &texts::dead_letters(*depth));
            condition.size = i64::try_from(*depth).unwrap_or(i64::MAX);
            found.push(condition);
        }
        found.extend(self.silent_schedule(thresholds));
        found
    }

    /// Returns the condition of a schedule that does not fire. One that never has is due from the first observation on.
    fn silent_schedule(&self, thresholds: &Thresholds) -> Option<Condition> {
        let due = TimeDelta::seconds(i64::from(thresholds.interval_seconds)) + SCHEDULE_SLACK;
        let since = match self.schedule? {
            ScheduleSign::FetchedAt(at) => at,
            ScheduleSign::Never => self.memory.watched_since?,
        };
        let minutes = (self.at - since).num_minutes();
        let detail = match self.schedule? {
            ScheduleSign::FetchedAt(_) => texts::no_fetch_since(minutes),
            ScheduleSign::Never => texts::never_fetched(minutes),
        };
        let is_silent = thresholds.is_scheduled && self.at - since > due;
        is_silent.then(|| Condition::state(AlertClass::ScheduleSilent, "", &detail))
    }

    fn of_runs(&self, watch: &MonitorSnapshot, thresholds: &Thresholds) -> Vec<Condition> {
        let mut found = Vec::new();
        for facts in &watch.entities {
            if self.is_late(facts, thresholds) {
                found.push(Condition::state(AlertClass::EntityStale, &facts.entity, &age(facts, self.at)));
            }
            if thresholds.is_scheduled && is_sweep_overdue(facts, self.at, self.memory.watched_since) {
                let days = facts.last_sweep.map(|sweep| (self.at - sweep).num_days());
                let detail = texts::sweep_overdue(days, SWEEP_AGE_MAX.num_days());
                found.push(Condition::state(AlertClass::SweepOverdue, &facts.entity, &detail));
            }
        }
        // A run of long ago is no news of a new version.
        for lane in watch.lanes.iter().filter(|lane| self.at - lane.ended_at <= SWEEP_AGE_MAX) {
            found.extend(failed_lane(lane));
            found.extend(self.partial_lane(lane));
        }
        for rate in watch.error_rates.iter().filter(|rate| rate.percent > thresholds.error_rate_max) {
            let detail = texts::error_rate(rate.percent);
            found.push(Condition::state(AlertClass::ErrorRate, &rate.entity, &detail));
        }
        if let Some(days) = self.memory.days_lost(watch, self.at) {
            let detail = texts::database_restored(days);
            found.push(Condition::state(AlertClass::DatabaseRestored, "", &detail));
        }
        found
    }

    /// Returns whether readers of an entity see outdated data, or none although its first run was due long ago.
    fn is_late(&self, facts: &EntityFacts, thresholds: &Thresholds) -> bool {
        let unsynced = self.memory.unsynced_since.get(&facts.entity);
        let is_missing = facts.last_status.is_none()
            && facts.last_progress.is_none()
            && unsynced.is_some_and(|since| self.at - *since > FIRST_RUN_MAX);
        thresholds.is_scheduled && is_missing || is_stale(facts, self.at, thresholds.interval_seconds)
    }

    /// Returns the condition of a lane whose runs end partial again and again: what they leave unproven stays so.
    fn partial_lane(&self, lane: &LaneFacts) -> Option<Condition> {
        let is_repeated = lane.lane == Lane::Full && lane.partial_runs >= UNPROVEN_SWEEPS_MAX;
        let is_long = lane.partial_since.is_some_and(|since| self.at - since >= PARTIAL_TOLERATED);
        if lane.partial_runs == 0 || !(is_repeated || is_long) {
            return None;
        }
        let reason = lane.error.as_deref().unwrap_or(texts::NO_KNOWN_REASON);
        let detail = texts::partial_runs(lane.partial_runs, reason);
        Some(Condition::state(AlertClass::RunPartial, &lane_subject(&lane.entity, lane.lane), &detail))
    }

    /// Returns whether the snapshot proves that an open alert is over. Silence is no proof where a proof can exist.
    #[must_use]
    pub fn is_over(&self, alert: &Alert, conditions: &[Condition]) -> bool {
        let holds = conditions
            .iter()
            .any(|condition| condition.class == alert.class && condition.subject == alert.subject);
        let calm = self.at - alert.last;
        match (alert.class, &self.database) {
            (AlertClass::DatabaseUnreachable, database) => database.is_some() && calm >= CALM_DATABASE,
            (AlertClass::FunctionFailed, _) => calm >= CALM_FUNCTION,
            (AlertClass::DeadLetters, _) => self.dead_letters.is_some() && !holds,
            (AlertClass::ScheduleSilent, _) => {
                matches!(self.schedule, Some(ScheduleSign::FetchedAt(_))) && !holds
            }
            // Resolved when the channel accepts a message again.
            (AlertClass::Channel, _) | (_, None) => false,
            (AlertClass::RunPartial, Some(watch)) => !holds && !is_still_partial(watch, alert),
            (AlertClass::SyncFailed | AlertClass::Credentials | AlertClass::SchemaChanged, Some(watch)) => {
                !holds && has_succeeded_since(watch, alert)
            }
            (_, Some(_)) => !holds,
        }
    }
}

/// Returns the condition of a lane whose last run failed.
fn failed_lane(lane: &LaneFacts) -> Option<Condition> {
    if lane.status != RunStatus::Failed {
        return None;
    }
    let detail = lane.error.as_deref().unwrap_or(texts::NO_KNOWN_REASON);
    let failed = Condition::state(AlertClass::SyncFailed, &lane_subject(&lane.entity, lane.lane), detail);
    Some(Condition { is_event: true, newest: Some(lane.ended_at), ..failed })
}

/// Returns whether a run of the alert's lane has succeeded since. Any run of the entity proves the credentials, but a
/// success of the frequent lane says nothing of a full run that failed.
fn has_succeeded_since(watch: &MonitorSnapshot, alert: &Alert) -> bool {
    let (entity, lane) = parse_lane_subject(&alert.subject);
    watch.lanes.iter().any(|facts| {
        facts.entity == entity
            && (facts.lane == lane || alert.class == AlertClass::Credentials)
            && facts.last_success.is_some_and(|success| success > alert.last)
    })
}

/// Returns whether no run of the alert's lane has succeeded since its runs end partial.
fn is_still_partial(watch: &MonitorSnapshot, alert: &Alert) -> bool {
    let (entity, lane) = parse_lane_subject(&alert.subject);
    watch.lanes.iter().any(|facts| facts.entity == entity && facts.lane == lane && facts.partial_runs > 0)
}

fn of_actions(watch: &MonitorSnapshot) -> impl Iterator<Item = Condition> {
    watch.actions.iter().filter_map(|actions| {
        let class = ActionKind::parse(&actions.kind).and_then(AlertClass::of_action)?;
        let more = if actions.open > i64::try_from(actions.subjects.len()).ok()? { "…" } else { "" };
        let detail = format!("{} : {}{more}", actions.open, actions.subjects.join(", "));
        // The subject of a refused query names its lane.
        let refused = actions.subjects.first().filter(|_| class == AlertClass::SchemaChanged);
        let condition = Condition::state(class, refused.unwrap_or(&actions.entity), &detail);
        Some(Condition { newest: Some(actions.newest), size: actions.open, ..condition })
    })
}

fn age(facts: &EntityFacts, now: DateTime<Utc>) -> String {
    let minutes = |since: DateTime<Utc>| (now - since).num_minutes();
    texts::stale(
        facts.last_fetch.map(minutes),
        facts.pending,
        facts.oldest_pending_seconds.map(|seconds| seconds / 60),
    )
}
