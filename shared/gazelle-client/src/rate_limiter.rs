//! Rate limiter that all invocations share: they reserve time slots in one state object.
//!
//! An invocation reserves several slots at once, so that not every request costs a write; their number follows from
//! how many of the last ones it could use. A slot that was not used in time is lost.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use object_store::{Object, ObjectStore, StateError};
use protocol::object_key;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::error::ApiError;

/// Factor by which slots are longer than the configured rate asks: requests that bunch up on their way must not
/// exceed the rate when they arrive.
const HEADROOM: f64 = 1.05;
/// Delay after which a slot cannot be used any more: less than the headroom of one second makes up for.
const LATE_MAX: TimeDelta = TimeDelta::milliseconds(25);
/// Longest time spanned by the slots that one write reserves, in seconds: the other invocations wait for them.
const SPAN_MAX_S: f64 = 0.5;
/// Attempts to write the state: invocations race for it, and in each attempt one of them succeeds.
const RACES_MAX: u32 = 60;
/// Upper bound for the distance of `free_at` from now; beyond it the state is corrupt.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(10);

/// State that all invocations share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RateLimiterState {
    /// Start of the first slot that is not reserved.
    free_at: Option<DateTime<Utc>>,
    /// Random number that makes every write differ. Without it, two invocations that reserve as many slots at once
    /// would write the same bytes, and the one that lost would take the other's write for its own.
    #[serde(default, rename = "writing")]
    nonce: u64,
}

/// Limits requests to one per interval over all invocations; those of one invocation pass in the order of their calls.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    interval: TimeDelta,
    slots_max: u32,
    store: Arc<ObjectStore>,
    /// State as this invocation wrote it last; it is still valid unless another invocation has written since.
    state: Mutex<Option<Object<RateLimiterState>>>,
    reserved: Mutex<ReservedSlots>,
    /// End of the pause that Gazelle asked for.
    paused_until: std::sync::Mutex<Option<DateTime<Utc>>>,
}

/// Slots that this invocation has reserved.
#[derive(Debug, Default)]
struct ReservedSlots {
    /// Start of the next slot.
    next: Option<DateTime<Utc>>,
    /// Number of slots that are left.
    left: u32,
    /// Slots of the last reservation.
    taken: u32,
    /// Slots of the last reservation that a request has used.
    used: u32,
}

