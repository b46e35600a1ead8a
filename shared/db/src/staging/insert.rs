//! Insertion of new records into a staging table. A record that `jsonb` refuses is repaired, or else wrapped.

use std::fmt::Write as _;

use model::entity::Entity;
use model::repair::repair;
use model::row::WRAPPER_KEY;
use protocol::raw_page::Node;
use serde_json::{Value, json};
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
        let jsons = batch.iter().map(|record| stored_json(record.node)).collect();
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
            .bind(all().map(|record| pages[record.page].is_from_the_future).collect::<Vec<_>>())
            .execute(tx.connection())
            .await
            .during("insert staged records")?;
        Ok(())
    }
}

/// Insertion of repaired records, each with the reason for which it was refused as it is.
struct InsertRepaired<'a>(&'a Insert<'a>);

/// Record that `jsonb` refused, with the reason.
struct Refused<'r> {
    record: &'r DedupedRecord<'r>,
    reason: String,
}

impl<'r> BatchWork<Refused<'r>> for InsertRepaired<'_> {
    type Output = ();

    async fn run(&self, tx: &mut Tx, batch: &[Refused<'r>]) -> Result<Vec<()>, Error> {
        let records: Vec<_> = batch.iter().map(|refused| refused.record).collect();
        let jsons = batch.iter().map(Refused::repaired).collect();
        self.0.insert(tx, &records, jsons).await?;
        Ok(vec![(); batch.len()])
    }
}

impl Refused<'_> {
    /// Returns the object that keeps the text, and the original bytes where they are none.
    fn wrapper(&self) -> Value {
        let node = self.record.node;
        let mut wrapper = json!({ "reason": self.reason, "json": node.json });
        if let Some(original) = node.original {
            wrapper["hex"] = json!(hex(original));
        }
        wrapper
    }

    /// Returns the repaired record with its text as received; the bare wrapper where no repair is certain.
    fn repaired(&self) -> String {
        let node = self.record.node;
        repair(node.json)
            .or_else(|| node.original.map(|_| node.json.to_owned()))
            .and_then(|repaired| with_wrapper(&repaired, &self.wrapper(), node.id.is_some()))
            .unwrap_or_else(|| self.wrapped())
    }

    fn wrapped(&self) -> String {
        json!({ WRAPPER_KEY: self.wrapper() }).to_string()
    }
}

/// Returns the JSON of a record as staging stores it: as received, but for bytes that are no text.
fn stored_json(node: &Node<'_>) -> String {
    let Some(original) = node.original else { return node.json.to_owned() };
    let wrapper = json!({ "reason": "invalid UTF-8", "hex": hex(original) });
    with_wrapper(node.json, &wrapper, node.id.is_some()).unwrap_or_else(|| node.json.to_owned())
}

/// Adds the wrapper to a record; none where that is no object. A record without a usable id gets none by its repair:
/// it might be that of another record.
fn with_wrapper(record: &str, wrapper: &Value, has_id: bool) -> Option<String> {
    let fields = record.trim().strip_prefix('{')?.strip_suffix('}')?.trim_end();
    let comma = if fields.trim().is_empty() { "" } else { "," };
    let id = if has_id { "" } else { r#""id":null,"# };
    Some(format!("{{{fields}{comma}{id}\"{WRAPPER_KEY}\":{wrapper}}}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Inserts new records, and returns how many `jsonb` refused. Those are repaired where that is certain, else wrapped;
/// their text as received is kept beside the repaired record, with the reason.
pub(crate) async fn insert_records(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    records: &[&DedupedRecord<'_>],
) -> Result<u32, Error> {
    let work = Insert { sql: staging::insert_records(entity), pages };
    let results = bisect(tx, &work, records).await?;
    let refused: Vec<Refused<'_>> = records
        .iter()
        .zip(results)
        .filter_map(|(record, result)| Some(Refused { record, reason: result.err()?.reason }))
        .collect();
    if refused.is_empty() {
        return Ok(0);
    }
    let results = bisect(tx, &InsertRepaired(&work), &refused).await?;
    let beyond_repair: Vec<&Refused<'_>> = refused
        .iter()
        .zip(results)
        .filter(|(_, result)| result.is_err())
        .map(|(refused, _)| refused)
        .collect();
    if !beyond_repair.is_empty() {
        let records: Vec<_> = beyond_repair.iter().map(|refused| refused.record).collect();
        let wrappers = beyond_repair.iter().map(|refused| refused.wrapped()).collect();
        work.insert(tx, &records, wrappers).await?;
    }
    Ok(u32::try_from(refused.len()).unwrap_or(u32::MAX))
}
