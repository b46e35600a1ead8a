//! Snapshot of the pipeline at one moment, and the conditions in it that are wrong. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use db::queries::MonitorSnapshot;
use protocol::action::ActionKind;
use protocol::alert::{AlertClass, shortened};
use protocol::health::{EntityFacts, is_stale};
use protocol::manifest::RunStatus;

use crate::alert::Alert;
use i18n::alert as texts;

/// Time without another failure after which a function counts as recovered.
const CALM_FUNCTION: TimeDelta = TimeDelta::minutes(10);
/// Time without a complaint of another function after which the database counts as recovered.
const CALM_DATABASE: TimeDelta = TimeDelta::seconds(30);
/// Scheduler starts a task up to a minute after its time.
const SCHEDULE_SLACK: TimeDelta = TimeDelta::seconds(60);

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
    /// Time of the last write of the fetcher's state.
    pub fetched_at: Option<DateTime<Utc>>,
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
        let due = TimeDelta::seconds(i64::from(thresholds.interval_seconds)) + SCHEDULE_SLACK;
        if let Some(at) = self.fetched_at
            && thresholds.is_scheduled
            && self.at - at > due
        {
            let minutes = (self.at - at).num_minutes();
            let detail = texts::no_fetch_since(minutes);
            found.push(Condition::state(AlertClass::ScheduleSilent, "", &detail));
        }
        found
    }

    fn of_runs(&self, watch: &MonitorSnapshot, thresholds: &Thresholds) -> Vec<Condition> {
        let mut found = Vec::new();
        for facts in &watch.entities {
            if is_stale(facts, self.at, thresholds.interval_seconds) {
                found.push(Condition::state(AlertClass::EntityStale, &facts.entity, &age(facts, self.at)));
            }
        }
        for run in &watch.last_runs {
            if run.status == RunStatus::Failed {
                let detail = run.error.as_deref().unwrap_or(texts::NO_KNOWN_REASON);
                let failed = Condition::state(AlertClass::SyncFailed, &run.entity, detail);
                found.push(Condition { is_event: true, newest: Some(run.completed_at), ..failed });
            }
            if let Some(rate) = run.error_rate.filter(|rate| *rate > thresholds.error_rate_max) {
                let detail = texts::error_rate(rate);
                found.push(Condition::state(AlertClass::ErrorRate, &run.entity, &detail));
            }
        }
        found
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
            (AlertClass::ScheduleSilent, _) => self.fetched_at.is_some() && !holds,
            // Resolved when the channel accepts a message again.
            (AlertClass::Channel, _) | (_, None) => false,
            (AlertClass::SyncFailed | AlertClass::Credentials | AlertClass::SchemaChanged, Some(watch)) => {
                !holds && has_succeeded_since(watch, alert)
            }
            (_, Some(_)) => !holds,
        }
    }
}

fn has_succeeded_since(watch: &MonitorSnapshot, alert: &Alert) -> bool {
    let facts = watch.entities.iter().find(|facts| facts.entity == alert.subject);
    facts.and_then(|facts| facts.last_success).is_some_and(|success| success > alert.last)
}

fn of_actions(watch: &MonitorSnapshot) -> impl Iterator<Item = Condition> {
    watch.actions.iter().filter_map(|actions| {
        let class = ActionKind::parse(&actions.kind).and_then(AlertClass::of_action)?;
        let more = if actions.open > i64::try_from(actions.subjects.len()).ok()? { "…" } else { "" };
        let detail = format!("{} : {}{more}", actions.open, actions.subjects.join(", "));
        let condition = Condition::state(class, &actions.entity, &detail);
        Some(Condition { newest: Some(actions.newest), size: actions.open, ..condition })
    })
}

fn age(facts: &EntityFacts, now: DateTime<Utc>) -> String {
    texts::stale(facts.last_success.map(|last| (now - last).num_minutes()), facts.pending)
}
