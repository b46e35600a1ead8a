//! Sender of alert messages: a queue, so that an alert needs neither the database nor a running alerter.

use std::time::Duration;

use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use protocol::alert::{AlertClass, AlertMessage, Signal};
use tracing::error;

use crate::error_chain::error_chain;
use crate::queue::Queue;

/// Time limit for one alert message: reporting a problem must not cost the function its own deadline.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);

/// Sender of alert messages of one function. A message that cannot be sent is logged and never fails the caller.
#[derive(Debug, Clone)]
pub struct AlertSender {
    queue: Option<Queue>,
    function: &'static str,
}

impl AlertSender {
    /// Creates a sender to the alerts queue at `queue_url`. Without a URL nothing is sent: a command on a
    /// terminal, or a test.
    #[must_use]
    pub fn new(config: &SdkConfig, function: &'static str, queue_url: Option<String>) -> Self {
        Self { queue: queue_url.map(|url| Queue::new(config, url)), function }
    }

    /// Sends a signal: something of class `class` went wrong with `subject`, such as an entity's name.
    /// `detail` must hold no customer data.
    pub async fn send_signal(&self, class: AlertClass, subject: &str, detail: &str) {
        self.send_signal_at(class, subject, detail, Utc::now()).await;
    }

    /// Sends a signal like [`Self::send_signal`] about something that went wrong at `at`.
    pub async fn send_signal_at(&self, class: AlertClass, subject: &str, detail: &str, at: DateTime<Utc>) {
        self.send(&AlertMessage::Signal(Signal::new(class, subject, detail, at))).await;
    }

    /// Asks the alerter to check the database now instead of at its next minute.
    pub async fn request_check(&self) {
        self.send(&AlertMessage::CheckNow { requested_by: self.function.to_owned() }).await;
    }

    async fn send(&self, message: &AlertMessage) {
        let Some(queue) = &self.queue else { return };
        let body = match serde_json::to_string(message) {
            Ok(body) => body,
            Err(error) => return error!("Could not encode an alert message: {error}"),
        };
        // The alarms count these lines. The alerter's check at the next minute finds most of the problems anyway.
        match tokio::time::timeout(SEND_TIMEOUT, queue.send(body)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => error!("Could not send an alert message: {}", error_chain(&error)),
            Err(_) => {
                error!("Could not send an alert message: no response within {} s", SEND_TIMEOUT.as_secs());
            }
        }
    }
}
