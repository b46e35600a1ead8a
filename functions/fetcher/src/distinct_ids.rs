//! Count of the distinct records of a listing, in eight bytes per record.

use std::hash::{DefaultHasher, Hash, Hasher};

use protocol::listing::Listing;

/// Hashes of the ids of a listing. The probability that two of a million ids share one is below one in ten million.
#[derive(Debug, Default)]
pub(crate) struct DistinctIds {
    hashes: Vec<u64>,
    /// Elements without a usable id: Gazelle's own count includes them.
    unidentified: u64,
}

impl DistinctIds {
    /// Adds the records of one page.
    pub(crate) fn add(&mut self, listing: &Listing<'_>) {
        for id in listing.ids() {
            match id {
                Some(id) => {
                    let mut hasher = DefaultHasher::new();
                    id.hash(&mut hasher);
                    self.hashes.push(hasher.finish());
                }
                None => self.unidentified += 1,
            }
        }
    }

    /// Returns the number of distinct ids and of elements without one.
    pub(crate) fn count(mut self) -> u64 {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        self.hashes.len() as u64 + self.unidentified
    }
}
