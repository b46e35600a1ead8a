//! Raw pages on their way into staging, and the counts of what was staged.

use chrono::{DateTime, Utc};
use protocol::raw_page::{Metadata, Nodes};

/// Raw page whose records were taken apart.
#[derive(Debug)]
pub struct PageNodes<'a> {
    /// Key of the object in the bucket.
    pub source_key: &'a str,
    /// Request that the page answers, and the time at which it was fetched.
    pub metadata: &'a Metadata,
    /// Time at which the page counts as fetched: that of its metadata, but never later than the database's own clock.
    pub fetched_at: DateTime<Utc>,
    /// True if the metadata says that the page was fetched in the future, as by a wrong clock.
    pub is_from_the_future: bool,
    /// Number of records in a damaged part of the page, which are in quarantine with it.
    pub damaged: u64,
    /// Records of the page.
    pub nodes: Nodes<'a>,
}

/// Counts of what staging did with some pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StagedCounts {
    /// Pages staged by this call; the others had been staged before.
    pub pages: u32,
    /// Rows that became pending because of these pages.
    pub staged: u32,
    /// Records that staging held already.
    pub duplicates: u32,
    /// Records that `jsonb` refused, and that were repaired or wrapped.
    pub wrapped: u32,
    /// Pages that said they were fetched in the future.
    pub from_the_future: u32,
}
