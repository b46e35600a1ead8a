//! The ways to people: Slack by webhook, e-mail by SES; and errors to Sentry. No address of a way is ever shown.

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
use crate::words::Message;

/// A way that does not answer for so long is taken for down: the other one is quicker.
const PATIENCE: Duration = Duration::from_secs(5);
/// Each way is tried so often before the other one is.
const TRIES: u32 = 2;
const PAUSE: Duration = Duration::from_secs(1);
/// What Slack takes in one text, well below its own bound.
const TEXT_CHARACTERS_MAX: usize = 3_500;

/// A way to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Slack.
    Slack,
    /// E-mail.
    Email,
}

impl Channel {
    /// Its name, as the subject of an alert.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::Email => "courriel",
        }
    }
}

/// The ways there are.
#[derive(Debug)]
pub struct Channels {
    http: reqwest::Client,
    ses: aws_sdk_sesv2::Client,
    slack: Option<SecretString>,
    email: Option<(String, Vec<String>)>,
    sentry: Option<Dsn>,
}

impl Channels {
    /// The ways that the settings and the secret name.
    ///
    /// # Errors
    /// Names what in the secret is not accepted; the ways that are right are there all the same.
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

    /// The ways to people, the first one first.
    #[must_use]
    pub fn all(&self) -> Vec<Channel> {
        let slack = self.slack.as_ref().map(|_| Channel::Slack);
        slack.into_iter().chain(self.email.as_ref().map(|_| Channel::Email)).collect()
    }

    /// Sends a message on one way, and tries again once.
    ///
    /// # Errors
    /// The way did not take it: why, without its address.
    pub async fn send(&self, channel: Channel, message: &Message) -> Result<(), String> {
        let mut tries = 1;
        loop {
            let sent = match channel {
                Channel::Slack => self.to_slack(message).await,
                Channel::Email => self.to_email(message).await,
            };
            match sent {
                Err(_) if tries < TRIES => {
                    tries += 1;
                    sleep(PAUSE).await;
                }
                sent => return sent,
            }
        }
    }

    async fn to_slack(&self, message: &Message) -> Result<(), String> {
        let Some(url) = &self.slack else { return Err("no webhook is set".to_owned()) };
        let text = format!("*{}*\n{}", escaped(&message.title), escaped(&message.body));
        let request = self
            .http
            .post(url.expose_secret())
            .header("content-type", "application/json")
            .body(json!({ "text": cut(&text) }).to_string());
        self.taken(request).await
    }

    async fn to_email(&self, message: &Message) -> Result<(), String> {
        let Some((from, to)) = &self.email else { return Err("no address is set".to_owned()) };
        let content = |text: &str| Content::builder().data(text).charset("UTF-8").build();
        let told = |error: aws_sdk_sesv2::error::BuildError| error.to_string();
        let subject = format!("[Gazelle] {}", message.title.replace(['\r', '\n'], " "));
        let body = Body::builder().text(content(&message.body).map_err(told)?).build();
        let simple = SesMessage::builder().subject(content(&subject).map_err(told)?).body(body).build();
        let sending = self
            .ses
            .send_email()
            .from_email_address(from)
            .destination(Destination::builder().set_to_addresses(Some(to.clone())).build())
            .content(EmailContent::builder().simple(simple).build())
            .send();
        match tokio::time::timeout(PATIENCE, sending).await {
            Ok(Ok(_)) => Ok(()),
            // Its code alone: the words name addresses.
            Ok(Err(error)) => Err(format!("SES: {}", error.code().unwrap_or("no answer"))),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// Sends errors of the functions to Sentry, if there is one.
    ///
    /// # Errors
    /// It did not take one: why.
    pub async fn report(&self, errors: &[LogError]) -> Result<(), String> {
        let Some(dsn) = &self.sentry else { return Ok(()) };
        for error in errors {
            let mut envelope = Vec::new();
            Envelope::from(event(error)).to_writer(&mut envelope).map_err(|error| error.to_string())?;
            let request = self
                .http
                .post(dsn.envelope_api_url().to_string())
                .header("x-sentry-auth", dsn.to_auth(Some("assistant-gazelle/6")).to_string())
                .header("content-type", "application/x-sentry-envelope")
                .body(envelope);
            self.taken(request).await?;
        }
        Ok(())
    }

    async fn taken(&self, request: reqwest::RequestBuilder) -> Result<(), String> {
        let answer =
            request.timeout(PATIENCE).send().await.map_err(|error| error.without_url().to_string())?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(format!("HTTP {status}")) }
    }
}

/// One event per error: the function, the message and the fields of the line, which hold no customer's data.
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

/// HTTPS, or this machine: a webhook's address is its only secret.
fn is_webhook(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| {
        url.scheme() == "https"
            || (url.scheme() == "http" && matches!(url.host_str(), Some("127.0.0.1" | "localhost")))
    })
}

/// Slack reads three characters as its own: no name may call a whole channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn cut(text: &str) -> String {
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
