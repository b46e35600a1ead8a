//! Observation of the pipeline: database, dead-letter queues and the fetcher's state become a snapshot.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use db::queries::MonitorSnapshot;
use lambda::{Unit, emit_metrics};
use model::local_day;
use object_store::StateError;
use protocol::alert::Signal;
use protocol::health::assess;
use protocol::lane::Lane;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::snapshot::{ScheduleSign, Snapshot};

/// Pause before a database that gave no answer is asked again; only then are people told.
const SECOND_ATTEMPT_PAUSE: Duration = Duration::from_secs(2);
/// Timeout of the database: the observation must end before the function's own timeout.
pub(crate) const DATABASE_TIMEOUT: Duration = Duration::from_secs(10);
/// Failures of other functions to reach a database that answers us; so many within
/// [`TRANSIENT_FAILURES_KEPT`] are an alert.
const TRANSIENT_FAILURES_MAX: usize = 3;
/// Time for which failures of other functions to reach the database are counted.
const TRANSIENT_FAILURES_KEPT: TimeDelta = TimeDelta::minutes(5);

/// Error of an observation that got nothing from the database.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObserveError {
    /// The database did not answer in time.
    #[error("no answer within {} s", DATABASE_TIMEOUT.as_secs())]
    Timeout,
    /// The database's address cannot be used.
    #[error("could not connect to the database")]
    Connect(#[from] db::ConnectError),
    /// A query failed.
    #[error("could not query the database")]
    Query(#[from] db::Error),
}

/// Result of an observation.
#[derive(Debug)]
pub(crate) struct Observation {
    /// State of the pipeline.
    pub(crate) snapshot: Snapshot,
    /// Alert store after the snapshot was applied.
    pub(crate) store: AlertStore,
}

/// Observes the pipeline and applies what it finds to the alert store.
pub(crate) async fn observe(alerter: &Alerter, transient: &[&Signal]) -> Result<Observation, StateError> {
    // Only what should be there now: what it says is applied to the store as it is then.
    let memory = alerter.update_store(&|store: &mut AlertStore| store.memory.clone()).await?;
    let known_runs = memory.known_runs();
    let (database, dead_letters, schedule) =
        tokio::join!(watch_with_retry(alerter, &known_runs), dead_letters(alerter), schedule_sign(alerter));
    let now = Utc::now();
    let (database, database_error) = match database {
        Ok(watch) => (Some(watch), None),
        Err(error) => (None, Some(lambda::error_chain(&error))),
    };
    let snapshot = Snapshot { at: now, database, database_error, dead_letters, schedule, memory };
    let conditions = snapshot.conditions(&alerter.config.thresholds);
    let apply = |store: &mut AlertStore| {
        store.transient_failures.extend(transient.iter().map(|signal| signal.at));
        // Expired ones go before they are counted: what follows an outage belongs to the outage.
        store.transient_failures.retain(|at| now - *at < TRANSIENT_FAILURES_KEPT);
        let is_unsteady =
            snapshot.database.is_some() && store.transient_failures.len() >= TRANSIENT_FAILURES_MAX;
        if let Some(signal) = transient.last().filter(|_| is_unsteady) {
            store.raise(signal, now);
        }
        store.apply(&snapshot, &conditions);
        store.memory.record(snapshot.database.as_ref(), now);
        if store.last_report.is_none() {
            store.last_report = Some(local_day::of(now));
        }
        store.clone()
    };
    let store = alerter.update_store(&apply).await?;
    emit(alerter, &snapshot, conditions.len());
    Ok(Observation { snapshot, store })
}

/// Queries the database, twice if need be: a connection may break without a reason to call anyone.
async fn watch_with_retry(alerter: &Alerter, known_runs: &[String]) -> Result<MonitorSnapshot, ObserveError> {
    match watch_once(alerter, known_runs).await {
        Ok(watch) => Ok(watch),
        Err(first) => {
            warn!("The database gives no answer and is asked again: {}", lambda::error_chain(&first));
            sleep(SECOND_ATTEMPT_PAUSE).await;
            watch_once(alerter, known_runs).await
        }
    }
}

async fn watch_once(alerter: &Alerter, known_runs: &[String]) -> Result<MonitorSnapshot, ObserveError> {
    let watch = async {
        let db = alerter.db.get().await?;
        for run in db::runs::close_silent_runs(db).await? {
            warn!(run, "A run ended without a report and is closed as failed");
        }
        Ok(db::queries::monitor_snapshot(db, known_runs).await?)
    };
    timeout(DATABASE_TIMEOUT, watch).await.unwrap_or(Err(ObserveError::Timeout))
}

/// Returns the last sign of the fetcher's schedule; none if the bucket gave no answer. A lookup, the doctor and an
/// authorisation write other objects below `state/`, and must not hide a schedule that does not fire.
async fn schedule_sign(alerter: &Alerter) -> Option<ScheduleSign> {
    let suffix = format!("/{}.json", Lane::Incremental);
    match alerter.states.last_written_of("state/", &suffix).await {
        Ok(at) => Some(at.map_or(ScheduleSign::Never, ScheduleSign::FetchedAt)),
        Err(error) => {
            warn!("Could not list the fetcher's state: {}", lambda::error_chain(&error));
            None
        }
    }
}

/// Returns the depth of each dead-letter queue; none if one of them gave no answer.
async fn dead_letters(alerter: &Alerter) -> Option<Vec<(&'static str, u64)>> {
    let mut depths = Vec::new();
    for watched in &alerter.queues {
        match watched.dead_letters.depth().await {
            Ok(depth) => depths.push((watched.name, depth)),
            Err(error) => {
                warn!(queue = watched.name, "{}", lambda::error_chain(&error));
                return None;
            }
        }
    }
    Some(depths)
}

/// Emits the metrics for CloudWatch, whose heartbeat alarm waits for any of them.
fn emit(alerter: &Alerter, snapshot: &Snapshot, conditions: usize) {
    let precise = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    let dead_letters = snapshot.dead_letters.iter().flatten().map(|(_, depth)| *depth).sum();
    emit_metrics(
        &[],
        &[
            ("Heartbeat", Unit::Count, 1.0),
            ("Conditions", Unit::Count, precise(u64::try_from(conditions).unwrap_or(u64::MAX))),
            ("DeadLetters", Unit::Count, precise(dead_letters)),
            ("DatabaseReachable", Unit::Count, if snapshot.database.is_some() { 1.0 } else { 0.0 }),
        ],
    );
    let Some(watch) = &snapshot.database else { return };
    let health = assess(&watch.entities, snapshot.at, alerter.config.thresholds.interval_seconds);
    let mut oldest = 0;
    for facts in &watch.entities {
        let Some(state) = health.get(&facts.entity) else { continue };
        oldest = oldest.max(facts.oldest_pending_seconds.unwrap_or(0));
        emit_metrics(
            &[("entity", &facts.entity)],
            &[
                ("Freshness", Unit::Percent, state.freshness),
                ("Pending", Unit::Count, precise(u64::try_from(facts.pending).unwrap_or(0))),
            ],
        );
        if let Some(sweep) = facts.last_sweep {
            let age = u64::try_from((snapshot.at - sweep).num_seconds()).unwrap_or(0);
            emit_metrics(&[("entity", &facts.entity)], &[("SweepAge", Unit::Seconds, precise(age))]);
        }
    }
    emit_metrics(&[], &[("OldestPending", Unit::Seconds, precise(u64::try_from(oldest).unwrap_or(0)))]);
}
