//! Memory of former observations, kept in the alert store: what should be there, so that its absence is noticed. Pure.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use db::queries::MonitorSnapshot;
use serde::{Deserialize, Serialize};

/// Time between two known runs that are remembered.
const MARK_INTERVAL: TimeDelta = TimeDelta::hours(6);
/// Time for which a known run is remembered: longer than the audit's reach, shorter than any run is kept.
const MARKS_KEPT: TimeDelta = TimeDelta::days(7);

/// Memory of former observations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Memory {
    /// Time of the first observation of this installation: what should happen is due from then on.
    pub watched_since: Option<DateTime<Utc>>,
    /// Entities of which no run has ever ended, with the time at which that was first observed.
    pub unsynced_since: BTreeMap<String, DateTime<Utc>>,
    /// Runs that the database knew, oldest first.
    pub marks: Vec<Mark>,
}

/// Run that the database knew at an observation; it must know it ever after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Id of the run.
    pub run_id: String,
    /// Time at which the run began.
    pub started_at: DateTime<Utc>,
    /// Time at which the database was first found not to know it any more.
    #[serde(default)]
    pub missing_since: Option<DateTime<Utc>>,
}

impl Memory {
    /// Records what an observation has seen; `watch` is none where the database gave no answer.
    pub fn record(&mut self, watch: Option<&MonitorSnapshot>, now: DateTime<Utc>) {
        self.watched_since.get_or_insert(now);
        let Some(watch) = watch else { return };
        self.unsynced_since = watch
            .entities
            .iter()
            .filter(|facts| facts.last_status.is_none())
            .map(|facts| {
                let since = self.unsynced_since.get(&facts.entity).copied();
                (facts.entity.clone(), since.unwrap_or(now))
            })
            .collect();
        self.record_marks(watch, now);
    }

    fn record_marks(&mut self, watch: &MonitorSnapshot, now: DateTime<Utc>) {
        for mark in &mut self.marks {
            let is_missing = watch.unknown_runs.contains(&mark.run_id);
            mark.missing_since = is_missing.then(|| mark.missing_since.unwrap_or(now));
        }
        // A missing run is forgotten once everything was listed anew.
        self.marks.retain(|mark| match mark.missing_since {
            Some(missing) => !is_swept_since(watch, missing),
            None => now - mark.started_at < MARKS_KEPT,
        });
        if let Some(run) = &watch.newest_run
            && self.marks.iter().all(|mark| run.started_at - mark.started_at >= MARK_INTERVAL)
        {
            let (run_id, started_at) = (run.run_id.clone(), run.started_at);
            self.marks.push(Mark { run_id, started_at, missing_since: None });
        }
    }

    /// Returns the ids of the runs that the database must know.
    #[must_use]
    pub fn known_runs(&self) -> Vec<String> {
        self.marks.iter().map(|mark| mark.run_id.clone()).collect()
    }

    /// Returns the days that an audit must look back to find what a restored database lacks; none where it lacks nothing.
    #[must_use]
    pub fn days_lost(&self, watch: &MonitorSnapshot, now: DateTime<Utc>) -> Option<i64> {
        let is_missing = |mark: &&Mark| watch.unknown_runs.contains(&mark.run_id);
        let oldest = self.marks.iter().filter(is_missing).map(|mark| mark.started_at).min()?;
        let is_older_than_memory = self.marks.iter().all(|mark| is_missing(&mark));
        // The backup was made before the oldest missing run, by no more than the distance of two marks.
        Some(if is_older_than_memory { AUDIT_DAYS_UNKNOWN } else { (now - oldest).num_days() + 2 })
    }
}

/// Days of an audit where the age of the backup is unknown.
const AUDIT_DAYS_UNKNOWN: i64 = 35;

fn is_swept_since(watch: &MonitorSnapshot, instant: DateTime<Utc>) -> bool {
    !watch.entities.is_empty()
        && watch.entities.iter().all(|facts| facts.last_sweep.is_some_and(|sweep| sweep > instant))
}
