//! SQS queue: sends messages, moves them between queues, sets when undelivered ones come again.

use std::error::Error;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message as SqsMessage, QueueAttributeName,
};
use protocol::message::{Message, ReconcileRequest};
use tracing::warn;

use crate::error_chain::error_chain;

/// Delay before a message is delivered again after its first failure; it doubles with each further one.
const REDELIVERY_DELAY_FIRST: Duration = Duration::from_secs(15);
/// Longest delay before a message is delivered again: after an outage of hours the queue is served within this time.
const REDELIVERY_DELAY_MAX: Duration = Duration::from_mins(5);
/// Doublings that are computed; the delay has reached its maximum long before.
const DOUBLINGS_MAX: u32 = 16;
/// Most messages that one call of SQS takes or returns, by its API.
const BATCH_MAX: usize = 10;
/// Seconds for which a message under way to another queue is hidden from other receivers: each takes two calls.
const MOVE_VISIBILITY_S: i32 = 60;

/// Error of a call to an SQS queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The message could not be encoded as JSON.
    #[error("could not encode a message")]
    Encode(#[source] serde_json::Error),
    /// SQS did not accept the message.
    #[error("could not send a message to the queue {url}")]
    Send {
        /// URL of the queue.
        url: String,
        /// Error of the AWS SDK.
        source: Box<dyn Error + Send + Sync>,
    },
    /// SQS returned no messages, which is not an empty queue.
    #[error("could not receive messages from the queue {url}")]
    Receive {
        /// URL of the queue.
        url: String,
        /// Error of the AWS SDK.
        source: Box<dyn Error + Send + Sync>,
    },
    /// SQS did not delete a message that has been moved: it will be delivered a second time.
    #[error("could not delete a message from the queue {url}")]
    Delete {
        /// URL of the queue.
        url: String,
        /// Error of the AWS SDK.
        source: Box<dyn Error + Send + Sync>,
    },
    /// SQS did not return the number of messages.
    #[error("could not read the number of messages of the queue {url}")]
    Depth {
        /// URL of the queue.
        url: String,
        /// Error of the AWS SDK.
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Queue at one URL, with the client that reaches it.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// Creates a client of the queue at `url`.
    #[must_use]
    pub fn new(config: &SdkConfig, url: String) -> Self {
        Self { client: Client::new(config), url }
    }

    /// Sends a reconcile request: records of `entity` wait in its staging table.
    ///
    /// # Errors
    /// [`QueueError::Encode`] or [`QueueError::Send`].
    pub async fn request_reconcile(&self, entity: &str) -> Result<(), QueueError> {
        let request = ReconcileRequest { entity: entity.to_owned() };
        self.send(serde_json::to_string(&request).map_err(QueueError::Encode)?).await
    }

    /// Sends a message with this body.
    ///
    /// # Errors
    /// [`QueueError::Send`].
    pub async fn send(&self, body: String) -> Result<(), QueueError> {
        let request = self.client.send_message().queue_url(&self.url).message_body(body);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(QueueError::Send { url: self.url.clone(), source: error.into() }),
        }
    }

    /// Returns the approximate number of messages that wait, are delayed or are being served. In a dead-letter
    /// queue these are all its messages.
    ///
    /// # Errors
    /// [`QueueError::Depth`].
    pub async fn depth(&self) -> Result<u64, QueueError> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
            QueueAttributeName::ApproximateNumberOfMessagesDelayed,
        ];
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let response = request
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .map_err(|error| QueueError::Depth { url: self.url.clone(), source: error.into() })?;
        let attributes = response.attributes();
        let count = |name| attributes?.get(name)?.parse::<u64>().ok();
        Ok(names.iter().filter_map(count).sum())
    }

    /// Moves messages of this queue to `target`, up to the batch in which `limit` is reached; returns how many.
    ///
    /// Each message is sent before it is deleted: one may arrive twice, none is lost.
    ///
    /// # Errors
    /// [`QueueError::Receive`], [`QueueError::Send`] or [`QueueError::Delete`]. Messages moved before the error
    /// stay moved.
    pub async fn move_to(&self, target: &Self, limit: usize) -> Result<usize, QueueError> {
        let mut moved = 0;
        while moved < limit {
            let messages = self.receive_batch().await?;
            if messages.is_empty() {
                break;
            }
            for message in messages {
                target.send(message.body().unwrap_or_default().to_owned()).await?;
                self.delete(message.receipt_handle().unwrap_or_default()).await?;
                moved += 1;
            }
        }
        Ok(moved)
    }

    /// Sets when messages that failed are delivered again, sooner than after the queue's visibility timeout,
    /// which must cover the longest invocation: at once, or after a delay that grows with each delivery.
    ///
    /// An error is only logged, because the messages then merely come later.
    pub async fn schedule_redelivery(&self, messages: &[&Message], at_once: bool) {
        let messages: Vec<&&Message> =
            messages.iter().filter(|message| !message.receipt_handle.is_empty()).collect();
        for (batch_index, batch) in messages.chunks(BATCH_MAX).enumerate() {
            let entries = batch.iter().enumerate().filter_map(|(index, message)| {
                let delay = if at_once { Duration::ZERO } else { redelivery_delay(message.receive_count) };
                ChangeMessageVisibilityBatchRequestEntry::builder()
                    .id(format!("{batch_index}-{index}"))
                    .receipt_handle(&message.receipt_handle)
                    .visibility_timeout(i32::try_from(delay.as_secs()).unwrap_or(i32::MAX))
                    .build()
                    .ok()
            });
            let request = self.client.change_message_visibility_batch().queue_url(&self.url);
            if let Err(error) = request.set_entries(Some(entries.collect())).send().await {
                warn!(
                    queue = self.url,
                    "Could not set when failed messages are delivered again: {}",
                    error_chain(&error)
                );
            }
        }
    }

    async fn receive_batch(&self) -> Result<Vec<SqsMessage>, QueueError> {
        let request = self.client.receive_message().queue_url(&self.url);
        let received = request
            .max_number_of_messages(i32::try_from(BATCH_MAX).unwrap_or(i32::MAX))
            .visibility_timeout(MOVE_VISIBILITY_S)
            .send()
            .await
            .map_err(|error| QueueError::Receive { url: self.url.clone(), source: error.into() })?;
        Ok(received.messages.unwrap_or_default())
    }

    async fn delete(&self, receipt_handle: &str) -> Result<(), QueueError> {
        let request = self.client.delete_message().queue_url(&self.url).receipt_handle(receipt_handle);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(QueueError::Delete { url: self.url.clone(), source: error.into() }),
        }
    }
}

fn redelivery_delay(receive_count: u32) -> Duration {
    let doublings = receive_count.saturating_sub(1).min(DOUBLINGS_MAX);
    REDELIVERY_DELAY_FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(REDELIVERY_DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_doubles_with_each_delivery_up_to_five_minutes() {
        let delays: Vec<u64> =
            [0, 1, 2, 3, 5, 6, 1_000].into_iter().map(|count| redelivery_delay(count).as_secs()).collect();
        assert_eq!(delays, [15, 15, 30, 60, 240, 300, 300]);
    }
}
