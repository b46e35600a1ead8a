//! Digests of the pages of an entity's listing as they were stored last: an unchanged page is not stored again.
//!
//! An incremental run passes over a page only if these three conditions hold; otherwise it stores every page anew,
//! and nothing is lost:
//! - the digests were written by the run before it in its lane (a run that broke off may have stored other pages);
//! - no other lane has stored a page since that run began (it may hold another content of the same records); a lane
//!   that is stuck stores none, and changes nothing;
//! - the query is the same.

use std::collections::BTreeMap;

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
/// Truncated records whose digest is kept, far more than there are: beyond it some are stored once more.
const LOOKED_UP_MAX: usize = 2_000;

/// State object of an entity's digests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct DigestsState {
    run_id: Option<RunId>,
    query_sha256: String,
    /// Time at which a run of another lane ended. It makes every such write differ, so that a run that has read the
    /// object before gets a conflict.
    forgotten_at: Option<DateTime<Utc>>,
    /// Digest of each page in the order of the listing; none for a page that must be stored when it comes again.
    pages: Vec<Option<String>>,
    /// Pages that unfinished runs of other lanes had stored when the run began.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    background: String,
    /// Counts of the run that wrote the digests, if they contradicted each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contradiction: Option<Contradiction>,
    /// Digest of each truncated record as it was looked up last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    looked_up: BTreeMap<String, String>,
}

/// Counts of a listing that contradict each other: Gazelle's own count, and the number of different records listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contradiction {
    /// Count that Gazelle states at the end, if it can be read.
    pub(crate) counted: Option<u64>,
    /// Number of different records that it listed.
    pub(crate) listed: u64,
    /// Start of the run, if Gazelle's count changed while it listed: no other run meets the same contradiction.
    pub(crate) moved_at: Option<DateTime<Utc>>,
}

/// Digests of an entity's pages: those stored before, and those of the current run.
#[derive(Debug)]
pub(crate) struct PageDigests {
    object: Object<DigestsState>,
    /// Digests of the pages that the current run has read.
    seen: Vec<Option<String>>,
    /// Pages that unfinished runs of other lanes had stored when the current run began.
    background: String,
}

impl PageDigests {
    /// Reads the digests of `entity`; none of them if there is no object yet. `background` names the pages that
    /// unfinished runs of other lanes have stored.
    pub(crate) async fn load(
        store: &ObjectStore,
        entity: &'static str,
        background: String,
    ) -> Result<Self, StateError> {
        let object = store.load(&object_key::page_digests(entity)).await?;
        Ok(Self { object, seen: Vec::new(), background })
    }

    /// Deletes the digests of `entity`, because a run of another lane has stored pages of the same records.
    pub(crate) async fn forget(store: &ObjectStore, entity: &'static str) -> Result<(), StateError> {
        loop {
            let mut object: Object<DigestsState> = store.load(&object_key::page_digests(entity)).await?;
            let looked_up = std::mem::take(&mut object.value.looked_up);
            object.value =
                DigestsState { forgotten_at: Some(Utc::now()), looked_up, ..DigestsState::default() };
            match store.save(&mut object).await {
                Err(StateError::Conflict { .. }) => {}
                result => return result,
            }
        }
    }

    /// Compares looked up records with what the last lookup of each returned; deletes the digests of `entity` if one
    /// differs. The page that shows a truncated record is the same whatever its lookup returned: should the record
    /// change back before the next run, only a page that is stored again leads to another lookup.
    pub(crate) async fn note_lookups(
        store: &ObjectStore,
        entity: &'static str,
        looked_up: &BTreeMap<String, String>,
    ) -> Result<(), StateError> {
        loop {
            let mut object: Object<DigestsState> = store.load(&object_key::page_digests(entity)).await?;
            let known = &mut object.value.looked_up;
            if looked_up.iter().all(|(id, digest)| known.get(id) == Some(digest)) {
                return Ok(());
            }
            known.extend(looked_up.iter().map(|(id, digest)| (id.clone(), digest.clone())));
            while known.len() > LOOKED_UP_MAX {
                known.pop_first();
            }
            let looked_up = std::mem::take(known);
            object.value =
                DigestsState { forgotten_at: Some(Utc::now()), looked_up, ..DigestsState::default() };
            match store.save(&mut object).await {
                Err(StateError::Conflict { .. }) => {}
                result => return result,
            }
        }
    }

    /// Returns whether the run `run_id` wrote the digests, with the query of this digest, and no other lane has stored
    /// a page since it began.
    pub(crate) fn is_of(&self, run_id: Option<&RunId>, query_sha256: &str) -> bool {
        let state = &self.object.value;
        run_id.is_some()
            && state.run_id.as_ref() == run_id
            && state.query_sha256 == query_sha256
            && state.background == self.background
    }

    /// Returns whether `page`, counted from 1, holds what it held when it was stored last; remembers what it holds now.
    pub(crate) fn is_unchanged(&mut self, page: u32, listing: &Listing<'_>) -> bool {
        let index = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        // Also of a partial response, with errors beside its data: to store the same data once more would add nothing.
        let digest = Some(digest(listing));
        let is_unchanged = self.object.value.pages.get(index) == Some(&digest);
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

    /// Stores the digests of a run that has read its listing to the end. After a listing with counts that contradict
    /// each other, the next one must store every page as proof: the pages are left out, unless the counts were the same
    /// before, so that another listing would prove no more.
    ///
    /// An error is only logged: without the digests, the next run stores every page anew.
    pub(crate) async fn save(
        mut self,
        store: &ObjectStore,
        run_id: &RunId,
        query_sha256: &str,
        contradiction: Option<Contradiction>,
    ) {
        let former = &mut self.object.value;
        let is_lasting = contradiction.is_none() || former.contradiction == contradiction;
        self.object.value = DigestsState {
            run_id: Some(run_id.clone()),
            query_sha256: query_sha256.to_owned(),
            forgotten_at: None,
            pages: if is_lasting { self.seen } else { Vec::new() },
            background: self.background,
            contradiction,
            looked_up: std::mem::take(&mut former.looked_up),
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

/// Returns the digest of a record, as [`PageDigests::note_lookups`] compares it.
pub(crate) fn record_digest(json: &str) -> String {
    hexadecimal(&Sha256::digest(json)[..DIGEST_BYTES])
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
