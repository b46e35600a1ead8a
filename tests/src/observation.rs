//! The alerter's observation of a mirror, and the page's and API's verdict on it.

use std::collections::BTreeSet;

use alerter::memory::Memory;
use alerter::snapshot::{ScheduleSign, Snapshot, Thresholds};
use chrono::{DateTime, Utc};
use db::Db;

/// Thresholds of the template.
pub const THRESHOLDS: Thresholds =
    Thresholds { interval_seconds: 120, error_rate_max: 5.0, is_scheduled: true };

/// Observes a mirror as the alerter does each minute; `fetched_at` is the time of the fetcher's last tick.
pub async fn observe(db: &Db, memory: &Memory, fetched_at: DateTime<Utc>) -> Snapshot {
    let known = memory.known_runs();
    let database = db::queries::monitor_snapshot(db, &known).await.expect("the database is there");
    Snapshot {
        at: Utc::now(),
        database: Some(database),
        database_error: None,
        dead_letters: Some(Vec::new()),
        schedule: Some(ScheduleSign::FetchedAt(fetched_at)),
        memory: memory.clone(),
    }
}

/// Returns what the alerter finds wrong in a mirror, as `class/subject`.
pub async fn alerts(db: &Db) -> BTreeSet<String> {
    let snapshot = observe(db, &Memory::default(), Utc::now()).await;
    let conditions = snapshot.conditions(&THRESHOLDS);
    conditions.iter().map(|found| format!("{}/{}", found.class.as_str(), found.subject)).collect()
}
