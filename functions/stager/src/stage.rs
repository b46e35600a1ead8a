//! Staging of announced objects: raw pages in batches, manifests one by one, invalid objects into quarantine.

use std::collections::BTreeMap;
use std::sync::Arc;

use db::Db;
use db::staging::PageNodes;
use futures::future::join_all;
use model::entity::Entity;
use protocol::object_key::{self, RunId};
use tracing::info;

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
            db::runs::record_manifest(db, entity, &manifest).await
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
            bytes += page.bytes.len();
            bytes <= BATCH_BYTES_MAX
        });
        let (batch, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        stage_batch(db, entity, batch, staged).await;
    }
}

/// Stages a batch of pages in one transaction, and quarantines those whose payload cannot be read.
async fn stage_batch(db: &Db, entity: &'static Entity, batch: &[Page], staged: &mut Staged) {
    let parsed = parse_pages(entity, batch);
    for (Page { key, metadata, .. }, reason) in parsed.invalid {
        let page = Some((entity, metadata));
        if let Err(error) = quarantine_object(db, key, Some(entity.name), &reason, page).await {
            staged.fail([key.as_str()].into_iter(), error);
        }
    }
    match db::staging::stage(db, entity, &parsed.valid).await {
        Ok(counts) => {
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
            log_runs(entity, &parsed.valid);
            // Also if nothing is new: the reconcile request of an earlier delivery may have been lost.
            staged.entities_to_reconcile.push(entity.name);
            staged.entities_to_reconcile.extend(entity.children().map(|(child, _)| child.name));
        }
        Err(error) => staged.fail(parsed.valid.iter().map(|page| page.source_key), error),
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
