//! Redrive of dead letters: messages that an outage set aside go back to their queue by themselves.

use chrono::{DateTime, TimeDelta, Utc};
use object_store::StateError;
use tracing::warn;

use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::snapshot::Snapshot;

/// Shortest time between two redrives: a poison message would come back at once.
const REDRIVE_PAUSE: TimeDelta = TimeDelta::hours(1);
/// Messages put back per queue and redrive, so that the function ends in time.
const REDRIVE_MAX: usize = 200;

/// Lets the next observation put dead letters back, whenever the last redrive was.
pub(crate) async fn allow_now(alerter: &Alerter) -> Result<(), StateError> {
    alerter.update_store(&|store: &mut AlertStore| store.redriven_at = None).await
}

/// Puts dead letters back once the database answers, at most every [`REDRIVE_PAUSE`].
pub(crate) async fn redrive(
    alerter: &Alerter,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> Result<(), StateError> {
    if !snapshot.dead_letters.iter().flatten().any(|(_, depth)| *depth > 0) {
        return Ok(());
    }
    let claim = |store: &mut AlertStore| {
        let is_due = store.redriven_at.is_none_or(|at| now - at >= REDRIVE_PAUSE);
        if is_due {
            store.redriven_at = Some(now);
        }
        is_due
    };
    if !alerter.update_store(&claim).await? {
        return Ok(());
    }
    for watched in &alerter.queues {
        let queue = watched.name;
        match watched.dead_letters.move_to(&watched.queue, REDRIVE_MAX).await {
            Ok(0) => {}
            Ok(moved) => warn!(queue, moved, "{moved} dead letters of {queue} are put back"),
            Err(error) => warn!(queue, "Dead letters could not be put back: {}", lambda::error_chain(&error)),
        }
    }
    Ok(())
}
