//! What the health API asks: one statement for all entities.

use model::entity;
use protocol::health::EntityReport;
use protocol::v5_import;
use sqlx::Row;

use crate::pool::Db;

/// Whether the database answers.
///
/// # Errors
/// It does not.
pub async fn is_reachable(db: &Db) -> Result<(), sqlx::Error> {
    db.begin().await?.rollback().await
}

/// The facts of every entity, in the registry's order, in one question.
///
/// # Errors
/// The database refused or was out of reach, or answered something else.
pub async fn entity_reports(db: &Db) -> Result<Vec<EntityReport>, sqlx::Error> {
    let sql =
        format!("select jsonb_agg(to_jsonb(e) - 'place' order by e.place) as facts from ({}) e", facts_sql());
    let facts: serde_json::Value = db.ask(sql, |query| query).await?.try_get("facts")?;
    serde_json::from_value(facts).map_err(|error| sqlx::Error::Decode(Box::new(error)))
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
    // What an older system knew says nothing of how fresh the mirror is.
    let import = v5_import::MODE;
    format!(
        r"
        select {place} as place, '{name}' as entity,
            (select max(completed_at) from sync_status where sync_type = '{name}' and status = 'success'
                and mode <> '{import}') as last_success,
            (select p.staged_at from staged_pages p where p.entity = '{listed_with}' and not exists (
                    select from sync_status s where s.run_id = p.run_id and s.sync_type = p.entity and s.mode = '{import}'
                ) order by p.staged_at desc limit 1) as last_progress,
            (select status from sync_status where sync_type = '{name}' and status <> 'running' and mode <> '{import}'
                order by started_at desc limit 1) as last_status,
            (select count(*) from sync_status where sync_type = '{name}' and status = 'failed' and mode <> '{import}'
                and completed_at > coalesce((select max(completed_at) from sync_status
                    where sync_type = '{name}' and status = 'success' and mode <> '{import}'), '-infinity')) as failures_in_a_row,
            (select count(*) from {table} where not processed) as pending,
            -- Nothing waits for longer than staging has held it, however old it says it is.
            (select floor(extract(epoch from now() - min(greatest(first_fetched_at, created_at))))::bigint
                from {table} where not processed) as oldest_pending_seconds,
            recent.* from (
                select count(*) as recent,
                    count(*) filter (where case when processed then processed_at <= first_fetched_at + interval '1 hour'
                        else first_fetched_at > now() - interval '1 hour' end) as on_time
                from {table} where first_fetched_at > now() - interval '24 hours'
            ) recent
        "
    )
}
