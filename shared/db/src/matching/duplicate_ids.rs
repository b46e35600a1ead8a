//! Duplicate ids: records that arrived under two ids, one of the source and one of V5. Reported once, never merged.

use model::entity::Entity;
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::statements;
use crate::actions::{NewAction, open_counted};
use crate::error::{During as _, Error};
use crate::pool::Db;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("allow_hash_join_of_duplicates", ALLOW_HASH_JOIN)];

/// Lets the planner join two sets once; batches join by index.
const ALLOW_HASH_JOIN: &str = "select set_config('enable_hashjoin', 'on', true)";

/// A row under a foreign id, and the row of the source that says the same.
#[derive(Debug, sqlx::FromRow)]
struct DuplicateId {
    id: String,
    same_as: String,
}

/// Reports rows of another origin that say the same, on the same day, as a row of the source; returns how many were not
/// reported before.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn report_duplicate_ids(db: &Db, entity: &Entity) -> Result<u64, Error> {
    let (Some(rule), Some(by)) = (&entity.duplicate_ids, entity.partitioned_by) else { return Ok(0) };
    let mut tx = db.begin().await?;
    let has_foreign_ids: bool = tx
        .query_scalar(AssertSqlSafe(statements::has_foreign_ids(entity, rule)))
        .fetch_one(tx.connection())
        .await
        .during("look for foreign ids")?;
    if !has_foreign_ids {
        tx.rollback().await?;
        return Ok(0);
    }
    tx.query(ALLOW_HASH_JOIN).execute(tx.connection()).await.during("set up the search for duplicate ids")?;
    let found: Vec<DuplicateId> = tx
        .query_as(AssertSqlSafe(statements::duplicate_ids(entity, rule, by)))
        .bind(entity.name)
        .fetch_all(tx.connection())
        .await
        .during("find duplicate ids")?;
    let actions: Vec<NewAction<'_>> = found
        .iter()
        .map(|found| NewAction { subject: &found.id, details: json!({ "same_as": found.same_as }) })
        .collect();
    let reported = open_counted(&mut tx, ActionKind::Duplicate, entity.name, &actions).await?;
    tx.commit().await?;
    Ok(reported)
}
