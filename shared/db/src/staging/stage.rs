//! Loading of raw pages into an entity's staging table: every record, once, without losing a byte.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use model::entity::Entity;
use protocol::raw_page::Node;
use sqlx::{AssertSqlSafe, FromRow};

use crate::deletion::lookup;
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};
use crate::runs::{self, StagedRun};
use crate::staging::dedup::{DedupedRecord, dedup};
use crate::staging::existing::{find_existing, update_last_seen};
use crate::staging::insert::insert_records;
use crate::staging::page::{PageNodes, StagedCounts};
use crate::statements::staging;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("select_now", SELECT_NOW)];

/// Stages pages of one entity, including the records of its nested entities, in one transaction.
///
/// A page that was staged before is skipped, so that any redelivery is harmless. The entity is locked, because whether a
/// record is new depends on the records that other stagers have just written.
///
/// # Errors
/// The database refused or was out of reach; nothing was staged then.
pub async fn stage(
    db: &Db,
    entity: &'static Entity,
    pages: &mut [PageNodes<'_>],
) -> Result<StagedCounts, Error> {
    if pages.is_empty() {
        return Ok(StagedCounts::default());
    }
    let mut tx = db.begin().await?;
    tx.lock_entity("stage", entity.staging_table).await?;
    let from_the_future = limit_to_now(&mut tx, pages).await?;
    let pages: &[PageNodes<'_>] = pages;
    let new = enter_pages(&mut tx, entity, pages).await?;
    let pages: Vec<&PageNodes<'_>> = pages.iter().filter(|page| new.contains_key(page.source_key)).collect();
    let mut counts = StagedCounts {
        pages: u32::try_from(pages.len()).unwrap_or(u32::MAX),
        from_the_future,
        ..StagedCounts::default()
    };
    if pages.is_empty() {
        tx.rollback().await?;
        return Ok(counts);
    }
    let replayed: Vec<bool> =
        pages.iter().map(|page| new.get(page.source_key).copied().unwrap_or_default()).collect();
    let own: Vec<&[Node<'_>]> = pages.iter().map(|page| page.nodes.own.as_slice()).collect();
    stage_nodes(&mut tx, entity, &pages, &replayed, &own, true, &mut counts).await?;
    for (index, (child, _)) in entity.children().enumerate() {
        let nested: Vec<&[Node<'_>]> = pages
            .iter()
            .map(|page| page.nodes.children.get(index).map_or(&[][..], |(_, nodes)| nodes))
            .collect();
        stage_nodes(&mut tx, child, &pages, &replayed, &nested, false, &mut counts).await?;
    }
    let results: Vec<_> = pages
        .iter()
        .flat_map(|page| page.nodes.lookup_results.iter().map(|result| (page.fetched_at, result)))
        .collect();
    lookup::record_lookup_results(&mut tx, entity, &results).await?;
    tx.commit().await?;
    Ok(counts)
}

const SELECT_NOW: &str = "select clock_timestamp()";

/// Moves the time of pages that come from the future, because of a wrong clock, to the present: they would be newer
/// than everything that is fetched until then. Returns their number.
async fn limit_to_now(tx: &mut Tx, pages: &mut [PageNodes<'_>]) -> Result<u32, Error> {
    let now: DateTime<Utc> =
        tx.query_scalar(SELECT_NOW).fetch_one(tx.connection()).await.during("read the clock")?;
    let mut limited = 0;
    for page in pages.iter_mut().filter(|page| page.fetched_at > now) {
        page.fetched_at = now;
        page.is_from_the_future = true;
        limited += 1;
    }
    Ok(limited)
}

/// Page that was not in the ledger before.
#[derive(FromRow)]
struct EnteredPage {
    source_key: String,
    /// True if a person wants the page promoted once more: its records are new then, known or not.
    is_replayed: bool,
}

/// Enters the pages in the ledger. Returns the keys of those that were not in it, each with whether its replay was
/// requested.
async fn enter_pages(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[PageNodes<'_>],
) -> Result<HashMap<String, bool>, Error> {
    let number = |page: &PageNodes<'_>| i32::try_from(page.metadata.page).unwrap_or(i32::MAX);
    let records = |page: &PageNodes<'_>| i32::try_from(page.nodes.own.len()).unwrap_or(i32::MAX);
    let entered: Vec<EnteredPage> = tx
        .query_as(AssertSqlSafe(staging::enter_pages()))
        .bind(entity.name)
        .bind(pages.iter().map(|page| page.source_key).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.metadata.run_id.as_str()).collect::<Vec<_>>())
        .bind(pages.iter().map(number).collect::<Vec<_>>())
        .bind(pages.iter().map(records).collect::<Vec<_>>())
        .fetch_all(tx.connection())
        .await
        .during("enter pages in the ledger")?;
    Ok(entered.into_iter().map(|page| (page.source_key, page.is_replayed)).collect())
}

/// Stages the records of one entity in these pages, and counts them in their runs. `is_listed` tells the entity of the
/// pages from those nested in it.
async fn stage_nodes(
    tx: &mut Tx,
    entity: &'static Entity,
    pages: &[&PageNodes<'_>],
    replayed: &[bool],
    nodes: &[&[Node<'_>]],
    is_listed: bool,
    counts: &mut StagedCounts,
) -> Result<(), Error> {
    let records = dedup(pages, nodes);
    let existing = find_existing(tx, entity, pages, replayed, &records).await?;
    let mut runs = StagedRun::of_pages(pages, nodes, is_listed);
    let mut new = Vec::new();
    let mut again = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let is_new = match existing.get(&index) {
            None => {
                new.push(record);
                true
            }
            Some(row) => {
                again.push((record, row));
                row.revive
            }
        };
        count_record(&mut runs, pages, record, is_new);
        counts.staged += u32::from(is_new);
        counts.duplicates += u32::from(!is_new) + u32::try_from(record.others.len()).unwrap_or_default();
    }
    counts.wrapped += insert_records(tx, entity, pages, &new).await?;
    update_last_seen(tx, entity, pages, &again).await?;
    runs::add_staged(tx, entity, runs.values()).await
}

/// Counts each copy of a record for the run that fetched it, so that the equation of every run closes.
fn count_record(
    runs: &mut runs::StagedRuns,
    pages: &[&PageNodes<'_>],
    record: &DedupedRecord<'_>,
    is_new: bool,
) {
    if let Some(run) = runs.get_mut(&pages[record.page].metadata.run_id) {
        run.staged += i32::from(is_new);
        run.duplicates += i32::from(!is_new);
    }
    for other in &record.others {
        if let Some(run) = runs.get_mut(&pages[*other].metadata.run_id) {
            run.duplicates += 1;
        }
    }
}
