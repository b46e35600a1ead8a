//! Settled staging rows on their way to the archive and back.

use chrono::{DateTime, NaiveDate, Utc};
use model::entity::Entity;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::pool::Db;

/// Rows of one part.
const PART_ROWS_MAX: i64 = 5_000;
/// JSON of one part, about; one row at least.
const PART_BYTES_MAX: i64 = 8 * 1024 * 1024;

/// Rows that go into one object.
#[derive(Debug)]
pub struct Part {
    /// The day, UTC, on which they were last seen.
    pub day: NaiveDate,
    /// A row a line, as JSON: every column.
    pub lines: String,
    ids: Vec<Uuid>,
    times_seen: Vec<i32>,
}

/// The next settled rows of an entity that were last seen before that moment, all on one day; none where there
/// are none. A failed one stays: a person must look at it.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn archivable(
    db: &Db,
    entity: &Entity,
    before: DateTime<Utc>,
) -> Result<Option<Part>, sqlx::Error> {
    let mut tx = db.begin().await?;
    let sql = format!(
        r"
        with old as (
            select s.id, s.times_seen, s.fetched_at, s.raw_bytes
            from {table} s
            where s.processed and s.outcome <> 'failed' and s.fetched_at < $1 and s.first_fetched_at < $1
                -- Whether it was seen again decides whether it is deleted.
                and not exists (select from missing_records m where m.entity = $4 and m.id = s.gazelle_id)
            order by s.fetched_at, s.id
            limit $2
        ),
        sized as (
            select o.*, (o.fetched_at at time zone 'UTC')::date as day,
                sum(o.raw_bytes) over (order by o.fetched_at, o.id) - o.raw_bytes as bytes_before
            from old o
        )
        select z.id, z.times_seen, z.day, to_jsonb(s)::text as line
        from sized z join {table} s on s.id = z.id
        where z.bytes_before < $3 and z.day = (select min(day) from sized)
        order by z.fetched_at, z.id
        ",
        table = entity.staging_table
    );
    let rows = tx
        .query(AssertSqlSafe(sql))
        .bind(before)
        .bind(PART_ROWS_MAX)
        .bind(PART_BYTES_MAX)
        .bind(entity.name)
        .fetch_all(tx.connection())
        .await?;
    tx.rollback().await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let mut part =
        Part { day: first.try_get("day")?, lines: String::new(), ids: Vec::new(), times_seen: Vec::new() };
    for row in &rows {
        part.lines.push_str(row.try_get("line")?);
        part.lines.push('\n');
        part.ids.push(row.try_get("id")?);
        part.times_seen.push(row.try_get("times_seen")?);
    }
    Ok(Some(part))
}

/// Deletes a part's rows but those that were seen again or wait again; answers how many went. When their content
/// was last seen moves on to the rows of production, so that no older page can win later.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn delete_archived(db: &Db, entity: &Entity, part: &Part) -> Result<u64, sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.take_turn("reconcile", entity.table).await?;
    let sql = format!(
        r"
        with gone as (
            delete from {} s using unnest($1::uuid[], $2::int[]) as u(id, times_seen)
            where s.id = u.id and s.times_seen = u.times_seen and s.processed
            returning s.gazelle_id, s.raw_data, s.fetched_at, s.source_key
        ),
        seen as (
            update {} t set synced_at = gone.fetched_at, source_key = gone.source_key
            from gone
            where t.id = gone.gazelle_id and (t.synced_at, t.source_key) < (gone.fetched_at, gone.source_key)
                and t.raw_data = gone.raw_data
        )
        select count(*) from gone
        ",
        entity.staging_table, entity.table
    );
    let gone = tx
        .query(AssertSqlSafe(sql))
        .bind(&part.ids)
        .bind(&part.times_seen)
        .fetch_one(tx.connection())
        .await?;
    tx.commit().await?;
    Ok(u64::try_from(gone.try_get::<i64, _>(0)?).unwrap_or_default())
}

/// Puts archived rows back, but those whose content staging holds; answers how many came back.
///
/// # Errors
/// The database refused or was out of reach, or a line is no row of the table.
pub async fn restore_archived(db: &Db, entity: &Entity, lines: &str) -> Result<u64, sqlx::Error> {
    let lines: Vec<&str> = lines.lines().collect();
    let mut restored = 0;
    let mut tx = db.begin().await?;
    let table = entity.staging_table;
    // The columns by name: an archived row may be older than a column. A record that is `null` reads as none.
    let columns = tx
        .query(
            r"
            select string_agg(format('%I', attname), ', ' order by attnum) as names,
                string_agg(
                    format(case attname when 'raw_data' then 'coalesce(r.%I, ''null'')' else 'r.%I' end, attname), ', ' order by attnum
                ) as read
            from pg_attribute
            where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
            ",
        )
        .bind(table)
        .fetch_one(tx.connection())
        .await?;
    let (names, read): (String, String) = (columns.try_get("names")?, columns.try_get("read")?);
    let sql = format!(
        r"
        insert into {table} ({names})
        select {read} from unnest($1::text[]) as u(line), jsonb_populate_record(null::{table}, u.line::jsonb) as r
        on conflict do nothing
        "
    );
    for some in lines.chunks(1_000) {
        let inserted = tx.query(AssertSqlSafe(sql.clone())).bind(some).execute(tx.connection()).await?;
        restored += inserted.rows_affected();
    }
    tx.commit().await?;
    Ok(restored)
}
