//! Channels to people: Slack by webhook, e-mail by SES; and errors to Sentry. Addresses never reach a log.

use std::time::Duration;

use aws_sdk_sesv2::error::ProvideErrorMetadata;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message as SesMessage};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use sentry_types::Dsn;
use sentry_types::protocol::v7::{Envelope, Event, Level};
use serde_json::json;
use tokio::time::sleep;

use crate::event::LogError;
use crate::message::Message;

/// Timeout of a channel: beyond it the other channel is quicker.
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
/// Attempts on one channel before the other one is used.
const ATTEMPTS_MAX: u32 = 2;
/// Pause between two attempts on one channel.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Characters sent to Slack at most; its own bound is 40,000.
const TEXT_CHARACTERS_MAX: usize = 3_500;

/// Channel to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Slack, by an incoming webhook.
    Slack,
    /// E-mail, by SES.
    Email,
}

impl Channel {
    /// Returns the channel's name, the subject of alerts about it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Email => i18n::alert::EMAIL,
        }
    }
}

/// Error of a message that a channel did not accept. Names no address.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The channel has no address.
    #[error("the channel is not configured")]
    NotConfigured,
    /// The channel gave no answer in time.
    #[error("no answer within {} s", SEND_TIMEOUT.as_secs())]
    Timeout,
    /// The request could not be sent.
    #[error("could not send the request")]
    Http(#[source] reqwest::Error),
    /// The channel refused the request.
    #[error("HTTP {0}")]
    Status(reqwest::StatusCode),
    /// SES refused the message, with this code.
    #[error("SES: {0}")]
    Ses(String),
    /// The message could not be built.
    #[error("could not build the message")]
    Build(#[source] aws_sdk_sesv2::error::BuildError),
    /// The envelope could not be written.
    #[error("could not write the Sentry envelope")]
    Envelope(#[source] std::io::Error),
}

/// Channels that are configured.
#[derive(Debug)]
pub struct Channels {
    http: reqwest::Client,
    ses: aws_sdk_sesv2::Client,
    slack: Option<SecretString>,
    email: Option<(String, Vec<String>)>,
    sentry: Option<Dsn>,
}

impl Channels {
    /// Configures the channels that the settings and the secret name.
    ///
    /// The second value names what the secret holds in an invalid form; the valid channels are usable all the same.
    #[must_use]
    pub fn new(
        http: reqwest::Client,
        ses: aws_sdk_sesv2::Client,
        email: Option<(String, Vec<String>)>,
        slack: Option<&str>,
        sentry: Option<&str>,
    ) -> (Self, Vec<&'static str>) {
        let mut problems = Vec::new();
        let slack = slack.filter(|url| {
            let is_accepted = is_webhook(url);
            if !is_accepted {
                problems.push(
                    "`slack_webhook_url` is not accepted; accepted: an address that begins with https://",
                );
            }
            is_accepted
        });
        let sentry = sentry.and_then(|dsn| {
            let parsed = dsn.parse().ok();
            if parsed.is_none() {
                problems.push("`sentry_dsn` is not accepted; accepted: https://key@host/project");
            }
            parsed
        });
        (Self { http, ses, slack: slack.map(SecretString::from), email, sentry }, problems)
    }

    /// Returns the configured channels in the order of their use.
    #[must_use]
    pub fn all(&self) -> Vec<Channel> {
        let slack = self.slack.as_ref().map(|_| Channel::Slack);
        slack.into_iter().chain(self.email.as_ref().map(|_| Channel::Email)).collect()
    }

    /// Sends a message on one channel, with one retry.
    ///
    /// # Errors
    /// The channel did not accept it.
    pub async fn send(&self, channel: Channel, message: &Message) -> Result<(), SendError> {
        let mut attempts = 1;
        loop {
            let sent = match channel {
                Channel::Slack => self.to_slack(message).await,
                Channel::Email => self.to_email(message).await,
            };
            match sent {
                Err(_) if attempts < ATTEMPTS_MAX => {
                    attempts += 1;
                    sleep(RETRY_PAUSE).await;
                }
                sent => return sent,
            }
        }
    }

    async fn to_slack(&self, message: &Message) -> Result<(), SendError> {
        let Some(url) = &self.slack else { return Err(SendError::NotConfigured) };
        let text = format!("*{}*\n{}", escaped(&message.title), escaped(&message.body));
        let request = self
            .http
            .post(url.expose_secret())
            .header("content-type", "application/json")
            .body(json!({ "text": truncated(&text) }).to_string());
        self.send_request(request).await
    }

    async fn to_email(&self, message: &Message) -> Result<(), SendError> {
        let Some((from, to)) = &self.email else { return Err(SendError::NotConfigured) };
        let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let subject = format!("[Gazelle] {}", message.title.replace(['\r', '\n'], " "));
        let body = Body::builder().text(content(&message.body).map_err(SendError::Build)?).build();
        let simple =
            SesMessage::builder().subject(content(&subject).map_err(SendError::Build)?).body(body).build();
        let sending = self
            .ses
            .send_email()
            .from_email_address(from)
            .destination(Destination::builder().set_to_addresses(Some(to.clone())).build())
            .content(EmailContent::builder().simple(simple).build())
            .send();
        match tokio::time::timeout(SEND_TIMEOUT, sending).await {
            Ok(Ok(_)) => Ok(()),
            // The code alone: the message names addresses.
            Ok(Err(error)) => Err(SendError::Ses(error.code().unwrap_or("no answer").to_owned())),
            Err(_) => Err(SendError::Timeout),
        }
    }

    /// Sends error lines of the functions to Sentry, if it is configured.
    ///
    /// # Errors
    /// Sentry did not accept one of them; the following ones are not sent.
    pub async fn send_to_sentry(&self, errors: &[LogError]) -> Result<(), SendError> {
        let Some(dsn) = &self.sentry else { return Ok(()) };
        for error in errors {
            let mut envelope = Vec::new();
            Envelope::from(event(error)).to_writer(&mut envelope).map_err(SendError::Envelope)?;
            let request = self
                .http
                .post(dsn.envelope_api_url().to_string())
                .header("x-sentry-auth", dsn.to_auth(Some("assistant-gazelle/6")).to_string())
                .header("content-type", "application/x-sentry-envelope")
                .body(envelope);
            self.send_request(request).await?;
        }
        Ok(())
    }

    async fn send_request(&self, request: reqwest::RequestBuilder) -> Result<(), SendError> {
        let answer = request
            .timeout(SEND_TIMEOUT)
            .send()
            .await
            .map_err(|error| SendError::Http(error.without_url()))?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(SendError::Status(status)) }
    }
}

/// Returns the Sentry event of an error line; the fields that it takes over hold no customer data.
fn event(error: &LogError) -> Event<'static> {
    let text = |field: &str| error.line.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
    let mut event = Event {
        level: Level::Error,
        message: text("message"),
        logger: text("target"),
        server_name: Some(error.function.into()),
        environment: Some("production".into()),
        ..Event::default()
    };
    event.tags.insert("function".to_owned(), error.function.to_owned());
    for field in ["entity", "run.id", "trace.id", "key", "place"] {
        if let Some(value) = text(field) {
            event.tags.insert(field.to_owned(), value);
        }
    }
    event
}

/// Accepts HTTPS, or loopback hosts: the address is the webhook's only secret.
fn is_webhook(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        url.scheme() == "https"
            || (url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost")))
    })
}

/// Escapes Slack's three control characters, so that no name can notify a whole channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn truncated(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slack_markup_in_names_is_escaped() {
        assert_eq!(escaped("<!channel> & <http://x|y>"), "&lt;!channel&gt; &amp; &lt;http://x|y&gt;");
    }

    #[test]
    fn webhook_is_https_or_loopback() {
        for (url, expected) in [
            ("https://hooks.example.org/services/T/B/x", true),
            ("http://127.0.0.1:9/x", true),
            ("http://hooks.example.org/x", false),
            ("file:///etc/passwd", false),
            ("nonsense", false),
        ] {
            assert_eq!(is_webhook(url), expected, "{url}");
        }
    }
}
