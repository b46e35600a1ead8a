//! Comparison of V5 with the mirror: the changes that an import would make. Reads only.

use model::entity::{self, Entity};
use model::row::Row;
use protocol::v5_import;
use sqlx::AssertSqlSafe;

use super::reader::V5Reader;
use super::statements;
use crate::bisect::{BatchWork, bisect};
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Record of V5 that can become a row.
#[derive(Debug)]
pub struct ImportCandidate {
    /// Row that it becomes.
    pub row: Row,
    /// Complete record, as JSON.
    pub json: String,
}

/// Difference between a record of V5 and the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The mirror has no row of that id, or a placeholder.
    New,
    /// The record was imported before, and has changed since.
    Updated,
    /// The mirror agrees in every column that V5 fills.
    Same,
    /// The mirror disagrees, and is fresher.
    Differs,
}

impl Difference {
    /// Reads the word that the comparing statement returns.
    fn parse(word: &str) -> Self {
        match word {
            "new" => Self::New,
            "updated" => Self::Updated,
            "same" => Self::Same,
            _ => Self::Differs,
        }
    }
}

/// Effect that an import of a record would have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// Difference to the mirror, and true where an import would backfill manual columns of the mirror's row.
    Row(Difference, bool),
    /// The database refuses the record, for the reason given.
    Refused(String),
}

#[derive(sqlx::FromRow)]
struct ComparisonRow {
    difference: String,
    is_backfilled: bool,
}

/// Statement that compares records with the rows of one entity.
struct Compare<'e> {
    entity: &'e Entity,
    sql: String,
}

impl BatchWork<ImportCandidate> for Compare<'_> {
    type Output = Comparison;

    async fn run(&self, tx: &mut Tx, batch: &[ImportCandidate]) -> Result<Vec<Comparison>, Error> {
        let query = tx
            .query_as(AssertSqlSafe(self.sql.clone()))
            .bind(v5_import::FETCHED_AT)
            .bind(batch.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>())
            .bind(batch.iter().map(|candidate| candidate.json.as_str()).collect::<Vec<_>>());
        let query = (0..self.entity.columns.len()).fold(query, |query, column| {
            let cell = |candidate: &ImportCandidate| candidate.row.cells.get(column).cloned().flatten();
            query.bind(batch.iter().map(cell).collect::<Vec<_>>())
        });
        let rows: Vec<ComparisonRow> =
            query.fetch_all(tx.connection()).await.during("compare records of V5 with the mirror")?;
        let comparison =
            |row: &ComparisonRow| Comparison::Row(Difference::parse(&row.difference), row.is_backfilled);
        Ok(rows.iter().map(comparison).collect())
    }
}

impl V5Reader {
    /// Compares records of distinct ids with the mirror; returns a comparison for each, in their order.
    ///
    /// # Errors
    /// The database is in trouble, and no record is at fault.
    pub async fn compare(
        &mut self,
        entity: &Entity,
        candidates: &[ImportCandidate],
    ) -> Result<Vec<Comparison>, Error> {
        let work = Compare { entity, sql: statements::compare(entity) };
        let results = bisect(&mut self.tx, &work, candidates).await?;
        let comparisons = results
            .into_iter()
            .map(|result| result.unwrap_or_else(|refusal| Comparison::Refused(refusal.reason)));
        Ok(comparisons.collect())
    }

    /// Returns those of the ids that neither the mirror, nor an alias, nor the table of V5 knows: an import creates a
    /// placeholder for each.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn unknown_ids(&mut self, target: &'static str, ids: &[String]) -> Result<Vec<String>, Error> {
        let Some(entity) = entity::find(target) else { return Ok(Vec::new()) };
        let sql = statements::unknown_ids(entity, &self.holds(entity, "u.id"));
        self.tx
            .query_scalar(AssertSqlSafe(sql))
            .bind(ids)
            .bind(entity.name)
            .fetch_all(self.tx.connection())
            .await
            .during("look for unknown ids")
    }
}
