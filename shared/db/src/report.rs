//! What the health API asks: one statement for all entities.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::entity;
use sqlx::{AssertSqlSafe, Row};

use crate::connect::Db;

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
    /// Records fetched in the last 24 hours.
    pub recent: i64,
    /// Those of them that were promoted within an hour, or have waited for less.
    pub on_time: i64,
}

/// Whether the database answers.
///
/// # Errors
/// It does not.
pub async fn is_reachable(db: &Db) -> Result<(), sqlx::Error> {
    db.begin().await?.rollback().await
}

/// The facts of every entity, in the registry's order, in one round trip after `begin`.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn entity_reports(db: &Db) -> Result<Vec<EntityReport>, sqlx::Error> {
    let sql = format!("{} order by place", facts_sql());
    let mut tx = db.begin().await?;
    let rows = tx.query(AssertSqlSafe(sql)).fetch_all(tx.connection()).await?;
    tx.rollback().await?;
    rows.iter()
        .map(|row| {
            Ok(EntityReport {
                entity: row.try_get("entity")?,
                last_success: row.try_get("last_success")?,
                last_progress: row.try_get("last_progress")?,
                last_status: row.try_get("last_status")?,
                failures_in_a_row: row.try_get("failures_in_a_row")?,
                pending: row.try_get("pending")?,
                recent: row.try_get("recent")?,
                on_time: row.try_get("on_time")?,
            })
        })
        .collect()
}

/// A row of facts per entity, and its place in the registry.
pub(crate) fn facts_sql() -> String {
    let parts: Vec<String> =
        entity::ALL.into_iter().enumerate().map(|(place, entity)| part(place, entity)).collect();
    parts.join(" union all ")
}

fn part(place: usize, entity: &entity::Entity) -> String {
    let (name, table) = (entity.name, entity.staging_table);
    let listed_with = match entity.source {
        entity::Source::Query(_) => name,
        entity::Source::Nested { parent, .. } => parent,
    };
    format!(
        r"
        select {place} as place, '{name}' as entity,
            (select max(completed_at) from sync_status where sync_type = '{name}' and status = 'success') as last_success,
            (select max(staged_at) from staged_pages where entity = '{listed_with}') as last_progress,
            (select status from sync_status where sync_type = '{name}' and status <> 'running'
                order by started_at desc limit 1) as last_status,
            (select count(*) from sync_status where sync_type = '{name}' and status = 'failed'
                and completed_at > coalesce((select max(completed_at) from sync_status
                    where sync_type = '{name}' and status = 'success'), '-infinity')) as failures_in_a_row,
            (select count(*) from {table} where not processed) as pending,
            recent.* from (
                select count(*) as recent,
                    count(*) filter (where case when processed then processed_at <= first_fetched_at + interval '1 hour'
                        else first_fetched_at > now() - interval '1 hour' end) as on_time
                from {table} where first_fetched_at > now() - interval '24 hours'
            ) recent
        "
    )
}
