//! Daily summary: the counts of one day for the daily report, read by one statement.

use chrono::{DateTime, Utc};
use model::entity;
use protocol::health::EntityFacts;
use protocol::indicator::Indicators;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::statements;
use crate::error::Error;
use crate::pool::Db;

/// Counts of one day of the mirror.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DailySummary {
    /// Counts of each entity's runs, in the registry's order.
    pub entities: Vec<EntityDay>,
    /// Open actions by kind, the most frequent first.
    pub actions: Vec<ActionCount>,
    /// Slowest three runs that began that day and have ended.
    pub slowest: Vec<SlowRun>,
    /// Facts of every entity at the time of the report.
    pub facts: Vec<EntityFacts>,
    /// Indicators in production, and the completeness of every entity.
    #[serde(default)]
    pub indicators: Indicators,
}

/// Counts of one entity's runs that began that day.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityDay {
    /// Name of the entity.
    pub entity: String,
    /// Number of runs that began that day.
    pub runs: i64,
    /// Number of them that failed.
    pub failed_runs: i64,
    /// Rows that these runs wrote to production.
    pub promoted: i64,
    /// Records that failed or are in quarantine.
    pub failed: i64,
    /// Records that never become rows.
    pub skipped: i64,
    /// Records seen for the first time.
    pub new: i64,
}

/// Number of open actions of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionCount {
    /// Kind, a value of `ActionKind`.
    pub kind: String,
    /// Number of open actions.
    pub open: i64,
}

/// Run that took long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlowRun {
    /// Name of the entity.
    pub entity: String,
    /// Lane, such as `incremental` or `full`.
    pub mode: String,
    /// Duration in seconds, from its beginning until every record was settled.
    pub seconds: f64,
    /// Records on its pages.
    pub fetched: i64,
}

/// Returns the counts of the day between two instants.
///
/// # Errors
/// The database refused or was out of reach, or returned other JSON than expected.
pub async fn daily_summary(db: &Db, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<DailySummary, Error> {
    let names = entity::ALL.map(|entity| entity.name);
    let sql = AssertSqlSafe(statements::daily_summary());
    let Json(summary): Json<DailySummary> = db
        .fetch_one_readonly("read the daily summary", sql, |query| query.bind(names).bind(start).bind(end))
        .await?;
    Ok(DailySummary { indicators: super::indicators(db).await?, ..summary })
}
