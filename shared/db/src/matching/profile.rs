//! Profiles of records: the columns by which matching compares them.

use model::entity::Entity;
use model::matching::{MatchProfile, Matching};
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row};

use super::statements;
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Returns the profiles of these records; placeholders and deleted records have none.
pub(super) async fn read_profiles(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    ids: &[&str],
) -> Result<Vec<MatchProfile>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = tx
        .query(AssertSqlSafe(statements::profiles(entity, matching)))
        .bind(ids)
        .fetch_all(tx.connection())
        .await;
    let profiles = rows.and_then(|rows| rows.iter().map(|row| profile(matching, row)).collect());
    profiles.during("read the profiles of records")
}

fn profile(matching: &Matching, row: &PgRow) -> Result<MatchProfile, sqlx::Error> {
    let field = |column: &&'static str| Ok((*column, row.try_get(*column)?));
    let fields: Vec<(&'static str, Option<String>)> =
        matching.columns.iter().map(field).collect::<Result<_, sqlx::Error>>()?;
    Ok(MatchProfile::new(row.try_get("id")?, fields))
}