impl RateLimiter {
    pub(crate) fn new(requests_per_second: f64, store: Arc<ObjectStore>) -> Self {
        let interval = Duration::from_secs_f64(HEADROOM / requests_per_second);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the rate is between 0 and 1,000 requests per second"
        )]
        let slots_max = (requests_per_second * SPAN_MAX_S).ceil() as u32;
        let interval = TimeDelta::from_std(interval).unwrap_or(AHEAD_MAX);
        Self {
            interval,
            slots_max,
            store,
            state: Mutex::default(),
            reserved: Mutex::default(),
            paused_until: std::sync::Mutex::default(),
        }
    }

    /// Waits until one request may be sent.
    pub(crate) async fn acquire(&self) -> Result<(), ApiError> {
        // The lock keeps its waiters in the order of their calls.
        let mut reserved = self.reserved.lock().await;
        loop {
            if let Some(until) = self.paused_until() {
                reserved.left = 0;
                sleep((until - Utc::now()).to_std().unwrap_or_default()).await;
            }
            let Some(slot) = reserved.next_usable(self.interval, Utc::now()) else {
                self.reserve(&mut reserved).await?;
                continue;
            };
            sleep((slot - Utc::now()).to_std().unwrap_or_default()).await;
            if self.paused_until().is_none() && Utc::now() - slot <= LATE_MAX {
                reserved.used += 1;
                return Ok(());
            }
        }
    }

    /// Stops the requests of every invocation for `pause`, because Gazelle asked for it.
    ///
    /// Another invocation still uses the slots that it has reserved, at most those of [`SPAN_MAX_S`].
    pub(crate) async fn pause_all(&self, pause: Duration) -> Result<(), ApiError> {
        let until = Utc::now() + TimeDelta::from_std(pause).unwrap_or(AHEAD_MAX).min(AHEAD_MAX);
        {
            let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
            *paused_until = (*paused_until).max(Some(until));
        }
        self.move_free_at(|free_at| free_at.max(until)).await?;
        Ok(())
    }

    fn paused_until(&self) -> Option<DateTime<Utc>> {
        let paused_until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        paused_until.filter(|until| *until > Utc::now())
    }

    /// Reserves slots: twice as many as last time if each of those was used, else as many as were used.
    async fn reserve(&self, reserved: &mut ReservedSlots) -> Result<(), ApiError> {
        let wanted =
            if reserved.used < reserved.taken { reserved.used } else { reserved.taken.saturating_mul(2) };
        let count = wanted.clamp(1, self.slots_max.max(1));
        let span = self.interval * i32::try_from(count).unwrap_or(1);
        let end = self.move_free_at(|free_at| free_at + span).await?;
        *reserved = ReservedSlots { next: Some(end - span), left: count, taken: count, used: 0 };
        Ok(())
    }

    /// Changes the start of the first free slot, which is never in the past; returns the new one.
    async fn move_free_at(
        &self,
        change: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
    ) -> Result<DateTime<Utc>, ApiError> {
        let key = object_key::common_state("pace");
        let mut state = self.state.lock().await;
        let mut races = 0;
        loop {
            let mut object: Object<RateLimiterState> = match state.take() {
                Some(object) => object,
                None => self.store.load(&key).await.map_err(ApiError::RateLimiter)?,
            };
            let now = Utc::now();
            let free_at = object.value.free_at.unwrap_or(now);
            if free_at > now + AHEAD_MAX {
                let ahead_max_min = AHEAD_MAX.num_minutes();
                return Err(ApiError::RateLimiterState { key, free_at, ahead_max_min });
            }
            let free_at = change(free_at.max(now));
            object.value = RateLimiterState { free_at: Some(free_at), nonce: rand::random() };
            match self.store.save(&mut object).await {
                Ok(()) => {
                    *state = Some(object);
                    return Ok(free_at);
                }
                Err(StateError::Conflict { .. }) if races < RACES_MAX => {
                    races += 1;
                    sleep(object_store::jitter(1..20)).await;
                }
                Err(error) => return Err(ApiError::RateLimiter(error)),
            }
        }
    }
}

impl ReservedSlots {
    /// Takes slots until one can still be used; returns its start.
    fn next_usable(&mut self, interval: TimeDelta, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        while self.left > 0 {
            let slot = self.next?;
            self.next = Some(slot + interval);
            self.left -= 1;
            if now - slot <= LATE_MAX {
                return Some(slot);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use object_store::MemoryObjectStore;
    use tokio::time::Instant;

    use super::*;

    fn shared_store() -> Arc<ObjectStore> {
        Arc::new(ObjectStore::Memory(MemoryObjectStore::default()))
    }

    #[tokio::test]
    async fn invocations_share_one_rate_and_one_pause() {
        let store = shared_store();
        let (first, second) = (RateLimiter::new(50.0, Arc::clone(&store)), RateLimiter::new(50.0, store));
        let start = Instant::now();
        for _ in 0..10 {
            let (one, other) = tokio::join!(first.acquire(), second.acquire());
            assert!(one.is_ok() && other.is_ok());
        }
        assert!(start.elapsed() >= Duration::from_millis(19 * 20), "{:?}", start.elapsed());
        let paused = Instant::now();
        assert!(first.pause_all(Duration::from_millis(300)).await.is_ok());
        // The other still has the slots that it reserved before the pause.
        for _ in 0..26 {
            assert!(second.acquire().await.is_ok());
        }
        assert!(paused.elapsed() >= Duration::from_millis(300), "{:?}", paused.elapsed());
    }

    #[tokio::test]
    async fn slot_hours_ahead_is_an_error_and_no_wait() {
        let store = shared_store();
        let ObjectStore::Memory(memory) = &*store else { panic!() };
        memory.overwrite(
            "state/pace.json",
            br#"{"schema_version":2,"state":{"free_at":"2999-01-01T00:00:00Z"}}"#,
        );
        let acquired = RateLimiter::new(5.0, Arc::clone(&store)).acquire().await;
        let message = acquired.map_err(|error| error.to_string()).err().unwrap_or_default();
        assert!(
            message.contains("state/pace.json cannot be read") && message.contains("delete it"),
            "{message}"
        );
    }
}
