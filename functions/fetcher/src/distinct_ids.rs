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

    /// Returns the counts.
    pub(crate) fn count(mut self) -> DistinctCount {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        DistinctCount { identified: self.hashes.len() as u64, unidentified: self.unidentified }
    }
}

/// Counts of the records of a whole listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DistinctCount {
    /// Number of distinct ids.
    pub(crate) identified: u64,
    /// Number of elements without a usable id, null ones included.
    pub(crate) unidentified: u64,
}

impl DistinctCount {
    /// Returns the number of records that Gazelle counts.
    pub(crate) fn total(self) -> u64 {
        self.identified + self.unidentified
    }
}
