//! Dispatch of notices to people: claims them, sends them on the configured channels, records what was accepted.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::Utc;
use object_store::StateError;
use protocol::alert::{AlertClass, Signal};
use serde_json::Value;
use tokio::time::timeout;
use tracing::{info, warn};

use crate::alert::{Notice, NoticeKind};
use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::channel::{Channel, Channels, SendError};
use crate::event::LogError;
use crate::message::{self, Message};

/// Timeout of Secrets Manager: the signals are recorded by then and wait in the store.
const SECRET_TIMEOUT: Duration = Duration::from_secs(5);
/// Notices sent as single messages; more at once become one digest.
const SINGLE_MAX: usize = 3;
/// Error lines of one event that go to Sentry.
const SENTRY_ERRORS_MAX: usize = 20;
/// Accepted form of the secret, for its error texts.
const ACCEPTED_SECRET: &str =
    r#"{"slack_webhook_url": "https://…", "sentry_dsn": "https://…"}, either may be missing"#;

/// Configured channels, and those that are wanted but cannot be used.
pub(crate) struct Notifiers {
    channels: Channels,
    /// Unusable channels with the reason.
    broken: Vec<(Channel, String)>,
}

/// Message of one or more notices.
struct Parcel {
    message: Message,
    is_urgent: bool,
    notice_ids: Vec<u64>,
}

/// Results of the channels used so far, by name.
type Outcomes = BTreeMap<&'static str, Result<(), SendError>>;

/// Reads the channels' addresses from the secret: each time, so that a new webhook is used at once.
pub(crate) async fn notifiers(alerter: &Alerter) -> Notifiers {
    let secret_id = &alerter.config.secret_id;
    let reading = timeout(SECRET_TIMEOUT, alerter.secrets.read(secret_id, ACCEPTED_SECRET));
    let read = match reading.await {
        Ok(read) => read.map_err(|error| lambda::error_chain(&error)),
        Err(_) => Err(format!("the secret {secret_id} gives no answer")),
    };
    let mut broken = Vec::new();
    let fields = read.unwrap_or_else(|reason| {
        warn!("The channels' secret cannot be read: {reason}");
        broken.push((Channel::Slack, reason));
        serde_json::Map::new()
    });
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (channels, problems) = Channels::new(
        alerter.http.clone(),
        alerter.ses.clone(),
        alerter.config.email.clone(),
        text("slack_webhook_url"),
        text("sentry_dsn"),
    );
    for problem in problems {
        warn!("The secret {secret_id}: {problem}");
        if text("slack_webhook_url").is_some() && !channels.all().contains(&Channel::Slack) {
            broken.push((Channel::Slack, problem.to_owned()));
        }
    }
    if let Some(problem) = alerter.config.email_problem {
        broken.push((Channel::Email, problem.to_owned()));
    }
    Notifiers { channels, broken }
}

/// Delivers the notices that no other invocation delivers now.
pub(crate) async fn dispatch(alerter: &Alerter, notifiers: &Notifiers) -> Result<(), StateError> {
    let claimed = claim(alerter, notifiers).await?;
    if claimed.is_empty() {
        return Ok(());
    }
    let channels = &notifiers.channels;
    if channels.all().is_empty() {
        warn!(notices = claimed.len(), "No channel is configured: {} notices are dropped", claimed.len());
        let ids: Vec<u64> = claimed.iter().map(|notice| notice.id).collect();
        return alerter.update_store(&|store: &mut AlertStore| store.remove_delivered(&ids)).await;
    }
    let mut outcomes = Outcomes::new();
    let (mut delivered, mut kept) = (0, Vec::new());
    for parcel in parcels(claimed, alerter.config.dashboard_url.as_deref()) {
        if deliver(channels, &parcel, &mut outcomes).await {
            // At once: an invocation that is killed later must not deliver it again.
            let accepted_at = Utc::now();
            alerter
                .update_store(&|store: &mut AlertStore| {
                    store.record_delivery(&parcel.notice_ids, accepted_at);
                })
                .await?;
            delivered += parcel.notice_ids.len();
        } else {
            kept.extend(parcel.notice_ids);
        }
    }
    info!(told = delivered, kept = kept.len(), "Delivered {delivered} notices");
    let now = Utc::now();
    let record = |store: &mut AlertStore| {
        store.release(&kept);
        for (name, sent) in &outcomes {
            match sent {
                Ok(()) => store.resolve(AlertClass::Channel, name, now),
                Err(error) => {
                    store.raise(
                        &Signal::new(AlertClass::Channel, name, &lambda::error_chain(error), now),
                        now,
                    );
                }
            }
        }
    };
    alerter.update_store(&record).await
}

