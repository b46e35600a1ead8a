//! Lambda handler of the stager: takes an SQS batch of S3 notifications, returns the messages to deliver again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use chrono::Utc;
use db::{Db, SecretDb};
use lambda::{AlertSender, Queue, Secrets, aws_config, deadline, error_chain, is_path_style};
use lambda_runtime::{Error, LambdaEvent};
use protocol::alert::AlertClass;
use protocol::message::{self, Message, Notification};
use protocol::refusal::refusal;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::announcer::{Announcer, notification};
use crate::config::StagerConfig;
use crate::error::StagerError;
use crate::quarantine::quarantine_message;
use crate::raw_source::S3RawSource;
use crate::stage::{Staged, stage};
use crate::task::Task;

/// Longest time of an archive chunk and its deletion: one that begins later could be cut off by Lambda.
const DEADLINE_MARGIN: Duration = Duration::from_secs(15);

/// Stager with its connections, which live as long as the Lambda environment.
#[derive(Debug)]
pub struct Stager {
    config: StagerConfig,
    db: SecretDb,
    source: S3RawSource,
    raw_events: Queue,
    reconcile_requests: Queue,
    alerts: AlertSender,
}

/// Announced objects of a batch of messages.
#[derive(Debug, Default)]
struct Announced<'m> {
    /// Ids of the messages that announce each key.
    message_ids: BTreeMap<String, BTreeSet<&'m str>>,
    /// Ids of messages that could not be quarantined and must be delivered again.
    failed: BTreeSet<&'m str>,
}

