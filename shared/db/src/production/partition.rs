//! Monthly partitions of a production table, created before they are needed.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use model::entity::Entity;

use crate::error::{During as _, Error, is_lock_conflict};
use crate::pool::Db;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] =
    &[("ensure_months", ENSURE_MONTHS), ("select_missing_months", SELECT_MISSING_MONTHS)];

/// Years that get partitions. A date outside them is a mistake, and its row goes to the default partition.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// Months after the present one whose partition is created before the first record needs it.
const MONTHS_AHEAD: u32 = 3;

/// Attempts to create one partition within a call; its locks may be held by a batch, or by a reader for long.
const ATTEMPTS_MAX: u32 = 3;

const ENSURE_MONTHS: &str = "select ensure_monthly_partitions($1, $2)";

const SELECT_MISSING_MONTHS: &str = r"
    select u.month from unnest($2::date[]) as u(month)
    where not exists (
        select from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relname = format('%s_%s', $1::text, to_char(u.month, 'YYYY_MM'))
    )
    order by u.month desc
    ";

/// Creates the monthly partitions for these instants and for the next months, and returns how many are new. Each is
/// created in a transaction of its own, which waits for no lock longer than half a second. Does nothing for a table that
/// is not partitioned.
///
/// A row whose month has no partition goes to the default partition, and moves when its partition is created: a batch
/// need not wait for this.
///
/// # Errors
/// A partition could not be created, as one whose locks are held; the next call tries again.
pub async fn ensure_months(
    db: &Db,
    entity: &Entity,
    instants: impl IntoIterator<Item = DateTime<Utc>>,
) -> Result<u32, Error> {
    if entity.partitioned_by.is_none() {
        return Ok(0);
    }
    let mut created = 0;
    for month in missing_months(db, entity, instants).await? {
        let mut attempt = 1;
        created += loop {
            match create_month(db, entity, month).await {
                Err(error) if attempt < ATTEMPTS_MAX && is_lock_conflict(&error) => attempt += 1,
                result => break result?,
            }
        };
    }
    Ok(created)
}

/// Returns the first days of the months that have no partition yet, the newest first.
async fn missing_months(
    db: &Db,
    entity: &Entity,
    instants: impl IntoIterator<Item = DateTime<Utc>>,
) -> Result<Vec<NaiveDate>, Error> {
    let ahead = (0..=MONTHS_AHEAD)
        .filter_map(|months| Utc::now().date_naive().checked_add_months(Months::new(months)));
    let mut months: Vec<NaiveDate> = instants
        .into_iter()
        .map(|instant| instant.date_naive())
        .chain(ahead)
        .filter(|day| YEARS.contains(&day.year()))
        .filter_map(|day| day.with_day(1))
        .collect();
    months.sort_unstable();
    months.dedup();
    let mut tx = db.begin().await?;
    let missing = tx
        .query_scalar(SELECT_MISSING_MONTHS)
        .bind(entity.table)
        .bind(months)
        .fetch_all(tx.connection())
        .await
        .during("look for missing partitions")?;
    tx.rollback().await?;
    Ok(missing)
}

async fn create_month(db: &Db, entity: &Entity, month: NaiveDate) -> Result<u32, Error> {
    let mut tx = db.begin().await?;
    let created: Result<i32, Error> = tx
        .query_scalar(ENSURE_MONTHS)
        .bind(entity.table)
        .bind([month])
        .fetch_one(tx.connection())
        .await
        .during("create a monthly partition");
    match created {
        Ok(created) => {
            tx.commit().await?;
            Ok(u32::try_from(created).unwrap_or_default())
        }
        Err(error) => {
            // Its locks must not wait for the connection to be used again.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}
