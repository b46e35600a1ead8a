//! The lease under which one invocation refreshes the token: a refresh token can be spent once.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::object_key;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tracing::warn;

use object_store::{Object, ObjectStore, StateError};

/// Longer than a refresh with all that storing its result may take.
const LEASE: TimeDelta = TimeDelta::minutes(4);
/// Whoever holds new tokens that could not be stored keeps the others off for so long: the stored refresh
/// token is spent, and would make them call for a person.
const LEASE_UNSAVED: TimeDelta = TimeDelta::minutes(20);
/// Past this somebody holds the lease again and again: that is no waiting in line any more.
const WAIT_MAX: Duration = Duration::from_secs(100);

/// The object that all invocations share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaseState {
    holder: u64,
    expires_at: Option<DateTime<Utc>>,
}

/// Lets one refresh at a time.
#[derive(Debug)]
pub(crate) struct TokenLease {
    store: Arc<ObjectStore>,
    holder: u64,
}

impl TokenLease {
    pub(crate) fn new(store: Arc<ObjectStore>) -> Self {
        Self { store, holder: rand::rng().random() }
    }

    /// Waits until nobody else refreshes.
    pub(crate) async fn take(&self) -> Result<Object<LeaseState>, StateError> {
        let key = object_key::common_state("token");
        let begin = Instant::now();
        loop {
            let mut object: Object<LeaseState> = self.store.load(&key).await?;
            let now = Utc::now();
            // A lease can end no later than if it were written now: one beyond that is a broken clock's.
            let is_held = object.value.holder != self.holder
                && object.value.expires_at.is_some_and(|at| at > now && at <= now + LEASE_UNSAVED * 2);
            if !is_held {
                object.value = LeaseState { holder: self.holder, expires_at: Some(now + LEASE) };
                match self.store.save(&mut object).await {
                    Ok(()) => return Ok(object),
                    Err(StateError::Taken { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if begin.elapsed() > WAIT_MAX {
                return Err(StateError::Taken { key });
            }
            sleep(object_store::jitter(50..150)).await;
        }
    }

    /// Lets the next one; without it they wait until the lease ends by itself.
    pub(crate) async fn release(&self, lease: &mut Object<LeaseState>, is_saved: bool) {
        lease.value.expires_at = (!is_saved).then(|| Utc::now() + LEASE_UNSAVED);
        if let Err(error) = self.store.save(lease).await {
            warn!("The token's lease ends by itself: {error}");
        }
    }
}
