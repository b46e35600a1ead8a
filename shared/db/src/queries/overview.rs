//! Overview of the mirror: everything that the dashboard shows, read by one statement.

use chrono::{DateTime, Utc};
use model::entity;
use protocol::action::ActionKind;
use protocol::health::EntityFacts;
use protocol::indicator::Indicators;
use protocol::manifest::RunStatus;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;
use uuid::Uuid;

use super::statements;
use crate::error::Error;
use crate::pool::Db;

/// Runs that are shown.
const RUNS_MAX: i64 = 25;
/// Open actions of one kind that are shown; the others are only counted. A bound over all kinds would let two thousand
/// duplicates hide a refused authorisation.
const ACTIONS_PER_KIND_MAX: i64 = 20;

/// State of the mirror.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Overview {
    /// Facts of every entity, in the registry's order.
    pub entities: Vec<EntityFacts>,
    /// Counts by entity and hour, over the last 24 hours.
    pub trend: Vec<HourRow>,
    /// Last runs, newest first, without incremental ones that succeeded and brought nothing.
    pub runs: Vec<RunRow>,
    /// Open actions, the gravest kind first, the newest of a kind first; the newest of each kind alone.
    pub actions: Vec<ActionRow>,
    /// Number of open actions of each kind, in the same order.
    pub action_groups: Vec<ActionGroup>,
    /// Number of open actions, of those that are not shown, too.
    pub actions_open: i64,
    /// Number of pages and messages in quarantine.
    pub quarantined: i64,
    /// Indicators in production, and the completeness of every entity.
    #[serde(default)]
    pub indicators: Indicators,
}

/// Counts of one entity in one hour.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HourRow {
    /// Name of the entity.
    pub entity: String,
    /// Age in hours: 0 is the hour that has not ended.
    pub ago: i32,
    /// Rows written by the runs that began in this hour.
    pub promoted: i64,
    /// Records of them that failed or are in quarantine.
    pub failed: i64,
    /// Runs of them that failed.
    pub failed_runs: i64,
}

/// Run of one entity, as `sync_status` holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunRow {
    /// Id of the run.
    pub run_id: String,
    /// Name of the entity.
    pub entity: String,
    /// Lane, such as `incremental` or `full`.
    pub mode: String,
    /// Status of the run.
    pub status: RunStatus,
    /// Instant at which the fetcher began it.
    pub started_at: DateTime<Utc>,
    /// Instant at which every record of it was settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// Records on its pages.
    pub fetched: i64,
    /// Records that production took.
    pub promoted: i64,
    /// Records that failed or are in quarantine.
    pub failed: i64,
    /// Records that are not settled yet.
    pub pending: i64,
    /// Reason of the failure, if there was one.
    pub error: Option<String>,
}

/// Open action, as `admin_actions` holds it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionRow {
    /// Id of the action.
    pub id: Uuid,
    /// Kind, a value of `ActionKind`; text, because an older version may have written another.
    pub kind: String,
    /// Name of the entity; empty where the action concerns none.
    pub entity: String,
    /// Id, name or object key that it is about.
    pub subject: String,
    /// Instant at which it was opened.
    pub since: DateTime<Utc>,
    /// Reason, or the command to give, where there is one.
    pub detail: Option<String>,
}

/// Open actions of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionGroup {
    /// Kind, a value of `ActionKind`; text, because an older version may have written another.
    pub kind: String,
    /// Number of open actions, of those that are not shown, too.
    pub open: i64,
    /// Instant at which the oldest was opened.
    pub oldest: DateTime<Utc>,
}

/// Returns the state of the mirror.
///
/// # Errors
/// The database refused or was out of reach, or returned other JSON than expected.
pub async fn overview(db: &Db) -> Result<Overview, Error> {
    let names = entity::ALL.map(|entity| entity.name);
    let kinds = by_gravity();
    let sql = AssertSqlSafe(statements::overview());
    let Json(overview): Json<Overview> = db
        .fetch_one_readonly("read the overview", sql, |query| {
            query.bind(names).bind(RUNS_MAX).bind(ACTIONS_PER_KIND_MAX).bind(kinds)
        })
        .await?;
    Ok(Overview { indicators: super::indicators(db).await?, ..overview })
}

/// Returns the kinds of actions, the gravest first.
fn by_gravity() -> [&'static str; ActionKind::ALL.len()] {
    let mut kinds = ActionKind::ALL;
    kinds.sort_by_key(|kind| kind.gravity());
    kinds.map(ActionKind::as_str)
}
