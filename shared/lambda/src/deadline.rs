//! When an invocation must have answered.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// A deadline before this is none: `cargo lambda watch` sends its timeout as if it were an instant.
const EPOCH_PLAUSIBLE: Duration = Duration::from_hours(24 * 365 * 30);

/// The deadline on the runtime's clock, from Lambda's on the wall clock, `margin` ahead of it.
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
    async fn a_deadline_of_1970_is_taken_for_the_timeout_that_it_is() {
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
