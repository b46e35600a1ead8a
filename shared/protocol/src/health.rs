//! Assessment of the health of entities: one for the API, the dashboard, the metrics and the alerts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::manifest::RunStatus;

/// Lowest freshness of a healthy entity, in percent; stated in the strategy.
const FRESHNESS_HEALTHY: f64 = 98.0;
/// Freshness below which the mirror misleads its readers, in percent.
const FRESHNESS_UNHEALTHY: f64 = 90.0;
/// Failures in a row from which an entity is unhealthy: one may be the network's, three are not.
const FAILURES_UNHEALTHY: i64 = 3;

/// Facts from which the health of one entity is assessed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityFacts {
    /// Name of the entity.
    pub entity: String,
    /// Instant at which the last successful run ended.
    pub last_success: Option<DateTime<Utc>>,
    /// Instant at which a page was last staged: a long run is progress, too.
    pub last_progress: Option<DateTime<Utc>>,
    /// Status of the last run that ended; none before the first one.
    pub last_status: Option<RunStatus>,
    /// Number of failed runs since the last success.
    pub failures_in_a_row: i64,
    /// Number of records that wait in staging.
    pub pending: i64,
    /// Age of the oldest waiting record, in seconds; none where none waits.
    pub oldest_pending_seconds: Option<i64>,
    /// Number of records fetched in the last 24 hours.
    pub recent: i64,
    /// Number of those that were promoted within an hour, or have waited for less.
    pub on_time: i64,
}

/// Health of one entity, in the shape of `GET /api/v6/health`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityHealth {
    /// Instant at which the last successful run ended.
    pub last_sync: Option<DateTime<Utc>>,
    /// Percentage of the records of the last 24 hours that were on time; lower while runs are overdue.
    pub freshness: f64,
    /// Assessment of the entity.
    pub status: HealthStatus,
    /// Number of records that wait in staging.
    pub records_pending: i64,
}

/// Health status, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthStatus {
    /// Data is fresh and runs succeed.
    Healthy,
    /// No run has ended yet.
    Unknown,
    /// A run failed or data is late, and readers still see fresh data.
    Degraded,
    /// Readers see outdated data: a person must act.
    Unhealthy,
}

impl HealthStatus {
    /// Returns the text in the API and on the dashboard.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unknown => "unknown",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// Health of every entity, by name.
pub type EntityHealths = BTreeMap<String, EntityHealth>;

/// Assesses the health of every entity; `interval_seconds` is the interval of the schedule.
#[must_use]
pub fn assess(facts: &[EntityFacts], now: DateTime<Utc>, interval_seconds: u32) -> EntityHealths {
    facts.iter().map(|facts| (facts.entity.clone(), assess_entity(facts, now, interval_seconds))).collect()
}

/// Reports whether the data of an entity is so old that it misleads readers.
#[must_use]
pub fn is_stale(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> bool {
    facts.last_status.is_some() && freshness(facts, now, interval_seconds) < FRESHNESS_UNHEALTHY
}

/// Returns the worst status; unknown where there is no entity.
#[must_use]
pub fn worst(health: &EntityHealths) -> HealthStatus {
    health.values().map(|entity| entity.status).max().unwrap_or(HealthStatus::Unknown)
}

fn assess_entity(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> EntityHealth {
    let freshness = freshness(facts, now, interval_seconds);
    EntityHealth {
        last_sync: facts.last_success,
        freshness: (freshness * 10.0).round() / 10.0,
        status: assess_status(facts, freshness),
        records_pending: facts.pending,
    }
}

/// Returns 100 × on time ÷ all, multiplied by 2 × interval ÷ age once the last success, or the last page of a run
/// that goes on, is older than two intervals.
fn freshness(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> f64 {
    let share =
        if facts.recent == 0 { 100.0 } else { 100.0 * to_float(facts.on_time) / to_float(facts.recent) };
    let Some(last) = facts.last_success.max(facts.last_progress) else { return share };
    let (age, tolerated) = (to_float((now - last).num_seconds()), 2.0 * f64::from(interval_seconds));
    if age > tolerated { share * tolerated / age } else { share }
}

fn assess_status(facts: &EntityFacts, freshness: f64) -> HealthStatus {
    let Some(last) = facts.last_status else { return HealthStatus::Unknown };
    if facts.last_success.is_none() && last == RunStatus::Failed
        || facts.failures_in_a_row >= FAILURES_UNHEALTHY
        || freshness < FRESHNESS_UNHEALTHY
    {
        HealthStatus::Unhealthy
    } else if last != RunStatus::Success || freshness < FRESHNESS_HEALTHY {
        HealthStatus::Degraded
    } else {
        HealthStatus::Healthy
    }
}

/// Converts a count or an age to a float.
#[expect(clippy::cast_precision_loss, reason = "counts and ages in seconds are far below 2^52")]
fn to_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn facts() -> EntityFacts {
        EntityFacts {
            entity: "timeline".to_owned(),
            last_success: Some(now() - TimeDelta::seconds(60)),
            last_progress: None,
            last_status: Some(RunStatus::Success),
            failures_in_a_row: 0,
            pending: 3,
            oldest_pending_seconds: Some(20),
            recent: 200,
            on_time: 197,
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
    }

    fn assessed(facts: &EntityFacts) -> (f64, HealthStatus) {
        let health = assess_entity(facts, now(), 120);
        (health.freshness, health.status)
    }

    #[test]
    fn freshness_falls_while_runs_are_overdue() {
        assert_eq!(assessed(&facts()), (98.5, HealthStatus::Healthy));
        assert_eq!(
            assessed(&EntityFacts { recent: 0, on_time: 0, ..facts() }),
            (100.0, HealthStatus::Healthy)
        );
        let overdue = EntityFacts { last_success: Some(now() - TimeDelta::seconds(480)), ..facts() };
        assert_eq!(assessed(&overdue), (49.3, HealthStatus::Unhealthy));
        let under_way = EntityFacts { last_progress: Some(now() - TimeDelta::seconds(5)), ..overdue };
        assert_eq!(assessed(&under_way), (98.5, HealthStatus::Healthy));
    }

    #[test]
    fn status_depends_on_failures_in_a_row() {
        let failed = |failures_in_a_row| EntityFacts {
            last_status: Some(RunStatus::Failed),
            failures_in_a_row,
            ..facts()
        };
        assert_eq!(assessed(&failed(1)).1, HealthStatus::Degraded);
        assert_eq!(assessed(&failed(3)).1, HealthStatus::Unhealthy);
        assert_eq!(assessed(&EntityFacts { last_success: None, ..failed(1) }).1, HealthStatus::Unhealthy);
        let partial = EntityFacts { last_status: Some(RunStatus::Partial), ..facts() };
        assert_eq!(assessed(&partial).1, HealthStatus::Degraded);
        let none = EntityFacts { last_success: None, last_status: None, ..facts() };
        assert_eq!(assessed(&none).1, HealthStatus::Unknown);
    }
}
