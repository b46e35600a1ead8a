//! Facts of every entity, from which its health is assessed.

use protocol::health::EntityFacts;
use sqlx::AssertSqlSafe;
use sqlx::types::Json;

use super::statements;
use crate::error::Error;
use crate::pool::Db;

/// Succeeds where a transaction can be begun.
///
/// # Errors
/// The database is out of reach.
pub async fn is_reachable(db: &Db) -> Result<(), Error> {
    db.begin().await?.rollback().await
}

/// Returns the facts of every entity, in the registry's order, read by one statement.
///
/// # Errors
/// The database refused or was out of reach, or returned other JSON than expected.
pub async fn entity_facts(db: &Db) -> Result<Vec<EntityFacts>, Error> {
    let sql = AssertSqlSafe(statements::entity_facts());
    let Json(facts) = db.fetch_one_readonly("read the facts of the entities", sql, |query| query).await?;
    Ok(facts)
}
