//! Records that staging holds already: found by their content, counted, and made pending again where they are news.

use std::collections::HashMap;

use model::entity::Entity;
use sqlx::{AssertSqlSafe, FromRow};
use uuid::Uuid;

use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::staging::dedup::{DedupedRecord, fetched_at, source_keys};
use crate::staging::page::PageNodes;
use crate::statements::staging;

/// Staging row that holds a record already.
pub(crate) struct ExistingRow {
    id: Uuid,
    /// True if the record becomes pending again: it was settled, and since then replaced by other content, found to be
    /// gone, or requested by a person.
    pub(crate) revive: bool,
    /// True if its page is replayed: the record was counted as seen when the page was first staged.
    is_replayed: bool,
}

#[derive(FromRow)]
struct FoundRow {
    /// Index of the record in the batch.
    index: i64,
    id: Uuid,
    processed: bool,
    run_id: String,
    revive: bool,
}

/// Returns the rows that hold these records already, by the index of the record, and locks them. `replayed` tells for
/// each page whether its replay was requested.
pub(crate) async fn find_existing(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    replayed: &[bool],
    records: &[DedupedRecord<'_>],
) -> Result<HashMap<usize, ExistingRow>, Error> {
    let found: Vec<FoundRow> = tx
        .query_as(AssertSqlSafe(staging::find_existing(entity)))
        .bind(records.iter().map(|record| record.node.id.as_deref().unwrap_or_default()).collect::<Vec<_>>())
        .bind(records.iter().map(|record| record.hash.to_vec()).collect::<Vec<_>>())
        .bind(fetched_at(pages, records.iter()))
        .bind(source_keys(pages, records.iter()))
        .fetch_all(tx.connection())
        .await
        .during("find existing records")?;
    let existing = found.into_iter().map(|row| {
        let index = usize::try_from(row.index).unwrap_or(usize::MAX);
        let page = records.get(index).map_or(0, |record| record.page);
        let is_replayed = replayed.get(page).is_some_and(|replayed| *replayed);
        // A record that is still pending for the same run is counted with it anew, because the replay started the counts
        // of the run anew.
        let is_of_its_run = pages.get(page).is_some_and(|page| page.metadata.run_id.as_str() == row.run_id);
        let is_counted_anew = is_replayed && (is_of_its_run || row.processed);
        (index, ExistingRow { id: row.id, revive: row.revive || is_counted_anew, is_replayed })
    });
    Ok(existing.collect())
}

/// Counts records that staging holds already, and moves the time at which they were last seen forward.
pub(crate) async fn update_last_seen(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    again: &[(&DedupedRecord<'_>, &ExistingRow)],
) -> Result<(), Error> {
    if again.is_empty() {
        return Ok(());
    }
    let records = || again.iter().map(|(record, _)| *record);
    let times = again.iter().map(|(record, row)| if row.is_replayed { 0 } else { record.times() });
    tx.query(AssertSqlSafe(staging::update_last_seen(entity)))
        .bind(again.iter().map(|(_, row)| row.id).collect::<Vec<_>>())
        .bind(times.collect::<Vec<_>>())
        .bind(fetched_at(pages, records()))
        .bind(source_keys(pages, records()))
        .bind(records().map(|record| pages[record.page].metadata.run_id.as_str()).collect::<Vec<_>>())
        .bind(again.iter().map(|(_, row)| row.revive).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("update records last seen")?;
    Ok(())
}
