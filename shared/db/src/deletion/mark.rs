//! Marks records that are proven to be gone as deleted.

use model::entity::Entity;
use sqlx::AssertSqlSafe;

use super::lock::{listed_with, lock};
use super::statements::{self, MARKED_MAX};
use crate::actions::resolve_withheld_deletions;
use crate::error::{During as _, Error};
use crate::pool::Db;

/// Rows of one transaction, as [`statements::mark_deleted`] counts them.
#[derive(Debug, sqlx::FromRow)]
struct MarkCounts {
    deleted: i64,
    proven: i64,
}

/// Marks as deleted the records that are proven to be gone; returns the number of rows. A record that was seen in the
/// meantime stays.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn mark_deleted(db: &Db, entity: &'static Entity) -> Result<u64, Error> {
    let Some(sql) = statements::mark_deleted(entity) else { return Ok(0) };
    let listed_with = listed_with(entity).name;
    let mut total = 0;
    loop {
        let mut tx = db.begin().await?;
        lock(&mut tx, entity).await?;
        let MarkCounts { deleted, proven } = tx
            .query_as(AssertSqlSafe(sql.clone()))
            .bind(entity.name)
            .bind(listed_with)
            .fetch_one(tx.connection())
            .await
            .during("mark records as deleted")?;
        // Lookups may have found everything that was withheld.
        resolve_withheld_deletions(&mut tx, entity).await?;
        tx.commit().await?;
        total += u64::try_from(deleted).unwrap_or_default();
        if proven < MARKED_MAX {
            return Ok(total);
        }
    }
}
