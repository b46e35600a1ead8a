//! The way to the alerter: a queue, so that an alert needs neither the database nor the alerter's presence.

use std::time::Duration;

use aws_config::SdkConfig;
use chrono::Utc;
use protocol::alert::{Class, Ping, Signal};
use tracing::error;

use crate::Queue;

/// Telling must not cost the work its deadline.
const TELLING_MAX: Duration = Duration::from_secs(5);

/// Where a function tells what goes wrong. Never fails what it is told about.
#[derive(Debug, Clone)]
pub struct Alerts {
    queue: Option<Queue>,
    function: &'static str,
}

impl Alerts {
    /// The alerts queue at that address; none: nobody is told (a command on a terminal, a test).
    #[must_use]
    pub fn new(config: &SdkConfig, function: &'static str, queue_url: Option<String>) -> Self {
        Self { queue: queue_url.map(|url| Queue::new(config, url)), function }
    }

    /// Tells that something goes wrong.
    pub async fn raise(&self, class: Class, subject: &str, detail: &str) {
        self.send(&Ping::Signal(Signal::new(class, subject, detail, Utc::now()))).await;
    }

    /// Asks the alerter to look at the database now.
    pub async fn look(&self) {
        self.send(&Ping::Look { look: self.function.to_owned() }).await;
    }

    async fn send(&self, ping: &Ping) {
        let Some(queue) = &self.queue else { return };
        let sent = match serde_json::to_string(ping) {
            Ok(body) => match tokio::time::timeout(TELLING_MAX, queue.send(body)).await {
                Ok(sent) => sent.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} s", TELLING_MAX.as_secs())),
            },
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = sent {
            // The minute watch finds most of it, and this line is counted by the alarms.
            error!("The alerter could not be told: {reason}");
        }
    }
}
