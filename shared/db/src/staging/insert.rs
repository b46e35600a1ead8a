//! Insertion of new records into a staging table. A record that `jsonb` refuses is wrapped.

use model::entity::Entity;
use model::row::WRAPPER_KEY;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::bisect::{BatchWork, bisect};
use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::staging::dedup::{DedupedRecord, fetched_at, source_keys};
use crate::staging::page::PageNodes;
use crate::statements::staging;

/// Insertion of new records of one entity.
struct Insert<'a> {
    sql: String,
    pages: &'a [&'a PageNodes<'a>],
}

impl<'r> BatchWork<&'r DedupedRecord<'r>> for Insert<'_> {
    type Output = ();

    async fn run(&self, tx: &mut Tx, batch: &[&'r DedupedRecord<'r>]) -> Result<Vec<()>, Error> {
        let jsons = batch.iter().map(|record| record.node.json.to_owned()).collect();
        self.insert(tx, batch, jsons).await?;
        Ok(vec![(); batch.len()])
    }
}

impl Insert<'_> {
    async fn insert(
        &self,
        tx: &mut Tx,
        records: &[&DedupedRecord<'_>],
        jsons: Vec<String>,
    ) -> Result<(), Error> {
        let pages = self.pages;
        let all = || records.iter().copied();
        tx.query(AssertSqlSafe(self.sql.clone()))
            .bind(all().map(|record| record.node.id.clone().unwrap_or_default()).collect::<Vec<_>>())
            .bind(all().map(|record| record.node.parent_id.clone()).collect::<Vec<_>>())
            .bind(all().map(|record| record.hash.to_vec()).collect::<Vec<_>>())
            .bind(jsons)
            .bind(fetched_at(pages, all()))
            .bind(all().map(|record| pages[record.page].metadata.run_id.as_str()).collect::<Vec<_>>())
            .bind(source_keys(pages, all()))
            .bind(all().map(DedupedRecord::times).collect::<Vec<_>>())
            .execute(tx.connection())
            .await
            .during("insert staged records")?;
        Ok(())
    }
}

/// Inserts new records, and returns how many `jsonb` refused. Those are wrapped: their text is kept as a JSON string,
/// with the reason.
pub(crate) async fn insert_records(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    records: &[&DedupedRecord<'_>],
) -> Result<u32, Error> {
    let work = Insert { sql: staging::insert_records(entity), pages };
    let results = bisect(tx, &work, records).await?;
    let mut refused = Vec::new();
    let mut wrappers = Vec::new();
    for (record, result) in records.iter().zip(results) {
        if let Err(refusal) = result {
            let wrapper = json!({ WRAPPER_KEY: { "reason": refusal.reason, "json": record.node.json } });
            refused.push(*record);
            wrappers.push(wrapper.to_string());
        }
    }
    if !refused.is_empty() {
        work.insert(tx, &refused, wrappers).await?;
    }
    Ok(u32::try_from(refused.len()).unwrap_or(u32::MAX))
}
