//! Monthly partitions of a production table, created before they are needed.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use model::entity::Entity;

use crate::error::{During as _, Error};
use crate::pool::Db;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("ensure_months", ENSURE_MONTHS)];

/// Years that get partitions. A date outside them is a mistake, and its row goes to the default partition.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// Months after the present one whose partition is created before the first record needs it.
const MONTHS_AHEAD: u32 = 3;

const ENSURE_MONTHS: &str = "select ensure_monthly_partitions($1, $2)";

/// Creates the monthly partitions for these instants and for the next months, and returns how many are new. Runs in a
/// transaction of its own, because creating a partition locks the whole table. Does nothing for a table that is not
/// partitioned.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn ensure_months(
    db: &Db,
    entity: &Entity,
    instants: impl IntoIterator<Item = DateTime<Utc>>,
) -> Result<u32, Error> {
    if entity.partitioned_by.is_none() {
        return Ok(0);
    }
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
    let created: i32 = tx
        .query_scalar(ENSURE_MONTHS)
        .bind(entity.table)
        .bind(months)
        .fetch_one(tx.connection())
        .await
        .during("create monthly partitions")?;
    tx.commit().await?;
    Ok(u32::try_from(created).unwrap_or_default())
}