impl Stager {
    /// Creates the stager from the environment.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = StagerConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        Ok(Self {
            db: SecretDb::new(config.database.clone(), Secrets::new(&aws)),
            source: S3RawSource::new(aws_sdk_s3::Client::from_conf(s3), config.raw_bucket.clone()),
            raw_events: Queue::new(&aws, config.raw_events_queue_url.clone()),
            reconcile_requests: Queue::new(&aws, config.reconcile_queue_url.clone()),
            alerts: AlertSender::new(&aws, "stager", config.alerts_queue_url.clone()),
            config,
        })
    }

    /// Handles a batch of notifications, or a task. Messages whose objects cannot be staged now are returned as
    /// failed and come again; objects that can never be staged are quarantined.
    ///
    /// # Errors
    /// A task failed. A request of an unknown form is refused by the response.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        if event.payload.get("task").is_some() {
            let deadline = deadline(event.context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
            return self.run_task(&event.payload, deadline).await;
        }
        let messages = match message::batch(&event.payload) {
            Ok(messages) => messages,
            Err(invalid) => {
                warn!("The event is refused: {invalid}");
                return Ok(refusal(&invalid.to_string()));
            }
        };
        let db = match self.db.get().await {
            Ok(db) => db,
            Err(error) => {
                let detail = error_chain(&error);
                error!("Could not handle a batch of {} messages: {detail}", messages.len());
                self.alerts.send_signal(AlertClass::DatabaseUnreachable, "", &detail).await;
                let failed = messages.iter().map(|message| message.id.as_str()).collect();
                return Ok(self.redeliver(&messages, &failed).await);
            }
        };
        let Announced { message_ids, mut failed } = self.announced_objects(db, &messages).await;
        let keys: Vec<String> = message_ids.keys().cloned().collect();
        let staged = stage(db, &self.source, &keys).await;
        for (key, error) in &staged.failed {
            warn!(key, "Could not stage an object, its message comes again: {}", error_chain(error));
            failed.extend(message_ids.get(key).into_iter().flatten());
        }
        self.notify_alerter(db, &staged).await;
        for entity in &staged.entities_to_reconcile {
            if let Err(error) = self.reconcile_requests.request_reconcile(entity).await {
                // The rows are staged, but would wait for the next request.
                error!(entity, "Could not request the reconciliation of {entity}: {}", error_chain(&error));
                failed.extend(message_ids.values().flatten());
            }
        }
        info!(
            messages = messages.len(),
            objects = keys.len(),
            failed = failed.len(),
            "Handled a batch of notifications"
        );
        Ok(self.redeliver(&messages, &failed).await)
    }

    /// Returns the keys that the messages announce. A message that announces none is quarantined.
    async fn announced_objects<'m>(&self, db: &Db, messages: &'m [Message]) -> Announced<'m> {
        let mut announced = Announced::default();
        for message in messages {
            let reason = match message::notification(&message.body) {
                Ok(Notification::Test) => continue,
                Ok(Notification::Objects(objects)) => {
                    let (ours, foreign): (Vec<_>, Vec<_>) =
                        objects.into_iter().partition(|object| object.bucket == self.config.raw_bucket);
                    for object in ours {
                        announced.message_ids.entry(object.key).or_default().insert(message.id.as_str());
                    }
                    if foreign.is_empty() {
                        continue;
                    }
                    "it announces an object of another bucket".to_owned()
                }
                Err(error) => error_chain(&error),
            };
            if let Err(error) = quarantine_message(db, message, &reason).await {
                warn!(
                    message.id,
                    "Could not quarantine the message {}, which comes again: {}",
                    message.id,
                    error_chain(&error)
                );
                announced.failed.insert(message.id.as_str());
            }
        }
        announced
    }

    /// Tells the alerter of a database failure, or of findings that a person must look at.
    async fn notify_alerter(&self, db: &Db, staged: &Staged) {
        let mut failures = staged.failed.iter().map(|(_, error)| error);
        if let Some(error) = failures.find(|error| error.is_database_failure()) {
            self.alerts.send_signal(AlertClass::DatabaseUnreachable, "", &error_chain(error)).await;
        } else if db::queries::has_recent_incidents(db).await.unwrap_or_default() {
            self.alerts.request_check().await;
        }
    }

    /// Schedules the redelivery of failed messages; returns the response that names them.
    async fn redeliver(&self, messages: &[Message], failed: &BTreeSet<&str>) -> Value {
        let failed_messages: Vec<&Message> =
            messages.iter().filter(|message| failed.contains(message.id.as_str())).collect();
        self.raw_events.schedule_redelivery(&failed_messages, false).await;
        message::batch_failures(failed.iter().copied())
    }

    async fn run_task(&self, payload: &Value, deadline: Instant) -> Result<Value, Error> {
        let task = match Task::parse(payload) {
            Ok(task) => task,
            // An answer to the person who asked, and no incident.
            Err(invalid) => {
                warn!("The task is refused: {invalid}");
                return Ok(refusal(&invalid.to_string()));
            }
        };
        // The response holds an error's text alone, so it is given the whole chain.
        let db = self.db.get().await.map_err(|error| error_chain(&error))?;
        let result = match task.run(db, &self.source, self, Utc::now(), deadline).await {
            Ok(result) => result,
            // The outage has an alert of its own; the next scheduled task catches up.
            Err(error) if task.is_scheduled() && error.is_database_unreachable() => {
                let detail = error_chain(&error);
                warn!(
                    task = task.name(),
                    "Postponed the task {} to its next schedule: {detail}",
                    task.name()
                );
                self.alerts.send_signal(AlertClass::DatabaseUnreachable, "", &detail).await;
                return Ok(json!({ "put_off": true }));
            }
            Err(error) => return Err(error_chain(&error).into()),
        };
        info!(
            task = task.name(),
            objects = result.objects,
            announced = result.announced,
            records = result.records,
            "Finished the task {}",
            task.name()
        );
        Ok(serde_json::to_value(result)?)
    }
}

impl Announcer for Stager {
    async fn announce(&self, keys: &[String]) -> Result<(), StagerError> {
        let body = notification(&self.config.raw_bucket, keys).to_string();
        self.raw_events.send(body).await.map_err(StagerError::Announce)
    }
}
