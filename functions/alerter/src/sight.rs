//! What a look at the pipeline shows, and what of it is wrong. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use db::queries::Watch;
use protocol::alert::{Class, shortened};
use protocol::health::{EntityReport, is_stale};

use crate::book::Alert;

/// A function that failed and does not fail again for so long has recovered.
const CALM_FUNCTION: TimeDelta = TimeDelta::minutes(10);
/// A database that answers us while functions still complain is not over it.
const CALM_DATABASE: TimeDelta = TimeDelta::seconds(30);
/// Scheduler begins within a minute of the time.
const SCHEDULE_SLACK: TimeDelta = TimeDelta::seconds(60);

/// What the sight is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Judging {
    /// Seconds between two incremental runs.
    pub interval_seconds: u32,
    /// Percent of failed records that is tolerated within an hour.
    pub error_rate_max: f64,
    /// Whether fetches are due at all.
    pub is_scheduled: bool,
}

/// What a look showed; none where one could not look.
#[derive(Debug, Clone, Default)]
pub struct Sight {
    /// When.
    pub at: DateTime<Utc>,
    /// The mirror.
    pub database: Option<Watch>,
    /// Why the database gave no answer, if it gave none.
    pub database_trouble: Option<String>,
    /// Messages set aside, by queue.
    pub dead_letters: Option<Vec<(&'static str, u64)>>,
    /// When the fetcher last wrote its state.
    pub fetched_at: Option<DateTime<Utc>>,
}

/// Something that is wrong now.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// What.
    pub class: Class,
    /// Of which entity or queue.
    pub subject: String,
    /// What is known.
    pub detail: String,
    /// The newest case.
    pub newest: Option<DateTime<Utc>>,
    /// How many cases.
    pub size: i64,
    /// Whether it is something that happened, and not a state that lasts.
    pub is_event: bool,
}

impl Condition {
    pub(crate) fn state(class: Class, subject: &str, detail: &str) -> Self {
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

impl Sight {
    /// What is wrong.
    #[must_use]
    pub fn conditions(&self, judging: &Judging) -> Vec<Condition> {
        let mut found = Vec::new();
        if let Some(watch) = &self.database {
            found.extend(self.of_runs(watch, judging));
            found.extend(of_actions(watch));
        } else if let Some(trouble) = &self.database_trouble {
            found.push(Condition::state(Class::DatabaseUnreachable, "", trouble));
        }
        for (queue, depth) in self.dead_letters.iter().flatten().filter(|(_, depth)| *depth > 0) {
            let mut condition =
                Condition::state(Class::DeadLetters, queue, &format!("{depth} message(s) mis de côté"));
            condition.size = i64::try_from(*depth).unwrap_or(i64::MAX);
            found.push(condition);
        }
        let due = TimeDelta::seconds(i64::from(judging.interval_seconds)) + SCHEDULE_SLACK;
        if let Some(at) = self.fetched_at
            && judging.is_scheduled
            && self.at - at > due
        {
            let minutes = (self.at - at).num_minutes();
            let detail = format!("Aucune récupération depuis {minutes} min.");
            found.push(Condition::state(Class::ScheduleSilent, "", &detail));
        }
        found
    }

    fn of_runs(&self, watch: &Watch, judging: &Judging) -> Vec<Condition> {
        let mut found = Vec::new();
        for facts in &watch.entities {
            if is_stale(facts, self.at, judging.interval_seconds) {
                found.push(Condition::state(Class::EntityStale, &facts.entity, &age(facts, self.at)));
            }
        }
        for run in &watch.last_runs {
            if run.status == "failed" {
                let detail = run.error.as_deref().unwrap_or("sans raison connue");
                let failed = Condition::state(Class::SyncFailed, &run.entity, detail);
                found.push(Condition { is_event: true, newest: Some(run.completed_at), ..failed });
            }
            if let Some(rate) = run.error_rate.filter(|rate| *rate > judging.error_rate_max) {
                let detail = format!("{rate:.1} % des enregistrements de la dernière heure");
                found.push(Condition::state(Class::ErrorRate, &run.entity, &detail));
            }
        }
        found
    }

    /// Whether an open alert is over: by what proves it, not by a silence, where there can be a proof.
    #[must_use]
    pub fn is_over(&self, alert: &Alert, conditions: &[Condition]) -> bool {
        let holds = conditions
            .iter()
            .any(|condition| condition.class == alert.class && condition.subject == alert.subject);
        let calm = self.at - alert.last;
        match (alert.class, &self.database) {
            (Class::DatabaseUnreachable, database) => database.is_some() && calm >= CALM_DATABASE,
            (Class::FunctionFailed, _) => calm >= CALM_FUNCTION,
            (Class::DeadLetters, _) => self.dead_letters.is_some() && !holds,
            (Class::ScheduleSilent, _) => self.fetched_at.is_some() && !holds,
            // Closed when the channel takes something again.
            (Class::Channel, _) | (_, None) => false,
            (Class::SyncFailed | Class::Credentials | Class::SchemaChanged, Some(watch)) => {
                !holds && has_succeeded_since(watch, alert)
            }
            (_, Some(_)) => !holds,
        }
    }
}

fn has_succeeded_since(watch: &Watch, alert: &Alert) -> bool {
    let facts = watch.entities.iter().find(|facts| facts.entity == alert.subject);
    facts.and_then(|facts| facts.last_success).is_some_and(|success| success > alert.last)
}

fn of_actions(watch: &Watch) -> impl Iterator<Item = Condition> {
    watch.actions.iter().filter_map(|actions| {
        let class = Class::of_action(&actions.kind)?;
        let more = if actions.open > i64::try_from(actions.subjects.len()).ok()? { "…" } else { "" };
        let detail = format!("{} : {}{more}", actions.open, actions.subjects.join(", "));
        let condition = Condition::state(class, &actions.entity, &detail);
        Some(Condition { newest: Some(actions.newest), size: actions.open, ..condition })
    })
}

fn age(facts: &EntityReport, now: DateTime<Utc>) -> String {
    match facts.last_success {
        Some(last) => {
            let minutes = (now - last).num_minutes();
            format!(
                "Dernière réussite il y a {minutes} min ; {} enregistrement(s) en attente.",
                facts.pending
            )
        }
        None => format!("Aucune réussite encore ; {} enregistrement(s) en attente.", facts.pending),
    }
}
