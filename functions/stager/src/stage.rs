//! Staging of announced objects: raw pages in batches, manifests one by one, invalid objects into quarantine.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::Db;
use db::staging::PageNodes;
use futures::future::join_all;
use model::entity::Entity;
use protocol::object_key::{self, RunId};
use tracing::{info, warn};

use crate::error::StagerError;
use crate::parsed_object::{Page, ParsedObject, parse_object, parse_pages};
use crate::quarantine::quarantine_object;
use crate::raw_source::{RawSource, ReadObject};

/// Bytes of raw pages per transaction. Parsed, they take several times as much memory.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Concurrent reads: a batch of SQS announces ten objects as a rule.
const CONCURRENT_READS: usize = 10;

/// Raw pages to stage, by the entity's name.
type PagesByEntity = BTreeMap<&'static str, (&'static Entity, Vec<Page>)>;

/// Result of staging announced objects.
#[derive(Debug, Default)]
pub struct Staged {
    /// Names of the entities whose records wait for the reconciler.
    pub entities_to_reconcile: Vec<&'static str>,
    /// Keys of the objects that must be announced again, with the error.
    pub failed: Vec<(String, StagerError)>,
}

impl Staged {
    /// Notes a failure of the database for each of the keys.
    fn fail<'k>(&mut self, keys: impl Iterator<Item = &'k str>, error: db::Error) {
        let source = Arc::new(error);
        self.failed.extend(keys.map(|key| {
            let error = StagerError::StageObject { key: key.to_owned(), source: Arc::clone(&source) };
            (key.to_owned(), error)
        }));
    }
}

/// Stages the objects of these keys. The failure of one never touches another.
pub async fn stage(db: &Db, source: &impl RawSource, keys: &[String]) -> Staged {
    let mut staged = Staged::default();
    if let Err(error) = db::queries::is_reachable(db).await {
        // An outage costs one timeout for the whole batch, not one for each of its objects.
        staged.fail(keys.iter().map(String::as_str), error);
        return staged;
    }
    // An object under a foreign key is not even read: the function may lack the right to, and would try for days.
    let (known, foreign): (Vec<String>, Vec<String>) =
        keys.iter().cloned().partition(|key| object_key::object_kind(key).is_some());
    for key in &foreign {
        let reason = "the key is neither that of a raw page nor that of a manifest";
        if let Err(error) = quarantine_object(db, key, None, reason, None).await {
            staged.fail([key.as_str()].into_iter(), error);
        }
    }
    let mut pages = PagesByEntity::new();
    for (key, read) in read_all(source, &known).await {
        match read {
            Ok(object) => stage_object(db, key, object, &mut pages, &mut staged).await,
            Err(error) => staged.failed.push((key.clone(), error)),
        }
    }
    for (entity, pages) in pages.into_values() {
        stage_pages(db, entity, &pages, &mut staged).await;
    }
    staged.entities_to_reconcile.sort_unstable();
    staged.entities_to_reconcile.dedup();
    staged
}

/// Reads the objects, several at a time, because each read costs a round trip.
async fn read_all<'k>(
    source: &impl RawSource,
    keys: &'k [String],
) -> Vec<(&'k String, Result<ReadObject, StagerError>)> {
    let mut objects = Vec::with_capacity(keys.len());
    for chunk in keys.chunks(CONCURRENT_READS) {
        let read = join_all(chunk.iter().map(|key| source.read(key))).await;
        objects.extend(chunk.iter().zip(read));
    }
    objects
}

/// Records a manifest, quarantines an invalid object, and adds a raw page to `pages`.
async fn stage_object(
    db: &Db,
    key: &str,
    object: ReadObject,
    pages: &mut PagesByEntity,
    staged: &mut Staged,
) {
    let parsed = match object {
        ReadObject::Bytes(bytes) => parse_object(key, bytes),
        ReadObject::Gone => {
            ParsedObject::Invalid { entity: None, reason: "the object does not exist any more".to_owned() }
        }
    };
    let result = match parsed {
        ParsedObject::Page(entity, page) => {
            pages.entry(entity.name).or_insert_with(|| (entity, Vec::new())).1.push(*page);
            return;
        }
        ParsedObject::Manifest(entity, manifest) => {
            // A run that has ended may prove that records are missing, even if it stored no page.
            staged.entities_to_reconcile.push(entity.name);
            match db::runs::record_manifest(db, entity, &manifest).await {
                Err(error) if db::is_data_error(&error) => {
                    let reason = format!("the database refuses the manifest: {}", error.reason());
                    quarantine_object(db, key, Some(entity.name), &reason, None).await
                }
                recorded => recorded,
            }
        }
        ParsedObject::Invalid { entity, reason } => {
            quarantine_object(db, key, entity.as_deref(), &reason, None).await
        }
    };
    if let Err(error) = result {
        staged.fail([key].into_iter(), error);
    }
}

