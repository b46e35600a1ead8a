//! Records that came under two ids: reported once, never merged.

use model::entity::Entity;
use sqlx::{AssertSqlSafe, Row};

use crate::pool::Db;

/// Reports rows of another origin that say the same, on the same day, as one of the source's own; answers
/// how many were not reported before.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn report_twins(db: &Db, entity: &Entity) -> Result<u64, sqlx::Error> {
    let (Some(twins), Some(by)) = (&entity.twins, entity.partitioned_by) else { return Ok(0) };
    let (table, day, prefix) = (entity.table, twins.day, twins.prefix);
    let length = prefix.len();
    let mut tx = db.begin().await?;
    let foreign = format!("select exists (select from {table}_keys where left(id, {length}) <> '{prefix}')");
    let is_any: bool = tx.query(AssertSqlSafe(foreign)).fetch_one(tx.connection()).await?.try_get(0)?;
    if !is_any {
        tx.rollback().await?;
        return Ok(0);
    }
    let text = |row: &str| {
        let texts: Vec<String> = twins.texts.iter().map(|text| format!("{row}.{text}")).collect();
        format!("lower(regexp_replace(btrim(concat_ws(' ', {})), '\\s+', ' ', 'g'))", texts.join(", "))
    };
    // Both sides are sets, once joined: not a batch against an index.
    tx.query("select set_config('enable_hashjoin', 'on', true)").execute(tx.connection()).await?;
    let sql = format!(
        r"
        with foreign_rows as materialized (
            select t.id, t.{day} as day, {foreign_text} as text
            from {table}_keys k
            join {table} t on t.id = k.id and t.{by} = k.{by}
            where left(k.id, {length}) <> '{prefix}' and t.deleted_at is null
                and not exists (
                    select from admin_actions a where a.kind = 'duplicate' and a.entity = $1 and a.subject = k.id
                )
        )
        insert into admin_actions (kind, entity, subject, details)
        select distinct on (f.id) 'duplicate', $1, f.id, jsonb_build_object('same_as', t.id)
        from foreign_rows f
        join {table} t on t.{day} = f.day and left(t.id, {length}) = '{prefix}' and t.deleted_at is null
            and {own_text} = f.text
        where f.text <> ''
        order by f.id, t.id
        on conflict (kind, entity, subject) where resolved_at is null do nothing
        ",
        foreign_text = text("t"),
        own_text = text("t"),
    );
    let reported = tx.query(AssertSqlSafe(sql)).bind(entity.name).execute(tx.connection()).await?;
    tx.commit().await?;
    Ok(reported.rows_affected())
}
