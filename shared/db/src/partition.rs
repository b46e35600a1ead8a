//! Months of a partitioned table, made before they are needed.

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use shared::entity::Entity;

use crate::connect::Db;

/// Outside these years a date is a mistake: it lands in the default partition.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// Makes the monthly partitions for these instants, in a transaction of its own: making one locks the
/// whole table. Does nothing for a table that is not partitioned.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn ensure_months(
    db: &Db,
    entity: &Entity,
    instants: impl IntoIterator<Item = DateTime<Utc>>,
) -> Result<u32, sqlx::Error> {
    let mut months: Vec<NaiveDate> = instants
        .into_iter()
        .filter(|instant| YEARS.contains(&instant.year()))
        .filter_map(|instant| instant.date_naive().with_day(1))
        .collect();
    months.sort_unstable();
    months.dedup();
    if entity.partitioned_by.is_none() || months.is_empty() {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    let made: i32 = sqlx::Row::get(
        &tx.query("select ensure_monthly_partitions($1, $2)")
            .bind(entity.table)
            .bind(months)
            .fetch_one(tx.connection())
            .await?,
        0,
    );
    tx.commit().await?;
    Ok(u32::try_from(made).unwrap_or_default())
}
