//! The pace of requests.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Lets one request through per interval, in the order of asking.
#[derive(Debug)]
pub(super) struct RateLimiter {
    interval: Duration,
    next: Mutex<Instant>,
}

impl RateLimiter {
    pub(super) fn new(requests_per_second: f64) -> Self {
        Self {
            interval: Duration::from_secs_f64(1.0 / requests_per_second),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for a turn.
    pub(super) async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().await;
            let turn = (*next).max(Instant::now());
            *next = turn + self.interval;
            turn
        };
        sleep_until(turn).await;
    }

    /// Lets nobody through for a while: the source asked for it.
    pub(super) async fn hold(&self, pause: Duration) {
        let mut next = self.next.lock().await;
        *next = (*next).max(Instant::now() + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_never_comes_before_its_turn_and_a_hold_delays_all() {
        let limiter = RateLimiter::new(50.0);
        let start = Instant::now();
        for _ in 0..10 {
            limiter.turn().await;
        }
        assert!(start.elapsed() >= Duration::from_millis(9 * 20), "{:?}", start.elapsed());
        limiter.hold(Duration::from_millis(100)).await;
        limiter.turn().await;
        assert!(start.elapsed() >= Duration::from_millis(9 * 20 + 100), "{:?}", start.elapsed());
    }
}
