//! Takes announced objects to staging: pages together, manifests one by one, oddities aside.

use std::collections::BTreeMap;

use db::Db;
use db::staging::{PageNodes, Quarantined};
use futures::future::join_all;
use model::entity::{self, Entity};
use protocol::manifest::Manifest;
use protocol::object_key::{self, ObjectKind, RunId};
use protocol::raw_page::{self, Metadata, PageNodesError, RawPage};
use tracing::{info, warn};

use crate::raw_source::{Found, RawSource, SourceError};

/// Pages staged in one transaction take about this much memory, several times over.
const BATCH_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A batch of SQS announces ten objects as a rule.
const READS_AT_ONCE: usize = 10;

/// Why an object is not staged yet: it will be when it is announced again.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The object could not be read.
    #[error("{key}: {source}")]
    Read {
        /// The object's key.
        key: String,
        /// What the bucket said.
        source: SourceError,
    },
    /// The database refused or was out of reach.
    #[error("{key}: {source}")]
    Database {
        /// The object's key.
        key: String,
        /// What the database said.
        source: db::Error,
    },
}

/// What became of announced objects.
#[derive(Debug, Default)]
pub struct Staged {
    /// Entities whose records wait for the reconciler.
    pub bells: Vec<&'static str>,
    /// Objects that must be announced again, with the reason.
    pub failed: Vec<(String, StageError)>,
}

/// A raw page as it was read.
struct Page {
    key: String,
    metadata: Metadata,
    bytes: Vec<u8>,
}

/// What an object turned out to be.
enum Read {
    Page(&'static Entity, Box<Page>),
    Manifest(&'static Entity, Box<Manifest>),
    Odd { entity: Option<String>, reason: String },
}

/// Stages the objects of these keys. No object's trouble touches another's.
pub async fn stage(db: &Db, source: &impl RawSource, keys: &[String]) -> Staged {
    let mut staged = Staged::default();
    let mut pages: BTreeMap<&'static str, Vec<Page>> = BTreeMap::new();
    if let Err(error) = db::queries::is_reachable(db).await {
        // One wait for the whole batch, not one for each of its objects.
        let reason = error.to_string();
        staged.failed.extend(keys.iter().map(|key| (key.clone(), unserved(key, &reason))));
        return staged;
    }
    // What is none of ours is not even read: we may not be allowed to, and would try for days.
    let (ours, foreign): (Vec<String>, Vec<String>) =
        keys.iter().cloned().partition(|key| object_key::kind(key).is_some());
    for key in &foreign {
        let reason = "the key is none of a raw page or a manifest";
        if let Err(source) = set_aside(db, key, None, reason, None).await {
            staged.failed.push((key.clone(), StageError::Database { key: key.clone(), source }));
        }
    }
    for (key, found) in read_all(source, &ours).await {
        let read = match found {
            Ok(Found::Bytes(bytes)) => recognise(key, bytes),
            Ok(Found::Gone) => {
                Read::Odd { entity: None, reason: "the object does not exist any more".to_owned() }
            }
            Err(source) => {
                staged.failed.push((key.clone(), StageError::Read { key: key.clone(), source }));
                continue;
            }
        };
        let result = match read {
            Read::Page(entity, page) => {
                pages.entry(entity.name).or_default().push(*page);
                continue;
            }
            Read::Manifest(entity, manifest) => {
                // A run that ended may have proven something, though it stored no page.
                staged.bells.push(entity.name);
                db::runs::record_manifest(db, entity, &manifest).await
            }
            Read::Odd { entity, reason } => set_aside(db, key, entity.as_deref(), &reason, None).await,
        };
        if let Err(source) = result {
            staged.failed.push((key.clone(), StageError::Database { key: key.clone(), source }));
        }
    }
    for (name, pages) in pages {
        if let Some(entity) = entity::find(name) {
            stage_pages(db, entity, pages, &mut staged).await;
        }
    }
    staged.bells.sort_unstable();
    staged.bells.dedup();
    staged
}

/// Reads the objects, several at a time: each costs a round trip.
async fn read_all<'k>(
    source: &impl RawSource,
    keys: &'k [String],
) -> Vec<(&'k String, Result<Found, SourceError>)> {
    let mut read = Vec::with_capacity(keys.len());
    for some in keys.chunks(READS_AT_ONCE) {
        let found = join_all(some.iter().map(|key| source.read(key))).await;
        read.extend(some.iter().zip(found));
    }
    read
}

/// Stages pages of one entity, as many in one transaction as memory allows.
async fn stage_pages(db: &Db, entity: &'static Entity, pages: Vec<Page>, staged: &mut Staged) {
    let mut rest = pages.as_slice();
    while !rest.is_empty() {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|page| {
            bytes += page.bytes.len();
            bytes <= BATCH_BYTES_MAX
        });
        let (batch, later) = rest.split_at(fitting.count().max(1));
        rest = later;
        let (readable, odd) = take_apart(entity, batch);
        for (key, metadata, reason) in odd {
            let page = Some((entity, metadata));
            if let Err(source) = set_aside(db, key, Some(entity.name), &reason, page).await {
                staged.failed.push((key.to_owned(), StageError::Database { key: key.to_owned(), source }));
            }
        }
        match db::staging::stage(db, entity, &readable).await {
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
                tell_runs(entity, &readable);
                // Even where nothing is new: the bell of an earlier delivery may have been lost.
                staged.bells.push(entity.name);
                staged.bells.extend(entity.children().map(|(child, _)| child.name));
            }
            Err(error) => {
                let reason = error.to_string();
                let unserved = readable
                    .iter()
                    .map(|page| (page.source_key.to_owned(), unserved(page.source_key, &reason)));
                staged.failed.extend(unserved);
            }
        }
    }
}

