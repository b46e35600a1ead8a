//! Promotion: writes rows into a production table, many at once, only where something changed, and never over
//! anything newer.

use model::entity::Entity;
use sqlx::AssertSqlSafe;

use crate::bisect::{BatchWork, bisect};
use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::production::candidate::{Candidate, PromotionOutcome, cells, ids, outcomes, staging_ids};
use crate::production::child_tables::ChildTableStatements;
use crate::statements::promotion;

/// Promotes candidates of distinct ids. Returns an outcome for each, in their order. A row that the database refuses
/// fails alone.
///
/// # Errors
/// The database is in trouble, and no row is at fault.
pub async fn promote(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &[Candidate],
) -> Result<Vec<PromotionOutcome>, Error> {
    let results = bisect(tx, &Upsert::new(entity), candidates).await?;
    Ok(results.into_iter().map(PromotionOutcome::from).collect())
}

/// Statements that insert or update the rows of one entity.
struct Upsert<'e> {
    entity: &'e Entity,
    sql: String,
    /// Statements of a partitioned table.
    partition_keys: Option<PartitionKeys>,
    /// Statements of the lists inside the records.
    child_tables: Option<ChildTableStatements>,
}

/// Bookkeeping of a partitioned table: the partition key of each id, so that an id has one row in all partitions.
struct PartitionKeys {
    /// Index of the partition key among the entity's columns.
    column: usize,
    /// Statement that records the keys of new ids.
    record: String,
    /// Statement that moves rows whose key has changed.
    move_rows: String,
}

impl<'e> Upsert<'e> {
    fn new(entity: &'e Entity) -> Self {
        let partition_keys = promotion::partition_key(entity).map(|(column, by)| PartitionKeys {
            column,
            record: promotion::record_partition_keys(entity, by),
            move_rows: promotion::move_rows(entity, by),
        });
        let sql = promotion::upsert(entity);
        Self { entity, sql, partition_keys, child_tables: ChildTableStatements::new(entity) }
    }
}

impl BatchWork<Candidate> for Upsert<'_> {
    type Output = PromotionOutcome;

    async fn run(&self, tx: &mut Tx, batch: &[Candidate]) -> Result<Vec<PromotionOutcome>, Error> {
        if let Some(keys) = &self.partition_keys {
            keys.update(tx, batch).await?;
        }
        let query =
            tx.query_scalar(AssertSqlSafe(self.sql.clone())).bind(staging_ids(batch)).bind(ids(batch));
        let columns = 0..self.entity.columns.len();
        let query = columns.fold(query, |query, column| query.bind(cells(batch, column)));
        let changed: Vec<String> = query.fetch_all(tx.connection()).await.during("upsert production rows")?;
        if let Some(child_tables) = &self.child_tables {
            child_tables.write(tx, batch).await?;
        }
        Ok(outcomes(batch, &changed))
    }
}

impl PartitionKeys {
    /// Records the partition keys of new ids, and moves the rows whose key has changed.
    async fn update(&self, tx: &mut Tx, batch: &[Candidate]) -> Result<(), Error> {
        let recorded = tx
            .query(AssertSqlSafe(self.record.clone()))
            .bind(ids(batch))
            .bind(cells(batch, self.column))
            .execute(tx.connection())
            .await
            .during("record partition keys")?;
        // If all ids are new, no row can lie in another partition.
        if recorded.rows_affected() == batch.len() as u64 {
            return Ok(());
        }
        tx.query(AssertSqlSafe(self.move_rows.clone()))
            .bind(ids(batch))
            .bind(cells(batch, self.column))
            .bind(staging_ids(batch))
            .execute(tx.connection())
            .await
            .during("move rows between partitions")?;
        Ok(())
    }
}
