//! Assessment of the health of entities: one for the API, the dashboard, the metrics and the alerts.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::manifest::RunStatus;

/// Lowest freshness of a healthy entity, in percent; stated in the strategy.
const FRESHNESS_HEALTHY: f64 = 98.0;
/// Freshness below which the mirror misleads its readers, in percent.
const FRESHNESS_UNHEALTHY: f64 = 90.0;
/// Failures in a row from which an entity is unhealthy: one may be the network's, three are not.
const FAILURES_UNHEALTHY: i64 = 3;
/// Seconds for which a record may wait in staging; one that has waited for longer is late.
pub const LATE_SECONDS: i64 = 3_600;
/// Seconds for which a record has waited when its entity is unhealthy, however few wait with it.
const LATE_UNHEALTHY_SECONDS: i64 = 6 * 3_600;
/// Late and failed records from which their share can make an entity unhealthy: one of three is no trend.
const MISSED_MIN: i64 = 5;
/// Age of the last proven full run from which deletions go unnoticed for too long: full runs are weekly.
pub const SWEEP_AGE_MAX: TimeDelta = TimeDelta::days(8);
/// Unproven full runs in a row from which the entity needs a look: the source may change once during a listing.
pub const UNPROVEN_SWEEPS_MAX: i64 = 2;

/// Facts from which the health of one entity is assessed.
///
/// Only the runs that the schedule begins tell how fresh the data is: incremental and full ones. A replay stages pages
/// again that were fetched long ago, and moves none of these instants.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntityFacts {
    /// Name of the entity.
    pub entity: String,
    /// Instant at which the fetch of the last successful run ended.
    pub last_success: Option<DateTime<Utc>>,
    /// Instant at which the last fetch ended that read its list to the end and whose records are settled. A partial run
    /// counts: the source's count may disagree for good while its data is fresh.
    #[serde(default)]
    pub last_fetch: Option<DateTime<Utc>>,
    /// Instant at which a page of a recent run was last staged: a long run is progress, too.
    pub last_progress: Option<DateTime<Utc>>,
    /// Status of the last run that ended; none before the first one.
    pub last_status: Option<RunStatus>,
    /// Number of failed runs since the last success.
    pub failures_in_a_row: i64,
    /// Number of records that wait in staging.
    pub pending: i64,
    /// Age of the oldest waiting record, in seconds; none where none waits.
    pub oldest_pending_seconds: Option<i64>,
    /// Number of records that have waited for longer than [`LATE_SECONDS`], whenever they were fetched.
    #[serde(default)]
    pub late: i64,
    /// Number of records fetched in the last 24 hours.
    pub recent: i64,
    /// Number of those that were settled within an hour and did not fail, or have waited for less.
    pub on_time: i64,
    /// Number of those that failed.
    #[serde(default)]
    pub failed: i64,
    /// Instant at which the first known run began.
    #[serde(default)]
    pub first_run: Option<DateTime<Utc>>,
    /// Instant at which the last full run began that proved which records exist, and was compared with production.
    #[serde(default)]
    pub last_sweep: Option<DateTime<Utc>>,
    /// Number of full runs since then that ended without that proof.
    #[serde(default)]
    pub unproven_sweeps: i64,
}

/// Health of one entity, in the shape of `GET /api/v6/health`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityHealth {
    /// Instant at which the fetch of the last successful run ended.
    pub last_sync: Option<DateTime<Utc>>,
    /// Percentage of the records that are neither late nor failed now; lower while runs are overdue, 0 before the first.
    pub freshness: f64,
    /// Assessment of the entity.
    pub status: HealthStatus,
    /// Number of records that wait in staging.
    pub records_pending: i64,
    /// Number of records that have waited for more than an hour.
    pub records_late: i64,
    /// Age of the oldest waiting record, in seconds; none where none waits.
    pub oldest_pending_seconds: Option<i64>,
    /// Percentage of the records of the last 24 hours that were settled within an hour; none where there were none.
    pub on_time_percent: Option<f64>,
    /// Instant at which the last full run began that proved which records exist.
    pub last_sweep: Option<DateTime<Utc>>,
    /// Number of full runs since then that proved nothing.
    pub unproven_sweeps: i64,
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

