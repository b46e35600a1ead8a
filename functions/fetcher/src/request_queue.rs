//! Queue of the requests that no later tick would repeat: stored first, so that neither a busy lane nor a crash loses
//! one.

use object_store::{Object, ObjectStore, StateError};
use protocol::object_key;
use tokio::time::sleep;

use crate::error::FetchError;
use crate::job::Job;
use crate::state::{Enqueued, LaneState, QueuedRequest};

/// Attempts to write the state of a lane: invocations race for it, and in each attempt one of them succeeds.
const RACES_MAX: u32 = 60;

/// Adds the request of `job` to the queue of its lane; does nothing if it is known there.
///
/// # Errors
/// [`FetchError::QueueFull`], or [`FetchError::State`]: the request would be lost.
pub(crate) async fn enqueue(states: &ObjectStore, job: &Job) -> Result<(), FetchError> {
    let (entity, lane) = (job.entity.name, job.mode.lane());
    let key = object_key::state(entity, lane);
    let mut races = 0;
    loop {
        let mut object: Object<LaneState> = states.load(&key).await?;
        let request = QueuedRequest {
            request_id: job.request_id.clone(),
            mode: job.mode.clone(),
            attempt: 1,
            not_before: None,
        };
        match object.value.enqueue(request) {
            Enqueued::Added => {}
            Enqueued::AlreadyKnown => return Ok(()),
            Enqueued::QueueFull => return Err(FetchError::QueueFull { entity, lane }),
        }
        match states.save(&mut object).await {
            Err(StateError::Conflict { .. }) if races < RACES_MAX => {
                races += 1;
                sleep(object_store::jitter(5..50)).await;
            }
            result => return Ok(result?),
        }
    }
}
