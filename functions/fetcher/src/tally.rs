//! How many different records a listing held: eight bytes each, whatever its length.

use std::hash::{DefaultHasher, Hash, Hasher};

use protocol::raw_page::Listing;

/// The ids seen, as hashes: that two of a million ids share one is less likely than one in ten million.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    ids: Vec<u64>,
    /// Elements without a usable id: the source counts them, too.
    unidentified: u64,
}

impl Tally {
    /// Adds a page.
    pub(crate) fn add(&mut self, listing: &Listing<'_>) {
        for id in listing.ids() {
            match id {
                Some(id) => {
                    let mut hash = DefaultHasher::new();
                    id.hash(&mut hash);
                    self.ids.push(hash.finish());
                }
                None => self.unidentified += 1,
            }
        }
    }

    /// How many there are.
    pub(crate) fn distinct(mut self) -> u64 {
        self.ids.sort_unstable();
        self.ids.dedup();
        self.ids.len() as u64 + self.unidentified
    }
}