/// A line for each run, so that one query of the logs follows its trace.
fn tell_runs(entity: &Entity, pages: &[PageNodes<'_>]) {
    let mut runs: BTreeMap<&RunId, usize> = BTreeMap::new();
    for page in pages {
        *runs.entry(&page.metadata.run_id).or_default() += 1;
    }
    for (run, pages) in runs {
        let (run_id, trace_id) = (run.as_str(), run.trace_id());
        info!(
            entity = entity.name,
            run.id = run_id,
            trace.id = trace_id,
            pages,
            "Staged {pages} pages of a run"
        );
    }
}

fn unserved(key: &str, reason: &str) -> StageError {
    StageError::Database { key: key.to_owned(), source: db::Error::Protocol(reason.to_owned()) }
}

/// Takes pages apart; those whose payload is no listing of the entity come back with the reason.
fn take_apart<'a>(
    entity: &'static Entity,
    batch: &'a [Page],
) -> (Vec<PageNodes<'a>>, Vec<(&'a str, &'a Metadata, String)>) {
    let mut readable = Vec::with_capacity(batch.len());
    let mut odd = Vec::new();
    for Page { key, metadata, bytes } in batch {
        match raw_page::nodes_of_page(entity, bytes) {
            Ok(nodes) => readable.push(PageNodes { source_key: key, metadata, nodes }),
            Err(error) => odd.push((key.as_str(), metadata, error.to_string())),
        }
    }
    (readable, odd)
}

fn recognise(key: &str, bytes: Vec<u8>) -> Read {
    let odd = |entity: Option<&str>, reason: String| Read::Odd { entity: entity.map(str::to_owned), reason };
    match object_key::kind(key) {
        Some(ObjectKind::Manifest) => match serde_json::from_slice::<Manifest>(&bytes) {
            Ok(manifest) => match entity::find(&manifest.entity) {
                Some(entity) => Read::Manifest(entity, Box::new(manifest)),
                None => odd(Some(&manifest.entity), PageNodesError::UnknownEntity.to_string()),
            },
            Err(error) => odd(None, format!("it is no manifest: {error}")),
        },
        Some(ObjectKind::RawPage) | None => {
            let metadata = match serde_json::from_slice::<RawPage<'_>>(&bytes) {
                Ok(page) => page.metadata,
                Err(error) => return odd(None, PageNodesError::Envelope(error).to_string()),
            };
            // A nested entity's own pages are answers by id.
            let is_readable = |entity: &&'static Entity| entity.query().is_some() || metadata.asked.is_some();
            match entity::find(&metadata.entity).filter(is_readable) {
                Some(entity) => Read::Page(entity, Box::new(Page { key: key.to_owned(), metadata, bytes })),
                None => odd(Some(&metadata.entity), PageNodesError::UnknownEntity.to_string()),
            }
        }
    }
}

async fn set_aside(
    db: &Db,
    key: &str,
    entity: Option<&str>,
    reason: &str,
    page: Option<(&'static Entity, &Metadata)>,
) -> Result<(), db::Error> {
    warn!(key, "Set {key} aside: {reason}");
    let item = Quarantined { source_key: key, kind: "object", entity, reason, bytes: None, page };
    db::staging::quarantine(db, &item).await
}
