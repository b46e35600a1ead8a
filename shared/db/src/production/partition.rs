//! Months of a partitioned table, made before they are needed.

use chrono::{DateTime, Datelike, Months, NaiveDate, Utc};
use model::entity::Entity;

use crate::pool::Db;

/// Outside these years a date is a mistake: it lands in the default partition.
const YEARS: std::ops::RangeInclusive<i32> = 1990..=2100;

/// Months past the present one that have their partition before the first record asks for it.
const MONTHS_AHEAD: u32 = 3;

/// Makes the monthly partitions for these instants and for the months to come, in a transaction of its own:
/// making one locks the whole table. Does nothing for a table that is not partitioned.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn ensure_months(
    db: &Db,
    entity: &Entity,
    instants: impl IntoIterator<Item = DateTime<Utc>>,
) -> Result<u32, sqlx::Error> {
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