/// Reports whether the data of an entity is so old that it misleads readers: runs are overdue, or a record is late.
#[must_use]
pub fn is_stale(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> bool {
    facts.last_status.is_some()
        && (facts.late > 0 || 100.0 * timeliness(facts, now, interval_seconds) < FRESHNESS_UNHEALTHY)
}

/// Reports whether no full run has proven for longer than [`SWEEP_AGE_MAX`] which records exist; `watched_since` counts
/// where none ever did.
#[must_use]
pub fn is_sweep_overdue(
    facts: &EntityFacts,
    now: DateTime<Utc>,
    watched_since: Option<DateTime<Utc>>,
) -> bool {
    let begun = [facts.first_run, watched_since].into_iter().flatten().min();
    facts.last_sweep.or(begun).is_some_and(|last| now - last > SWEEP_AGE_MAX)
}

/// Returns the worst status; unknown where there is no entity.
#[must_use]
pub fn worst(health: &EntityHealths) -> HealthStatus {
    health.values().map(|entity| entity.status).max().unwrap_or(HealthStatus::Unknown)
}

fn assess_entity(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> EntityHealth {
    let timeliness = timeliness(facts, now, interval_seconds);
    let freshness = sound_percent(facts) * timeliness;
    let on_time = (facts.recent > 0).then(|| 100.0 * to_float(facts.on_time) / to_float(facts.recent));
    EntityHealth {
        last_sync: facts.last_success,
        freshness: rounded(freshness),
        status: assess_status(facts, now, freshness, timeliness),
        records_pending: facts.pending,
        records_late: facts.late,
        oldest_pending_seconds: facts.oldest_pending_seconds,
        on_time_percent: on_time.map(rounded),
        last_sweep: facts.last_sweep,
        unproven_sweeps: facts.unproven_sweeps,
    }
}

/// Returns the percentage of the records that are neither late now nor failed.
fn sound_percent(facts: &EntityFacts) -> f64 {
    let missed = facts.late + facts.failed;
    // Late records may be older than the 24 hours of the recent ones.
    let all = facts.recent.max(missed);
    if all == 0 { 100.0 } else { 100.0 * to_float(all - missed) / to_float(all) }
}

/// Returns 1 while fetches are on time, 2 × interval ÷ age once the last fetch, or the last page of a run that goes on,
/// is older than two intervals, and 0 before the first fetch has ended.
fn timeliness(facts: &EntityFacts, now: DateTime<Utc>, interval_seconds: u32) -> f64 {
    let Some(fetched) = facts.last_fetch.max(facts.last_success) else { return 0.0 };
    let last = facts.last_progress.map_or(fetched, |progress| progress.max(fetched));
    let (age, tolerated) = (to_float((now - last).num_seconds()), 2.0 * f64::from(interval_seconds));
    if age > tolerated { tolerated / age } else { 1.0 }
}

fn assess_status(facts: &EntityFacts, now: DateTime<Utc>, freshness: f64, timeliness: f64) -> HealthStatus {
    let Some(last) = facts.last_status else { return HealthStatus::Unknown };
    let is_overdue = 100.0 * timeliness < FRESHNESS_UNHEALTHY;
    let is_widespread = facts.late + facts.failed >= MISSED_MIN && freshness < FRESHNESS_UNHEALTHY;
    let oldest = facts.oldest_pending_seconds.unwrap_or(0);
    if facts.last_success.is_none() && last == RunStatus::Failed
        || facts.failures_in_a_row >= FAILURES_UNHEALTHY
        || is_overdue
        || is_widespread
        || oldest >= LATE_UNHEALTHY_SECONDS
    {
        HealthStatus::Unhealthy
    } else if last != RunStatus::Success
        || freshness < FRESHNESS_HEALTHY
        || facts.late > 0
        || facts.unproven_sweeps >= UNPROVEN_SWEEPS_MAX
        || is_sweep_overdue(facts, now, None)
    {
        HealthStatus::Degraded
    } else {
        HealthStatus::Healthy
    }
}

fn rounded(percent: f64) -> f64 {
    (percent * 10.0).round() / 10.0
}

/// Converts a count or an age to a float.
#[expect(clippy::cast_precision_loss, reason = "counts and ages in seconds are far below 2^52")]
fn to_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> EntityFacts {
        EntityFacts {
            entity: "timeline".to_owned(),
            last_success: Some(now() - TimeDelta::seconds(60)),
            last_fetch: Some(now() - TimeDelta::seconds(60)),
            last_status: Some(RunStatus::Success),
            pending: 3,
            oldest_pending_seconds: Some(20),
            recent: 200,
            on_time: 197,
            ..EntityFacts::default()
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
        assert_eq!(assessed(&facts()), (100.0, HealthStatus::Healthy));
        let quiet = EntityFacts { recent: 0, on_time: 0, ..facts() };
        assert_eq!(assessed(&quiet), (100.0, HealthStatus::Healthy));
        let long_ago = Some(now() - TimeDelta::seconds(480));
        let overdue = EntityFacts { last_success: long_ago, last_fetch: long_ago, ..facts() };
        assert_eq!(assessed(&overdue), (50.0, HealthStatus::Unhealthy));
        assert!(is_stale(&overdue, now(), 120));
        let under_way = EntityFacts { last_progress: Some(now() - TimeDelta::seconds(5)), ..overdue };
        assert_eq!(assessed(&under_way), (100.0, HealthStatus::Healthy));
    }

    #[test]
    fn entity_that_never_synced_is_not_fresh() {
        let never = EntityFacts { entity: "clients".to_owned(), ..EntityFacts::default() };
        assert_eq!(assessed(&never), (0.0, HealthStatus::Unknown));
        let begun = EntityFacts { last_progress: Some(now()), ..never };
        assert_eq!(assessed(&begun), (0.0, HealthStatus::Unknown), "its first run has not ended");
    }

    #[test]
    fn late_and_failed_records_are_not_fresh() {
        let failed = |failed, recent| EntityFacts { failed, recent, on_time: recent - failed, ..facts() };
        assert_eq!(assessed(&failed(100, 100)), (0.0, HealthStatus::Unhealthy));
        assert_eq!(assessed(&failed(1, 200)), (99.5, HealthStatus::Healthy));
        assert_eq!(assessed(&failed(1, 3)).1, HealthStatus::Degraded, "one of three is no trend");
        let late = |late: i64, hours: i64| EntityFacts {
            late,
            pending: late,
            oldest_pending_seconds: Some(hours * 3_600),
            ..facts()
        };
        // Fetched more than 24 hours ago, they are none of the recent ones.
        assert_eq!(assessed(&late(5, 72)), (97.5, HealthStatus::Unhealthy));
        assert_eq!(assessed(&late(1, 25)).1, HealthStatus::Unhealthy);
        assert_eq!(assessed(&late(1, 2)), (99.5, HealthStatus::Degraded));
        assert!(is_stale(&late(1, 2), now(), 120) && !is_stale(&facts(), now(), 120));
    }

    #[test]
    fn past_delay_is_a_share_and_no_staleness() {
        let caught_up = EntityFacts { recent: 10, on_time: 1, ..facts() };
        assert_eq!(assessed(&caught_up), (100.0, HealthStatus::Healthy));
        assert_eq!(assess_entity(&caught_up, now(), 120).on_time_percent, Some(10.0));
    }

    #[test]
    fn count_that_disagrees_for_good_is_not_stale() {
        let partial = EntityFacts {
            last_success: Some(now() - TimeDelta::days(9)),
            last_status: Some(RunStatus::Partial),
            ..facts()
        };
        assert_eq!(assessed(&partial), (100.0, HealthStatus::Degraded));
        assert!(!is_stale(&partial, now(), 120));
    }

    #[test]
    fn unproven_and_overdue_sweeps_degrade() {
        let sweep = |days| Some(now() - TimeDelta::days(days));
        let proven = EntityFacts { first_run: sweep(100), last_sweep: sweep(7), ..facts() };
        assert_eq!(assessed(&proven).1, HealthStatus::Healthy);
        let overdue = EntityFacts { last_sweep: sweep(9), ..proven.clone() };
        assert_eq!(assessed(&overdue).1, HealthStatus::Degraded);
        let never = EntityFacts { last_sweep: None, ..proven.clone() };
        assert!(is_sweep_overdue(&never, now(), None) && !is_sweep_overdue(&facts(), now(), sweep(7)));
        assert!(is_sweep_overdue(&facts(), now(), sweep(9)));
        let twice = EntityFacts { unproven_sweeps: 2, ..proven };
        assert_eq!(assessed(&twice).1, HealthStatus::Degraded);
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

    #[test]
    fn facts_of_a_former_version_are_read() {
        let former = r#"{"entity":"clients","last_success":null,"last_progress":null,"last_status":null,
            "failures_in_a_row":0,"pending":0,"oldest_pending_seconds":null,"recent":0,"on_time":0}"#;
        let read: Option<EntityFacts> = serde_json::from_str(former).ok();
        assert_eq!(read, Some(EntityFacts { entity: "clients".to_owned(), ..EntityFacts::default() }));
    }
}
