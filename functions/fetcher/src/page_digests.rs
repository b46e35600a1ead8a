//! Digests of the pages of an entity's listing as they were stored last: an unchanged page is not stored again.
//!
//! An incremental run passes over a page only if these three conditions hold; otherwise it stores every page anew,
//! and nothing is lost:
//! - the digests were written by the run before it in its lane (a run that broke off may have stored other pages);
//! - no other lane has worked since (it may have stored another content of the same records);
//! - the query is the same.

use chrono::{DateTime, Utc};
use lambda::error_chain;
use object_store::{Object, ObjectStore, StateError};
use protocol::listing::Listing;
use protocol::object_key::{self, RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::digest::hexadecimal;

/// Bytes of a page's SHA-256 that are kept: enough that no two pages collide by chance.
const DIGEST_BYTES: usize = 16;

/// State object of an entity's digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestsState {
    run_id: Option<RunId>,
    query_sha256: String,
    /// Time at which a run of another lane ended. It makes every such write differ, so that a run that has read the
    /// object before gets a conflict.
    forgotten_at: Option<DateTime<Utc>>,
    /// Digest of each page in the order of the listing; none for a page that must be stored when it comes again.
    pages: Vec<Option<String>>,
}

/// Digests of an entity's pages: those stored before, and those of the current run.
#[derive(Debug)]
pub(crate) struct PageDigests {
    object: Object<DigestsState>,
    /// Digests of the pages that the current run has read.
    seen: Vec<Option<String>>,
}

impl PageDigests {
    /// Reads the digests of `entity`; none of them if there is no object yet.
    pub(crate) async fn load(store: &ObjectStore, entity: &'static str) -> Result<Self, StateError> {
        let object = store.load(&object_key::page_digests(entity)).await?;
        Ok(Self { object, seen: Vec::new() })
    }

    /// Deletes the digests of `entity`, because a run of another lane has stored pages of the same records.
    pub(crate) async fn forget(store: &ObjectStore, entity: &'static str) -> Result<(), StateError> {
        loop {
            let mut object: Object<DigestsState> = store.load(&object_key::page_digests(entity)).await?;
            object.value = DigestsState { forgotten_at: Some(Utc::now()), ..DigestsState::default() };
            match store.save(&mut object).await {
                Err(StateError::Conflict { .. }) => {}
                result => return result,
            }
        }
    }

    /// Returns whether the run `run_id` wrote the digests, with the query of this digest.
    pub(crate) fn is_of(&self, run_id: Option<&RunId>, query_sha256: &str) -> bool {
        let state = &self.object.value;
        run_id.is_some() && state.run_id.as_ref() == run_id && state.query_sha256 == query_sha256
    }

    /// Returns whether `page`, counted from 1, holds what it held when it was stored last; remembers what it holds now.
    pub(crate) fn is_unchanged(&mut self, page: u32, listing: &Listing<'_>) -> bool {
        let index = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        // A partial response, with errors beside its data, does not show what Gazelle holds.
        let digest = listing.errors.is_empty().then(|| digest(listing));
        let is_unchanged = digest.is_some() && self.object.value.pages.get(index) == Some(&digest);
        if self.seen.len() <= index {
            self.seen.resize(index + 1, None);
        }
        if let Some(slot) = self.seen.get_mut(index) {
            *slot = digest;
        }
        is_unchanged
    }

    /// Returns whether the listing had more pages when the digests were written than this run has read.
    pub(crate) fn had_more_pages(&self) -> bool {
        self.object.value.pages.len() > self.seen.len()
    }

    /// Stores the digests of a run that has read its listing to the end.
    ///
    /// An error is only logged: without the digests, the next run stores every page anew.
    pub(crate) async fn save(mut self, store: &ObjectStore, run_id: &RunId, query_sha256: &str) {
        self.object.value = DigestsState {
            run_id: Some(run_id.clone()),
            query_sha256: query_sha256.to_owned(),
            forgotten_at: None,
            pages: self.seen,
        };
        // A conflict means that a run of another lane has ended in the meantime.
        if let Err(error) = store.save(&mut self.object).await {
            warn!(
                run.id = %run_id,
                "Could not save the page digests, the next run stores every page anew: {}",
                error_chain(&error)
            );
        }
    }
}

fn digest(listing: &Listing<'_>) -> String {
    // Of the records alone: Gazelle's total count is part of every page, and one new record would change them all.
    let mut hash = Sha256::new();
    for node in &listing.nodes {
        hash.update(node.get());
        hash.update([0]);
    }
    hexadecimal(&hash.finalize()[..DIGEST_BYTES])
}
