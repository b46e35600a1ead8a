//! From the book to people: which ways there are, and what each of them took.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use object_store::StateError;
use protocol::alert::{Class, Signal};
use serde_json::Value;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::book::{Book, Kind, Notice};
use crate::channel::{Channel, Channels};
use crate::event::LogError;
use crate::handler::Alerter;
use crate::words::{self, Message};

/// Secrets Manager has so long: what goes wrong is in the book by then, and waits there.
const SECRET_PATIENCE: Duration = Duration::from_secs(5);
/// More notices than this at once are one digest.
const SINGLE_MAX: usize = 3;
/// Errors that go to Sentry from one event.
const ERRORS_MAX: usize = 20;

/// The ways to people, and those that are wanted and cannot be used.
pub(crate) struct Ways {
    /// Those that can be used.
    pub(crate) channels: Channels,
    /// Those that cannot, and why.
    broken: Vec<(Channel, String)>,
}

impl Alerter {
    /// Takes to people what nobody else takes to them now.
    pub(crate) async fn tell(&self, ways: &Ways) -> Result<(), StateError> {
        let (channels, now) = (&ways.channels, Utc::now());
        let known: Vec<&str> = channels
            .all()
            .into_iter()
            .chain(ways.broken.iter().map(|(way, _)| *way))
            .map(Channel::name)
            .collect();
        // Where nobody can be told now and somebody wants to be, what there is to tell waits.
        let is_mute = channels.all().is_empty() && !ways.broken.is_empty();
        let taken = |book: &mut Book| {
            for (way, reason) in &ways.broken {
                book.raise(&Signal::new(Class::Channel, way.name(), reason, now), now);
            }
            book.forget_ways_but(&known, now);
            if is_mute { Vec::new() } else { book.claim(now) }
        };
        let claimed = self.write(&taken).await?;
        if claimed.is_empty() {
            return Ok(());
        }
        if channels.all().is_empty() {
            warn!(
                notices = claimed.len(),
                "No way to people is set: {} notices are told to nobody",
                claimed.len()
            );
            let ids: Vec<u64> = claimed.iter().map(|notice| notice.id).collect();
            return self.write(&|book: &mut Book| book.told(&ids)).await;
        }
        let (texts, alerts): (Vec<Notice>, Vec<Notice>) =
            claimed.into_iter().partition(|notice| notice.kind == Kind::Text);
        let url = self.config.dashboard_url.as_deref();
        let mut parcels: Vec<(Message, bool, Vec<u64>)> = Vec::new();
        let is_urgent =
            |notice: &Notice| notice.alert.as_ref().is_some_and(|alert| words::is_urgent(alert.class));
        if alerts.len() > SINGLE_MAX {
            let ids = alerts.iter().map(|notice| notice.id).collect();
            parcels.push((words::digest(&alerts, url), alerts.iter().any(is_urgent), ids));
        } else {
            parcels.extend(
                alerts.iter().map(|notice| (words::message(notice, url), is_urgent(notice), vec![notice.id])),
            );
        }
        // The report and a trial are for whoever reads either way.
        parcels.extend(texts.iter().map(|notice| (words::message(notice, url), true, vec![notice.id])));
        let mut outcome: BTreeMap<&'static str, (Channel, Result<(), String>)> = BTreeMap::new();
        let (mut told, mut kept) = (0, Vec::new());
        for (message, is_urgent, ids) in &parcels {
            if self.deliver(channels, message, *is_urgent, &mut outcome).await {
                // At once: who is cut off later must not tell it again.
                self.write(&|book: &mut Book| book.told(ids)).await?;
                told += ids.len();
            } else {
                kept.extend(ids.iter().copied());
            }
        }
        info!(told, kept = kept.len(), "Told {told} notices");
        let now = Utc::now();
        self.write(&|book: &mut Book| {
            book.give_back(&kept);
            for (name, (_, sent)) in &outcome {
                match sent {
                    Ok(()) => book.resolve(Class::Channel, name, now),
                    Err(reason) => book.raise(&Signal::new(Class::Channel, name, reason, now), now),
                }
            }
        })
        .await
    }

    /// Sends a message: urgent ones on every way, others on the first that takes it.
    async fn deliver(
        &self,
        channels: &Channels,
        message: &Message,
        is_urgent: bool,
        outcome: &mut BTreeMap<&'static str, (Channel, Result<(), String>)>,
    ) -> bool {
        let mut is_taken = false;
        for channel in channels.all() {
            if is_taken && !is_urgent {
                break;
            }
            // A way that has just failed costs its patience once.
            if outcome.get(channel.name()).is_some_and(|(_, sent)| sent.is_err()) {
                continue;
            }
            let sent = channels.send(channel, message).await;
            if let Err(reason) = &sent {
                warn!(channel = channel.name(), "A message did not get through: {reason}");
            }
            is_taken |= sent.is_ok();
            outcome.insert(channel.name(), (channel, sent));
        }
        is_taken
    }

    pub(crate) async fn forward(&self, channels: &Channels, errors: &[LogError]) {
        let errors = &errors[..errors.len().min(ERRORS_MAX)];
        if let Err(reason) = channels.report(errors).await {
            // Not an error: that line would come back here.
            warn!(errors = errors.len(), "Errors did not reach Sentry: {reason}");
        }
    }

    /// The ways, as the secret names them now: it is read each time, so that a new webhook is used at once.
    pub(crate) async fn ways(&self) -> Ways {
        let accepted =
            r#"{"slack_webhook_url": "https://…", "sentry_dsn": "https://…"}, either may be missing"#;
        let reading = timeout(SECRET_PATIENCE, self.secrets.read(&self.config.secret_id, accepted));
        let read = match reading.await {
            Ok(read) => read.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the secret {} gives no answer", self.config.secret_id)),
        };
        let mut broken = Vec::new();
        let fields = read.unwrap_or_else(|reason| {
            warn!("The ways to people cannot be read: {reason}");
            broken.push((Channel::Slack, reason));
            serde_json::Map::new()
        });
        let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (channels, problems) = Channels::new(
            self.http.clone(),
            self.ses.clone(),
            self.config.email.clone(),
            text("slack_webhook_url"),
            text("sentry_dsn"),
        );
        for problem in problems {
            warn!("The secret {}: {problem}", self.config.secret_id);
            if text("slack_webhook_url").is_some() && !channels.all().contains(&Channel::Slack) {
                broken.push((Channel::Slack, problem.to_owned()));
            }
        }
        if let Some(problem) = self.config.email_problem {
            broken.push((Channel::Email, problem.to_owned()));
        }
        Ways { channels, broken }
    }
}
