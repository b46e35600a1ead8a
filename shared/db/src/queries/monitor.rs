//! Monitor snapshot: what the alerter checks every minute, read by one statement.

use chrono::{DateTime, Utc};
use model::entity;
use protocol::action::ActionKind;
use protocol::alert::AlertClass;
use protocol::health::EntityFacts;
use protocol::lane::Lane;
use protocol::manifest::RunStatus;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::statements;
use crate::error::Error;
use crate::pool::Db;

/// Records of an hour below which there is no error rate: one failure of three records is no trend.
const RATE_RECORDS_MIN: i64 = 20;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("has_recent_incidents", HAS_RECENT_INCIDENTS)];

const HAS_RECENT_INCIDENTS: &str = r"
    select exists (
        select from admin_actions
        where resolved_at is null and kind = any($1) and told_from <= now()
            and greatest(created_at, told_from) > now() - interval '3 minutes'
    ) or exists (
        select from unnest($2::text[]) as n(entity)
        cross join lateral (
            select from sync_status s
            where s.sync_type = n.entity and s.started_at > now() - interval '1 day'
                and s.completed_at > now() - interval '3 minutes' and s.status in ('failed', 'partial')
            limit 1
        ) s
    ) as has_recent_incidents
    ";

/// State of the mirror, as the alerter needs it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct MonitorSnapshot {
    /// Facts of every entity, in the registry's order.
    pub entities: Vec<EntityFacts>,
    /// Last run of each lane that has ended; none of a lane without one.
    pub lanes: Vec<LaneFacts>,
    /// Share of failed records of each entity that fetched enough of them within the last hour.
    pub error_rates: Vec<ErrorRate>,
    /// Open actions that raise an alert, by kind and entity; refused queries by lane, too.
    pub actions: Vec<OpenActions>,
    /// Newest run that is known and settled, of the last day.
    pub newest_run: Option<KnownRun>,
    /// Those of the asked runs that the database does not know.
    pub unknown_runs: Vec<String>,
}

/// State of a lane of an entity: its last run that has ended, and what led to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LaneFacts {
    /// Name of the entity.
    pub entity: String,
    /// Lane of the runs.
    pub lane: Lane,
    /// Status with which the last run ended.
    pub status: RunStatus,
    /// Instant at which its fetch ended.
    pub ended_at: DateTime<Utc>,
    /// Reason for any status but success, if one is known.
    pub error: Option<String>,
    /// Instant at which the fetch of the lane's last successful run ended.
    pub last_success: Option<DateTime<Utc>>,
    /// Number of runs since then whose fetch was partial.
    pub partial_runs: i64,
    /// Instant at which the first of these ended.
    pub partial_since: Option<DateTime<Utc>>,
}

/// Share of the last hour's records of an entity that failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ErrorRate {
    /// Name of the entity.
    pub entity: String,
    /// Percent of the records that failed or are in quarantine.
    pub percent: f64,
}

/// Run that the database knew at an observation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRun {
    /// Id of the run.
    pub run_id: String,
    /// Instant at which it began.
    pub started_at: DateTime<Utc>,
}

/// Open actions of one kind and entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenActions {
    /// Kind, a value of `ActionKind`.
    pub kind: String,
    /// Name of the entity; empty where the actions concern none.
    pub entity: String,
    /// Number of open actions.
    pub open: i64,
    /// Instant at which the newest was opened.
    pub newest: DateTime<Utc>,
    /// Subjects of the newest three: ids and object keys.
    pub subjects: Vec<String>,
}

/// Returns the kinds of actions that raise an alert.
fn alerted_kinds() -> Vec<&'static str> {
    let kinds = ActionKind::ALL.into_iter().filter(|kind| AlertClass::of_action(*kind).is_some());
    kinds.map(ActionKind::as_str).collect()
}

/// Returns the state of the mirror that the alerter checks. `known_runs` are ids of runs that it knew before.
///
/// # Errors
/// The database refused or was out of reach, or returned other JSON than expected.
pub async fn monitor_snapshot(db: &Db, known_runs: &[String]) -> Result<MonitorSnapshot, Error> {
    let names = entity::ALL.map(|entity| entity.name);
    let sql = AssertSqlSafe(statements::monitor_snapshot());
    let Json(snapshot) = db
        .fetch_one_readonly("read the monitor snapshot", sql, |query| {
            query
                .bind(names)
                .bind(RATE_RECORDS_MIN)
                .bind(alerted_kinds())
                .bind(Lane::ALL.map(Lane::as_str))
                .bind(known_runs.to_vec())
        })
        .await?;
    Ok(snapshot)
}

/// Returns true where the alerter should check now: an action was opened, or a run ended badly, within three minutes.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn has_recent_incidents(db: &Db) -> Result<bool, Error> {
    let names = entity::ALL.map(|entity| entity.name);
    db.fetch_one_readonly("look for recent incidents", HAS_RECENT_INCIDENTS, |query| {
        query.bind(alerted_kinds()).bind(names)
    })
    .await
}
