//! Lease under which one invocation at a time refreshes the token: a refresh token can be used once only.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use lambda::error_chain;
use object_store::{Object, ObjectStore, StateError};
use protocol::object_key;
use rand::RngExt;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};
use tracing::warn;

/// Duration of the lease: longer than a refresh and every attempt at storing its result take together.
const LEASE: TimeDelta = TimeDelta::minutes(4);
/// Duration of the lease of an invocation whose new tokens could not be stored. The stored refresh token has been
/// used, so that every other invocation would report that a person must authorise again.
const LEASE_UNSAVED: TimeDelta = TimeDelta::minutes(20);
/// Longest wait for the lease, of several refreshes: beyond it the holder's tokens could not be stored, or it is dead.
const WAIT_MAX: Duration = Duration::from_secs(100);

/// State that all invocations share.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LeaseState {
    holder: u64,
    expires_at: Option<DateTime<Utc>>,
}

/// Admits one refresh at a time, over all invocations.
#[derive(Debug)]
pub(crate) struct TokenLease {
    store: Arc<ObjectStore>,
    holder: u64,
}

impl TokenLease {
    pub(crate) fn new(store: Arc<ObjectStore>) -> Self {
        Self { store, holder: rand::rng().random() }
    }

    /// Waits until no other invocation refreshes the token, and takes the lease.
    pub(crate) async fn acquire(&self) -> Result<Object<LeaseState>, StateError> {
        let key = object_key::common_state("token");
        let begin = Instant::now();
        loop {
            let mut object: Object<LeaseState> = self.store.load(&key).await?;
            let now = Utc::now();
            // A lease ends no later than one that is written now; a later end comes from a broken clock.
            let is_held = object.value.holder != self.holder
                && object.value.expires_at.is_some_and(|at| at > now && at <= now + LEASE_UNSAVED * 2);
            if !is_held {
                object.value = LeaseState { holder: self.holder, expires_at: Some(now + LEASE) };
                match self.store.save(&mut object).await {
                    Ok(()) => return Ok(object),
                    Err(StateError::Conflict { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            if begin.elapsed() > WAIT_MAX {
                return Err(StateError::Conflict { key });
            }
            sleep(object_store::jitter(50..150)).await;
        }
    }

    /// Ends the lease; keeps the other invocations waiting if the new tokens are not stored (`is_saved` is false).
    pub(crate) async fn release(&self, lease: &mut Object<LeaseState>, is_saved: bool) {
        lease.value.expires_at = (!is_saved).then(|| Utc::now() + LEASE_UNSAVED);
        if let Err(error) = self.store.save(lease).await {
            warn!("Could not release the lease of the token, it expires by itself: {}", error_chain(&error));
        }
    }
}
