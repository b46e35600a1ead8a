//! What the health API asks: one statement for all entities.

use shared::entity;
use shared::verdict::EntityReport;
use sqlx::{AssertSqlSafe, Row};

use crate::connect::Db;

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
                oldest_pending_seconds: row.try_get("oldest_pending_seconds")?,
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
            (select floor(extract(epoch from now() - min(first_fetched_at)))::bigint from {table} where not processed)
                as oldest_pending_seconds,
            recent.* from (
                select count(*) as recent,
                    count(*) filter (where case when processed then processed_at <= first_fetched_at + interval '1 hour'
                        else first_fetched_at > now() - interval '1 hour' end) as on_time
                from {table} where first_fetched_at > now() - interval '24 hours'
            ) recent
        "
    )
}
