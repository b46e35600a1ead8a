//! What each page of an entity's listing held when it was stored last: an unchanged page costs nothing.
//!
//! A frequent run passes over a page only while these three hold; else it stores every page anew, and
//! nothing is lost:
//! - the list was written by the run before it in its lane (a run that broke off may have stored others);
//! - no other lane is at work or has been since (it may have stored something else of the same records);
//! - the query is the same.

use chrono::{DateTime, Utc};
use protocol::object_key::{self, RunId};
use protocol::raw_page::Listing;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use object_store::{Object, ObjectStore, StateError};

/// The object behind it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagesState {
    run_id: Option<RunId>,
    query_sha256: String,
    /// When another lane ended: makes every writing differ, so that a run which read before is told.
    forgotten_at: Option<DateTime<Utc>>,
    /// In the order of the listing; none for a page that must be stored when it comes again.
    pages: Vec<Option<String>>,
}

/// What is known of an entity's pages.
#[derive(Debug)]
pub(crate) struct KnownPages {
    object: Object<PagesState>,
    /// What this run has seen so far.
    seen: Vec<Option<String>>,
}

impl KnownPages {
    /// Reads what is known.
    pub(crate) async fn load(store: &ObjectStore, entity: &'static str) -> Result<Self, StateError> {
        let object = store.load(&object_key::known_pages(entity)).await?;
        Ok(Self { object, seen: Vec::new() })
    }

    /// Whether that run, with that query, wrote the list.
    pub(crate) fn is_of(&self, run_id: Option<&RunId>, query_sha256: &str) -> bool {
        let state = &self.object.value;
        run_id.is_some() && state.run_id.as_ref() == run_id && state.query_sha256 == query_sha256
    }

    /// Whether that page held the same when it was stored last; remembers what it holds now.
    pub(crate) fn is_unchanged(&mut self, page: u32, listing: &Listing<'_>) -> bool {
        let place = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX);
        // An answer in part is not what the source holds.
        let digest = listing.errors.is_empty().then(|| digest(listing));
        let is_unchanged = digest.is_some() && self.object.value.pages.get(place) == Some(&digest);
        if self.seen.len() <= place {
            self.seen.resize(place + 1, None);
        }
        if let Some(slot) = self.seen.get_mut(place) {
            *slot = digest;
        }
        is_unchanged
    }

    /// Whether the listing had more pages when the list was written.
    pub(crate) fn were_more(&self) -> bool {
        self.object.value.pages.len() > self.seen.len()
    }

    /// Writes down what a run that read its list to the end has seen.
    pub(crate) async fn save(mut self, store: &ObjectStore, run_id: &RunId, query_sha256: &str) {
        self.object.value = PagesState {
            run_id: Some(run_id.clone()),
            query_sha256: query_sha256.to_owned(),
            forgotten_at: None,
            pages: self.seen,
        };
        // Another lane has ended meanwhile, or the store is out of reach: the next run stores everything.
        if let Err(error) = store.save(&mut self.object).await {
            warn!("The next run stores every page anew: {error}");
        }
    }

    /// Forgets everything: another lane has stored pages of these records.
    pub(crate) async fn forget(store: &ObjectStore, entity: &'static str) -> Result<(), StateError> {
        loop {
            let mut object: Object<PagesState> = store.load(&object_key::known_pages(entity)).await?;
            object.value = PagesState { forgotten_at: Some(Utc::now()), ..PagesState::default() };
            match store.save(&mut object).await {
                Err(StateError::Taken { .. }) => {}
                done => return done,
            }
        }
    }
}

fn digest(listing: &Listing<'_>) -> String {
    // The records alone: the source's count stands on every page and moves with any of them.
    let mut hash = Sha256::new();
    for node in &listing.nodes {
        hash.update(node.get());
        hash.update([0]);
    }
    crate::hexadecimal(&hash.finalize()[..16])
}
