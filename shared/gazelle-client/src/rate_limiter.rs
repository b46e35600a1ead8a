//! The pace of requests, common to all invocations: slots of time are taken from one object.
//!
//! An invocation takes some slots at once, so that not every request costs a write; how many follows
//! from how many of the last ones it could use. A slot that could not be used in time is gone.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::object_key;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::sleep;

use object_store::{Object, ObjectStore, StateError};

/// A twentieth of the pace is kept back: requests that bunch on their way must not exceed it over there.
const HEADROOM: f64 = 1.05;
/// How late a slot may still be used: less than what the headroom makes up for in a second.
const LATE_MAX: TimeDelta = TimeDelta::milliseconds(25);
/// Slots taken at once span half a second at most: others wait for them.
const SPAN_MAX: f64 = 0.5;
/// Invocations that race for slots try again this often: each time, one of them has won.
const RACES_MAX: u32 = 60;
/// A pause, or a queue, longer than this is no pace of ours.
const AHEAD_MAX: TimeDelta = TimeDelta::minutes(10);

/// The object that all invocations share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceState {
    /// When the first slot begins that nobody has taken.
    free_at: Option<DateTime<Utc>>,
    /// Makes every writing differ: two who take as many slots at once would else write the same, and the
    /// one who lost would take the other's writing for its own.
    #[serde(default)]
    writing: u64,
}

/// Lets one request through per interval, over all invocations, in the order of asking.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: TimeDelta,
    slots_max: u32,
    store: Arc<ObjectStore>,
    /// As it was written last: where nobody else is at work it still holds.
    object: Mutex<Option<Object<PaceState>>>,
    mine: Mutex<Mine>,
    /// Nobody is let through before.
    held_until: std::sync::Mutex<Option<DateTime<Utc>>>,
}

/// The slots of this invocation.
#[derive(Debug, Default)]
struct Mine {
    next: Option<DateTime<Utc>>,
    left: u32,
    taken: u32,
    used: u32,
}

impl Pace {
    pub(crate) fn new(requests_per_second: f64, store: Arc<ObjectStore>) -> Self {
        let interval = Duration::from_secs_f64(HEADROOM / requests_per_second);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the pace is between 0 and 1,000 requests a second"
        )]
        let slots_max = (requests_per_second * SPAN_MAX).ceil() as u32;
        let interval = TimeDelta::from_std(interval).unwrap_or(AHEAD_MAX);
        Self {
            interval,
            slots_max,
            store,
            object: Mutex::default(),
            mine: Mutex::default(),
            held_until: std::sync::Mutex::default(),
        }
    }

    /// Waits for a turn.
    pub(crate) async fn turn(&self) -> Result<(), StateError> {
        // Those who wait here wait in the order of asking.
        let mut mine = self.mine.lock().await;
        loop {
            if let Some(until) = self.held_until() {
                mine.left = 0;
                sleep((until - Utc::now()).to_std().unwrap_or_default()).await;
            }
            let Some(slot) = mine.slot(self.interval, Utc::now()) else {
                self.take(&mut mine).await?;
                continue;
            };
            sleep((slot - Utc::now()).to_std().unwrap_or_default()).await;
            if self.held_until().is_none() && Utc::now() - slot <= LATE_MAX {
                mine.used += 1;
                return Ok(());
            }
        }
    }

    /// Lets nobody through for a while, in this invocation or another: the source asked for it.
    pub(crate) async fn hold(&self, pause: Duration) -> Result<(), StateError> {
        let until = Utc::now() + TimeDelta::from_std(pause).unwrap_or(AHEAD_MAX).min(AHEAD_MAX);
        {
            let mut held_until = self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
            *held_until = (*held_until).max(Some(until));
        }
        self.change(|free_at| free_at.max(until)).await?;
        Ok(())
    }

    fn held_until(&self) -> Option<DateTime<Utc>> {
        let held_until = *self.held_until.lock().unwrap_or_else(PoisonError::into_inner);
        held_until.filter(|until| *until > Utc::now())
    }

    /// Takes slots: twice as many as last time where none was wasted, else as many as were of use.
    async fn take(&self, mine: &mut Mine) -> Result<(), StateError> {
        let wanted = if mine.used < mine.taken { mine.used } else { mine.taken.saturating_mul(2) };
        let count = wanted.clamp(1, self.slots_max.max(1));
        let span = self.interval * i32::try_from(count).unwrap_or(1);
        let end = self.change(|free_at| free_at + span).await?;
        (mine.next, mine.left, mine.taken, mine.used) = (Some(end - span), count, count, 0);
        Ok(())
    }

    /// Moves the beginning of what is free; answers where it is now.
    async fn change(
        &self,
        moved: impl Fn(DateTime<Utc>) -> DateTime<Utc>,
    ) -> Result<DateTime<Utc>, StateError> {
        let key = object_key::common_state("pace");
        let mut held = self.object.lock().await;
        let mut lost = 0;
        loop {
            let mut object = match held.take() {
                Some(object) => object,
                None => self.store.load(&key).await?,
            };
            let now = Utc::now();
            let free_at = object.value.free_at.unwrap_or(now);
            if free_at > now + AHEAD_MAX {
                return Err(StateError::Malformed {
                    key,
                    reason: format!(
                        "free_at {free_at} lies more than {} minutes ahead",
                        AHEAD_MAX.num_minutes()
                    ),
                });
            }
            let free_at = moved(free_at.max(now));
            object.value = PaceState { free_at: Some(free_at), writing: rand::random() };
            match self.store.save(&mut object).await {
                Ok(()) => {
                    *held = Some(object);
                    return Ok(free_at);
                }
                Err(StateError::Taken { .. }) if lost < RACES_MAX => {
                    lost += 1;
                    sleep(object_store::jitter(1..20)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Mine {
    /// The next slot that can still be used.
    fn slot(&mut self, interval: TimeDelta, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
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
    use tokio::time::Instant;

    use super::*;
    use object_store::MemoryObjectStore;

    fn common() -> Arc<ObjectStore> {
        Arc::new(ObjectStore::Memory(MemoryObjectStore::default()))
    }

    #[tokio::test]
    async fn several_invocations_together_keep_the_pace_and_a_hold_delays_them_all() {
        let store = common();
        let (first, second) = (Pace::new(50.0, Arc::clone(&store)), Pace::new(50.0, store));
        let start = Instant::now();
        for _ in 0..10 {
            let (one, other) = tokio::join!(first.turn(), second.turn());
            assert!(one.is_ok() && other.is_ok());
        }
        assert!(start.elapsed() >= Duration::from_millis(19 * 20), "{:?}", start.elapsed());
        let held = Instant::now();
        assert!(first.hold(Duration::from_millis(300)).await.is_ok());
        // Slots taken before the hold are the other's own.
        for _ in 0..26 {
            assert!(second.turn().await.is_ok());
        }
        assert!(held.elapsed() >= Duration::from_millis(300), "{:?}", held.elapsed());
    }

    #[tokio::test]
    async fn a_pace_that_lies_hours_ahead_is_told_and_not_waited_for() {
        let store = common();
        let ObjectStore::Memory(memory) = &*store else { panic!() };
        memory.overwrite(
            "state/pace.json",
            br#"{"schema_version":2,"state":{"free_at":"2999-01-01T00:00:00Z"}}"#,
        );
        let told = Pace::new(5.0, Arc::clone(&store)).turn().await.map_err(|error| error.to_string());
        let message = told.err().unwrap_or_default();
        assert!(
            message.contains("state/pace.json cannot be read") && message.contains("delete it"),
            "{message}"
        );
    }
}
