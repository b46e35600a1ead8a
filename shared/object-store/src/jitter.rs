//! Random pauses between attempts to write one object.

use std::ops::Range;
use std::time::Duration;

use rand::RngExt;

/// Returns a random pause, in milliseconds: writers that raced for one object must not retry in step.
#[must_use]
pub fn jitter(range_ms: Range<u64>) -> Duration {
    Duration::from_millis(rand::rng().random_range(range_ms))
}
