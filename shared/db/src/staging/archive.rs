//! Archiving of settled staging rows, and their restoration.

use chrono::{DateTime, NaiveDate, Utc};
use model::entity::Entity;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::error::{During as _, Error};
use crate::pool::Db;
use crate::statements::archive;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("read_staging_columns", READ_COLUMNS)];

/// Rows of one chunk at most.
const CHUNK_ROWS_MAX: i64 = 5_000;
/// Bytes of JSON in one chunk at most, except that a chunk has at least one row.
const CHUNK_BYTES_MAX: i64 = 8 * 1024 * 1024;
/// Rows that one statement restores at most.
const RESTORED_ROWS_MAX: usize = 1_000;

/// Staging rows that go into one archive object.
#[derive(Debug)]
pub struct ArchiveChunk {
    /// Day, in UTC, on which the rows were last seen.
    pub day: NaiveDate,
    /// Rows as JSON with every column, one row a line.
    pub lines: String,
    ids: Vec<Uuid>,
    times_seen: Vec<i32>,
}

#[derive(FromRow)]
struct ArchivableRow {
    id: Uuid,
    times_seen: i32,
    day: NaiveDate,
    line: String,
}

/// Returns the next settled rows of an entity that were last seen before that time, all on one day; none if there are
/// none left. A failed row is not archived, because a person has to look at it.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn archivable(
    db: &Db,
    entity: &Entity,
    before: DateTime<Utc>,
) -> Result<Option<ArchiveChunk>, Error> {
    let mut tx = db.begin().await?;
    let rows: Vec<ArchivableRow> = tx
        .query_as(AssertSqlSafe(archive::select_archivable(entity)))
        .bind(before)
        .bind(CHUNK_ROWS_MAX)
        .bind(CHUNK_BYTES_MAX)
        .bind(entity.name)
        .fetch_all(tx.connection())
        .await
        .during("select rows to archive")?;
    tx.rollback().await?;
    let Some(day) = rows.first().map(|first| first.day) else { return Ok(None) };
    let mut chunk = ArchiveChunk { day, lines: String::new(), ids: Vec::new(), times_seen: Vec::new() };
    for row in rows {
        chunk.lines.push_str(&row.line);
        chunk.lines.push('\n');
        chunk.ids.push(row.id);
        chunk.times_seen.push(row.times_seen);
    }
    Ok(Some(chunk))
}

/// Deletes the rows of a chunk, except those that were seen again or are pending again, and returns how many were
/// deleted. The time at which their content was last seen moves on to the rows of production, so that no older page can
/// win later.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn delete_archived(db: &Db, entity: &Entity, chunk: &ArchiveChunk) -> Result<u64, Error> {
    let mut tx = db.begin().await?;
    tx.lock_entity("reconcile", entity.table).await?;
    let deleted: i64 = tx
        .query_scalar(AssertSqlSafe(archive::delete_archived(entity)))
        .bind(&chunk.ids)
        .bind(&chunk.times_seen)
        .fetch_one(tx.connection())
        .await
        .during("delete archived rows")?;
    tx.commit().await?;
    Ok(u64::try_from(deleted).unwrap_or_default())
}

// The columns by name, because an archived row may be older than a column. A record that is the JSON value `null` is
// read as SQL null, and gets its value back.
const READ_COLUMNS: &str = r"
    select string_agg(format('%I', attname), ', ' order by attnum) as names,
        string_agg(
            format(case attname when 'raw_data' then 'coalesce(r.%I, ''null'')' else 'r.%I' end, attname), ', ' order by attnum
        ) as values
    from pg_attribute
    where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
    ";

/// Columns of a staging table, as two lists in SQL.
#[derive(FromRow)]
struct StagingColumns {
    /// Names of the columns.
    names: String,
    /// Value of each column, read from the archived row `r`.
    values: String,
}

/// Restores archived rows, except those whose content staging holds, and returns how many were restored.
///
/// # Errors
/// The database refused or was out of reach, or a line is no row of the table.
pub async fn restore_archived(db: &Db, entity: &Entity, lines: &str) -> Result<u64, Error> {
    let lines: Vec<&str> = lines.lines().collect();
    let mut restored = 0;
    let mut tx = db.begin().await?;
    let columns: StagingColumns = tx
        .query_as(READ_COLUMNS)
        .bind(entity.staging_table)
        .fetch_one(tx.connection())
        .await
        .during("read the columns of a staging table")?;
    let sql = archive::restore_archived(entity, &columns.names, &columns.values);
    for some in lines.chunks(RESTORED_ROWS_MAX) {
        let inserted = tx
            .query(AssertSqlSafe(sql.clone()))
            .bind(some)
            .execute(tx.connection())
            .await
            .during("restore archived rows")?;
        restored += inserted.rows_affected();
    }
    tx.commit().await?;
    Ok(restored)
}
