//! Raw pages on their way into staging, and the counts of what was staged.

use protocol::raw_page::{Metadata, Nodes};

/// Raw page whose records were taken apart.
#[derive(Debug)]
pub struct PageNodes<'a> {
    /// Key of the object in the bucket.
    pub source_key: &'a str,
    /// Request that the page answers, and the time at which it was fetched.
    pub metadata: &'a Metadata,
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
    /// Records that `jsonb` refused, and that were wrapped.
    pub wrapped: u32,
}
