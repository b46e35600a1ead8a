//! An SQS queue: ringing a bell, and putting off messages that cannot be served yet.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{ChangeMessageVisibilityBatchRequestEntry, QueueAttributeName};
use protocol::message::{Bell, Message};
use tracing::warn;

/// The pause after a first failure; it doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_secs(15);
/// The longest pause: after an outage of hours the queue is served again within this time.
const PAUSE_MAX: Duration = Duration::from_mins(5);
/// What one call of SQS takes.
const BATCH_MAX: usize = 10;

/// A queue.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

/// A queue gave no answer, or refused.
#[derive(Debug, thiserror::Error)]
#[error("A queue gave no answer: {0}")]
pub struct SendError(String);

impl Queue {
    /// The queue at that address.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(config), url }
    }

    /// Says that records of an entity wait in staging.
    ///
    /// # Errors
    /// The queue did not take the message.
    pub async fn ring(&self, entity: &str) -> Result<(), SendError> {
        let bell = Bell { entity: entity.to_owned() };
        self.send(serde_json::to_string(&bell).map_err(|error| SendError(error.to_string()))?).await
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The queue did not take it.
    pub async fn send(&self, body: String) -> Result<(), SendError> {
        self.client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| SendError(DisplayErrorContext(&error).to_string()))
    }

    /// How many messages wait or are being served; those of a dead-letter queue are all that lie there.
    ///
    /// # Errors
    /// The queue did not answer.
    pub async fn depth(&self) -> Result<u64, SendError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|error| SendError(DisplayErrorContext(&error).to_string()))?;
        let attributes = answer.attributes();
        let count = |name| attributes?.get(name)?.parse::<u64>().ok();
        Ok(names.iter().filter_map(count).sum())
    }

    /// Moves messages of this queue to another, at most `limit`; answers how many. Each is sent before it is deleted:
    /// one may come twice, none is lost.
    ///
    /// # Errors
    /// A queue did not answer. What was moved before stays so.
    pub async fn move_to(&self, target: &Self, limit: usize) -> Result<usize, SendError> {
        let told = |reason: String| SendError(reason);
        let mut moved = 0;
        while moved < limit {
            let received = self
                .client
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .visibility_timeout(60)
                .send()
                .await
                .map_err(|error| told(DisplayErrorContext(&error).to_string()))?;
            if received.messages().is_empty() {
                break;
            }
            for message in received.messages() {
                target.send(message.body().unwrap_or_default().to_owned()).await?;
                self.client
                    .delete_message()
                    .queue_url(&self.url)
                    .receipt_handle(message.receipt_handle().unwrap_or_default())
                    .send()
                    .await
                    .map_err(|error| told(DisplayErrorContext(&error).to_string()))?;
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Has messages delivered again sooner than the queue's visibility timeout, which must cover the
    /// longest invocation: at once, or after a pause that grows with each delivery. If this fails they
    /// merely come later.
    pub async fn postpone(&self, messages: &[&Message], at_once: bool) {
        let messages: Vec<&&Message> =
            messages.iter().filter(|message| !message.receipt_handle.is_empty()).collect();
        for (number, batch) in messages.chunks(BATCH_MAX).enumerate() {
            let entries = batch.iter().enumerate().filter_map(|(place, message)| {
                let pause = if at_once { Duration::ZERO } else { pause(message.receive_count) };
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(format!("{number}-{place}"))
                    .receipt_handle(&message.receipt_handle)
                    .visibility_timeout(i32::try_from(pause.as_secs()).unwrap_or(i32::MAX))
                    .build()
                    .ok()
            });
            let sent = self
                .client
                .change_message_visibility_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries.collect()))
                .send()
                .await;
            if let Err(error) = sent {
                warn!("Could not set when messages come again: {}", DisplayErrorContext(&error));
            }
        }
    }
}

fn pause(receive_count: u32) -> Duration {
    PAUSE_FIRST.saturating_mul(2_u32.saturating_pow(receive_count.saturating_sub(1).min(16))).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_doubles_with_each_delivery_up_to_five_minutes() {
        let pauses: Vec<u64> =
            [0, 1, 2, 3, 5, 6, 1_000].into_iter().map(|count| pause(count).as_secs()).collect();
        assert_eq!(pauses, [15, 15, 30, 60, 240, 300, 300]);
    }
}
