//! From the facts of an entity to a verdict: one for the health API, the dashboard, the numbers and the alerts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Fresh enough that nobody need look: the strategy's own threshold.
const FRESHNESS_HEALTHY: f64 = 98.0;
/// Below this the mirror misleads its readers.
const FRESHNESS_UNHEALTHY: f64 = 90.0;
/// One failure may be the network's, three in a row are not.
const FAILURES_UNHEALTHY: i64 = 3;

/// The facts behind one entity's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityReport {
    /// The entity's name.
    pub entity: String,
    /// When the last successful run ended. Successes only.
    pub last_success: Option<DateTime<Utc>>,
    /// When a page of it was last staged: a long run is progress, too.
    pub last_progress: Option<DateTime<Utc>>,
    /// How the last run that ended did end.
    pub last_status: Option<String>,
    /// Failed runs since the last success.
    pub failures_in_a_row: i64,
    /// Records that wait in staging.
    pub pending: i64,
    /// How long the oldest of them has waited, in seconds; none where none waits.
    pub oldest_pending_seconds: Option<i64>,
    /// Records fetched in the last 24 hours.
    pub recent: i64,
    /// Those of them that were promoted within an hour, or have waited for less.
    pub on_time: i64,
}

/// The health of one entity, in the shape of `GET /api/v6/health`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityHealth {
    /// When the last successful run ended.
    pub last_sync: Option<DateTime<Utc>>,
    /// Percent of the records of the last 24 hours that were on time, less while runs are overdue.
    pub freshness: f64,
    /// The verdict.
    pub status: Status,
    /// Records that wait in staging.
    pub records_pending: i64,
}

/// A verdict, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// All is well.
    Healthy,
    /// No run has ended yet.
    Unknown,
    /// Something went wrong; readers are still served well.
    Degraded,
    /// Readers are misled: someone must act.
    Unhealthy,
}

impl Status {
    /// The word.
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

/// The health of every entity, by name.
pub type EntityHealths = BTreeMap<String, EntityHealth>;

/// The health of every entity, by name.
#[must_use]
pub fn health(facts: &[EntityReport], now: DateTime<Utc>, interval_seconds: u32) -> EntityHealths {
    facts.iter().map(|facts| (facts.entity.clone(), entity_health(facts, now, interval_seconds))).collect()
}

/// Whether readers are misled because what they see is old.
#[must_use]
pub fn is_stale(facts: &EntityReport, now: DateTime<Utc>, interval_seconds: u32) -> bool {
    facts.last_status.is_some() && freshness(facts, now, interval_seconds) < FRESHNESS_UNHEALTHY
}

/// The worst verdict.
#[must_use]
pub fn worst(health: &EntityHealths) -> Status {
    health.values().map(|entity| entity.status).max().unwrap_or(Status::Unknown)
}

fn entity_health(facts: &EntityReport, now: DateTime<Utc>, interval_seconds: u32) -> EntityHealth {
    let freshness = freshness(facts, now, interval_seconds);
    EntityHealth {
        last_sync: facts.last_success,
        freshness: (freshness * 10.0).round() / 10.0,
        status: status(facts, freshness),
        records_pending: facts.pending,
    }
}

/// 100 × on time ÷ all, × 2·interval ÷ age once the last success, or the last page of a run that is still
/// under way, is older than two intervals.
fn freshness(facts: &EntityReport, now: DateTime<Utc>, interval_seconds: u32) -> f64 {
    let share =
        if facts.recent == 0 { 100.0 } else { 100.0 * precise(facts.on_time) / precise(facts.recent) };
    let Some(last) = facts.last_success.max(facts.last_progress) else { return share };
    let (age, tolerated) = (precise((now - last).num_seconds()), 2.0 * f64::from(interval_seconds));
    if age > tolerated { share * tolerated / age } else { share }
}

fn status(facts: &EntityReport, freshness: f64) -> Status {
    let Some(last) = facts.last_status.as_deref() else { return Status::Unknown };
    if facts.last_success.is_none() && last == "failed"
        || facts.failures_in_a_row >= FAILURES_UNHEALTHY
        || freshness < FRESHNESS_UNHEALTHY
    {
        Status::Unhealthy
    } else if last != "success" || freshness < FRESHNESS_HEALTHY {
        Status::Degraded
    } else {
        Status::Healthy
    }
}

/// Counts and ages are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts and ages in seconds are far below 2^52")]
fn precise(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn facts() -> EntityReport {
        EntityReport {
            entity: "timeline".to_owned(),
            last_success: Some(now() - TimeDelta::seconds(60)),
            last_progress: None,
            last_status: Some("success".to_owned()),
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

    fn judged(facts: &EntityReport) -> (f64, Status) {
        let health = entity_health(facts, now(), 120);
        (health.freshness, health.status)
    }

    #[test]
    fn freshness_is_the_share_on_time_and_falls_while_runs_are_overdue() {
        assert_eq!(judged(&facts()), (98.5, Status::Healthy));
        assert_eq!(judged(&EntityReport { recent: 0, on_time: 0, ..facts() }), (100.0, Status::Healthy));
        let overdue = EntityReport { last_success: Some(now() - TimeDelta::seconds(480)), ..facts() };
        assert_eq!(judged(&overdue), (49.3, Status::Unhealthy));
        let under_way = EntityReport { last_progress: Some(now() - TimeDelta::seconds(5)), ..overdue };
        assert_eq!(judged(&under_way), (98.5, Status::Healthy));
    }

    #[test]
    fn one_failure_degrades_three_are_unhealthy_and_no_run_is_unknown() {
        let failed = |failures_in_a_row| EntityReport {
            last_status: Some("failed".to_owned()),
            failures_in_a_row,
            ..facts()
        };
        assert_eq!(judged(&failed(1)).1, Status::Degraded);
        assert_eq!(judged(&failed(3)).1, Status::Unhealthy);
        assert_eq!(judged(&EntityReport { last_success: None, ..failed(1) }).1, Status::Unhealthy);
        let partial = EntityReport { last_status: Some("partial".to_owned()), ..facts() };
        assert_eq!(judged(&partial).1, Status::Degraded);
        let none = EntityReport { last_success: None, last_status: None, ..facts() };
        assert_eq!(judged(&none).1, Status::Unknown);
    }
}
