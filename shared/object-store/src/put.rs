//! Writes to S3 that are sent until S3 decides on them.

use std::future::Future;
use std::ops::Range;

use aws_sdk_s3::error::SdkError;
use tokio::time::sleep;
use tracing::warn;

use crate::jitter::jitter;

/// Attempts at a write that S3 does not decide on; with the pauses between them about six seconds.
const ATTEMPTS_MAX: u32 = 7;
/// Pause after the first attempt, in milliseconds; it doubles with each further one.
const PAUSE_MS: Range<u64> = 40..110;

/// Reason for which S3 refused a conditional write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutRefusal {
    /// The condition does not hold (412).
    ConditionFailed,
    /// The object to replace is gone, or the bucket is (404).
    Missing,
    /// Another write of the same key was under way (409), in every attempt.
    Undecided,
}

/// Sends a write to S3, and sends it again while S3 stores nothing and asks for that: 409, another conditional write
/// of the same key is under way, or 503, `SlowDown`. Each attempt keeps the condition of the write.
///
/// # Errors
/// The error of the last attempt.
pub async fn put_decided<T, E, F>(send: impl Fn() -> F) -> Result<T, SdkError<E>>
where
    F: Future<Output = Result<T, SdkError<E>>>,
{
    let mut pause = PAUSE_MS;
    for attempt in 1..ATTEMPTS_MAX {
        match send().await {
            Err(error) if matches!(status_of(&error), Some(409 | 429 | 503)) => {
                let status = status_of(&error).unwrap_or_default();
                warn!(attempt, "S3 has not decided on a write ({status}), trying again");
            }
            decided => return decided,
        }
        sleep(jitter(pause.clone())).await;
        pause = pause.start * 2..pause.end * 2;
    }
    send().await
}

/// Returns the reason for which S3 refused a conditional write; none for any other error.
#[must_use]
pub fn put_refusal<E>(error: &SdkError<E>) -> Option<PutRefusal> {
    match status_of(error)? {
        412 => Some(PutRefusal::ConditionFailed),
        404 => Some(PutRefusal::Missing),
        409 => Some(PutRefusal::Undecided),
        _ => None,
    }
}

fn status_of<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|response| response.status().as_u16())
}