/// Stages pages of one entity, as many in one transaction as memory allows.
async fn stage_pages(db: &Db, entity: &'static Entity, pages: &[Page], staged: &mut Staged) {
    let mut rest = pages;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|page| {
            bytes += page.len();
            bytes <= BATCH_BYTES_MAX
        });
        let (batch, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        Box::pin(stage_batch(db, entity, batch, staged)).await;
    }
}

/// Stages a batch of pages in one transaction. If the database does not accept it, each page is staged alone, so that the
/// one at fault costs itself alone.
async fn stage_batch(db: &Db, entity: &'static Entity, batch: &[Page], staged: &mut Staged) {
    let Err(error) = stage_all(db, entity, batch, staged).await else { return };
    if batch.len() == 1 || db::is_out_of_reach(&error) {
        return set_aside(db, entity, batch, error, staged).await;
    }
    for page in batch {
        let alone = std::slice::from_ref(page);
        if let Err(error) = stage_all(db, entity, alone, staged).await {
            set_aside(db, entity, alone, error, staged).await;
        }
    }
}

/// Quarantines pages that the database refuses; those that it could not take now come again.
async fn set_aside(db: &Db, entity: &'static Entity, pages: &[Page], error: db::Error, staged: &mut Staged) {
    if !db::is_data_error(&error) {
        return staged.fail(pages.iter().map(|page| page.key.as_str()), error);
    }
    let reason = format!("the database refuses the page: {}", error.reason());
    for page in pages {
        quarantine_page(db, entity, page, &reason, staged).await;
    }
}

/// Stages pages in one transaction, and quarantines those whose payload cannot be read, and what is damaged.
async fn stage_all(
    db: &Db,
    entity: &'static Entity,
    pages: &[Page],
    staged: &mut Staged,
) -> Result<(), db::Error> {
    let mut parsed = parse_pages(entity, pages);
    for (page, reason) in parsed.invalid {
        quarantine_page(db, entity, page, &reason, staged).await;
    }
    stage_parsed(db, entity, &mut parsed.valid, staged).await?;
    quarantine_damage(db, entity, pages, staged).await;
    Ok(())
}

async fn stage_parsed(
    db: &Db,
    entity: &'static Entity,
    pages: &mut [PageNodes<'_>],
    staged: &mut Staged,
) -> Result<(), db::Error> {
    let counts = db::staging::stage(db, entity, pages).await?;
    info!(
        entity = entity.name,
        pages = counts.pages,
        staged = counts.staged,
        duplicates = counts.duplicates,
        wrapped = counts.wrapped,
        "Staged {} pages of {}",
        counts.pages,
        entity.name
    );
    if counts.from_the_future > 0 {
        warn!(
            entity = entity.name,
            pages = counts.from_the_future,
            "{} pages of {} say that they were fetched in the future: they count as fetched now",
            counts.from_the_future,
            entity.name
        );
    }
    log_runs(entity, pages);
    // Also if nothing is new: the reconcile request of an earlier delivery may have been lost.
    staged.entities_to_reconcile.push(entity.name);
    staged.entities_to_reconcile.extend(entity.children().map(|(child, _)| child.name));
    Ok(())
}

/// Quarantines the damaged part of each page whose other records are staged.
async fn quarantine_damage(db: &Db, entity: &'static Entity, batch: &[Page], staged: &mut Staged) {
    for page in batch {
        let Some(damage) = page.damage() else { continue };
        if let Err(error) = quarantine_object(db, &page.key, Some(entity.name), &damage, None).await {
            staged.fail([page.key.as_str()].into_iter(), error);
        }
    }
}

async fn quarantine_page(db: &Db, entity: &'static Entity, page: &Page, reason: &str, staged: &mut Staged) {
    let of_run = Some((entity, &page.metadata));
    if let Err(error) = quarantine_object(db, &page.key, Some(entity.name), reason, of_run).await {
        staged.fail([page.key.as_str()].into_iter(), error);
    }
}

/// Logs one line per run, so that one query of the logs follows its trace.
fn log_runs(entity: &Entity, pages: &[PageNodes<'_>]) {
    let mut pages_by_run: BTreeMap<&RunId, usize> = BTreeMap::new();
    for page in pages {
        *pages_by_run.entry(&page.metadata.run_id).or_default() += 1;
    }
    for (run, pages) in pages_by_run {
        let (run_id, trace_id) = (run.as_str(), run.trace_id());
        info!(
            entity = entity.name,
            run.id = run_id,
            trace.id = trace_id,
            pages,
            "Staged {pages} pages of {} from a run",
            entity.name
        );
    }
}
