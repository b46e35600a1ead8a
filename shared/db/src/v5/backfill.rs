//! Backfill: fills what fresher rows leave empty of the columns that people keep by hand, with the values of V5.

use std::collections::HashSet;

use model::entity::Entity;
use protocol::v5_import;
use sqlx::AssertSqlSafe;

use super::statements;
use crate::bisect::{BatchWork, bisect};
use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::production::candidate::{Candidate, PromotionOutcome, cells, ids, outcomes, staging_ids};

/// Returns the ids of those V5 candidates whose production row holds something fresher.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn already_newer(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &[Candidate],
) -> Result<HashSet<String>, Error> {
    let newer: Vec<String> = tx
        .query_scalar(AssertSqlSafe(statements::already_newer(entity)))
        .bind(ids(candidates))
        .bind(v5_import::FETCHED_AT)
        .fetch_all(tx.connection())
        .await
        .during("select the rows that are newer than V5")?;
    Ok(newer.into_iter().collect())
}

/// Fills the empty manual columns of rows that are newer than V5, and nothing else: what the source said, and when,
/// stays as it is. Returns an outcome for each candidate, in their order. A row that the database refuses fails alone.
///
/// # Errors
/// The database is in trouble, and no row is at fault.
pub async fn backfill_manual_columns(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &[Candidate],
) -> Result<Vec<PromotionOutcome>, Error> {
    let Some(sql) = statements::backfill(entity) else {
        return Ok(vec![PromotionOutcome::Unchanged; candidates.len()]);
    };
    let results = bisect(tx, &Backfill { entity, sql }, candidates).await?;
    Ok(results.into_iter().map(PromotionOutcome::from).collect())
}

/// Statement that fills the empty manual columns of one entity.
struct Backfill<'e> {
    entity: &'e Entity,
    sql: String,
}

impl BatchWork<Candidate> for Backfill<'_> {
    type Output = PromotionOutcome;

    async fn run(&self, tx: &mut Tx, batch: &[Candidate]) -> Result<Vec<PromotionOutcome>, Error> {
        let query = tx
            .query_scalar(AssertSqlSafe(self.sql.clone()))
            .bind(v5_import::FETCHED_AT)
            .bind(staging_ids(batch))
            .bind(ids(batch));
        let columns = statements::manual_columns(self.entity);
        let query = columns.fold(query, |query, (index, _)| query.bind(cells(batch, index)));
        let changed: Vec<String> =
            query.fetch_all(tx.connection()).await.during("backfill manual columns")?;
        Ok(outcomes(batch, &changed))
    }
}
