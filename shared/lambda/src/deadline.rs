//! Deadline of an invocation, on the runtime's monotonic clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Earliest plausible deadline after 1970. `cargo lambda watch` sends its timeout in place of an instant, which
/// reads as a deadline of 1970.
const EPOCH_PLAUSIBLE: Duration = Duration::from_hours(24 * 365 * 30);

/// Converts Lambda's deadline `wall`, on the wall clock, into an instant `margin` ahead of it.
///
/// `now` is the present time on the wall clock. A deadline that has passed gives the present instant.
#[must_use]
pub fn deadline(wall: SystemTime, now: SystemTime, margin: Duration) -> Instant {
    let since_epoch = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let remaining = if since_epoch < EPOCH_PLAUSIBLE {
        since_epoch
    } else {
        wall.duration_since(now).unwrap_or_default()
    };
    Instant::now() + remaining.saturating_sub(margin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn deadline_of_1970_is_read_as_a_timeout() {
        let now = SystemTime::now();
        let left = |wall, margin| deadline(wall, now, Duration::from_secs(margin)) - Instant::now();
        let watch = left(SystemTime::UNIX_EPOCH + Duration::from_mins(10), 10);
        let lambda = left(now + Duration::from_mins(15), 10);
        let past = left(now - Duration::from_secs(1), 10);
        assert!((589..=590).contains(&watch.as_secs()), "{watch:?}");
        assert!((889..=890).contains(&lambda.as_secs()), "{lambda:?}");
        assert!(past.is_zero());
    }
}