/// Claims notices, and keeps the alerts on the channels themselves up to date. Where channels are wanted and none can
/// be used, the notices wait.
async fn claim(alerter: &Alerter, notifiers: &Notifiers) -> Result<Vec<Notice>, StateError> {
    let (channels, broken, now) = (notifiers.channels.all(), &notifiers.broken, Utc::now());
    let configured: Vec<&str> = channels
        .iter()
        .copied()
        .chain(broken.iter().map(|(channel, _)| *channel))
        .map(Channel::name)
        .collect();
    let must_wait = channels.is_empty() && !broken.is_empty();
    let claim = |store: &mut AlertStore| {
        for (channel, reason) in broken {
            store.raise(&Signal::new(AlertClass::Channel, channel.name(), reason, now), now);
        }
        store.resolve_removed_channels(&configured, now);
        if must_wait { Vec::new() } else { store.claim(now) }
    };
    alerter.update_store(&claim).await
}

/// Groups notices into messages: one each, or one digest of many alerts; texts always stand alone.
fn parcels(notices: Vec<Notice>, dashboard_url: Option<&str>) -> Vec<Parcel> {
    let (texts, alerts): (Vec<Notice>, Vec<Notice>) =
        notices.into_iter().partition(|notice| notice.kind == NoticeKind::Text);
    let is_urgent =
        |notice: &Notice| notice.alert.as_ref().is_some_and(|alert| message::is_urgent(alert.class));
    let single = |notice: &Notice, is_urgent: bool| Parcel {
        message: message::message(notice, dashboard_url),
        is_urgent,
        notice_ids: vec![notice.id],
    };
    let mut parcels: Vec<Parcel> = if alerts.len() > SINGLE_MAX {
        vec![Parcel {
            message: message::digest(&alerts, dashboard_url),
            is_urgent: alerts.iter().any(is_urgent),
            notice_ids: alerts.iter().map(|notice| notice.id).collect(),
        }]
    } else {
        alerts.iter().map(|notice| single(notice, is_urgent(notice))).collect()
    };
    // The report and a trial message are for the readers of every channel.
    parcels.extend(texts.iter().map(|notice| single(notice, true)));
    parcels
}

/// Sends a message: an urgent one on every channel, any other on the first that accepts it. Returns whether one did.
async fn deliver(channels: &Channels, parcel: &Parcel, outcomes: &mut Outcomes) -> bool {
    let mut is_accepted = false;
    for channel in channels.all() {
        if is_accepted && !parcel.is_urgent {
            break;
        }
        // A channel that has just failed would cost its timeout once per message.
        if outcomes.get(channel.name()).is_some_and(Result::is_err) {
            continue;
        }
        let sent = channels.send(channel, &parcel.message).await;
        if let Err(error) = &sent {
            warn!(channel = channel.name(), "A message was not accepted: {}", lambda::error_chain(error));
        }
        is_accepted |= sent.is_ok();
        outcomes.insert(channel.name(), sent);
    }
    is_accepted
}

/// Forwards error lines of the functions to Sentry.
pub(crate) async fn forward_errors(notifiers: &Notifiers, errors: &[LogError]) {
    let errors = &errors[..errors.len().min(SENTRY_ERRORS_MAX)];
    if let Err(error) = notifiers.channels.send_to_sentry(errors).await {
        // A warning: an error line would come back here as an event.
        warn!(errors = errors.len(), "Errors did not reach Sentry: {}", lambda::error_chain(&error));
    }
}
