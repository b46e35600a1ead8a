//! Inbox of a test: Slack messages and e-mails of the deployed alerter.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::stack::variable;

/// Message that was delivered.
#[derive(Debug, Clone)]
pub struct Got {
    /// Time of delivery, in seconds since 1970.
    pub at: f64,
    /// Text of the message.
    pub text: String,
}

/// Returns the current time in seconds since 1970.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Connects to the mailbox of the deployed stack.
#[derive(Debug)]
pub struct Inbox {
    http: reqwest::Client,
}

impl Default for Inbox {
    /// Creates a client that passes any proxy of the operator's shell.
    fn default() -> Self {
        Self { http: reqwest::Client::builder().no_proxy().build().expect("a client") }
    }
}

impl Inbox {
    async fn get(&self, url: String) -> Value {
        let text = self.http.get(url).send().await.expect("the mailbox").text().await.expect("a body");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Returns the messages sent to Slack, oldest first.
    pub async fn slack(&self) -> Vec<Got> {
        let all = self.get(format!("{}/messages", variable("INBOX_URL"))).await;
        let got = |one: &Value| Got {
            at: one["at"].as_f64().unwrap_or_default(),
            text: one["text"].as_str().unwrap_or_default().to_owned(),
        };
        all.as_array().expect("messages").iter().map(got).collect()
    }

    /// Returns the envelopes sent to Sentry.
    pub async fn sentry(&self) -> Vec<Value> {
        self.get(format!("{}/errors", variable("INBOX_URL"))).await.as_array().expect("errors").clone()
    }

    /// Returns the e-mails sent by SES, from the emulator.
    pub async fn mails(&self) -> Vec<Value> {
        let all = self.get(format!("{}/_ministack/ses/messages", variable("AWS_ENDPOINT_URL"))).await;
        let accounts = all["messages"].as_object().expect("mails by account");
        accounts.values().filter_map(Value::as_array).flatten().cloned().collect()
    }

    /// Sets Slack's response from now on; null restores it.
    pub async fn faults(&self, faults: &Value) {
        let url = format!("{}/faults", variable("INBOX_URL"));
        self.http.post(url).body(faults.to_string()).send().await.expect("the mailbox");
    }

    /// Waits for a message after that moment of which one line contains all the words; returns its time, or none
    /// where no such message arrived in time.
    pub async fn find_line(&self, since: f64, words: &[&str], timeout: Duration) -> Option<f64> {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let matches = |line: &str| words.iter().all(|word| line.contains(word));
            let all = self.slack().await;
            if let Some(found) = all.iter().find(|got| got.at >= since && got.text.lines().any(matches)) {
                return Some(found.at);
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Waits for a message after that moment that contains all the words; returns it.
    ///
    /// # Panics
    /// No such message arrived in time.
    pub async fn wait(&self, since: f64, words: &[&str], timeout: Duration) -> Got {
        let deadline = Instant::now() + timeout;
        loop {
            let all = self.slack().await;
            let found =
                all.iter().find(|got| got.at >= since && words.iter().all(|word| got.text.contains(word)));
            if let Some(found) = found {
                return found.clone();
            }
            let texts: Vec<&str> =
                all.iter().filter(|got| got.at >= since).map(|got| got.text.as_str()).collect();
            assert!(
                Instant::now() < deadline,
                "no message with {words:?} within {timeout:?}, but {texts:#?}"
            );
            sleep(Duration::from_millis(100)).await;
        }
    }
}
