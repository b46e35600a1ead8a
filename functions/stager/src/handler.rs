//! The stager behind Lambda: an SQS batch of S3 notifications in, the messages to repeat out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use db::staging::Quarantined;
use db::{Db, SecretDb};
use lambda::{Alerts, Queue, Secrets, aws_config, deadline, is_path_style};
use lambda_runtime::{Error, LambdaEvent};
use protocol::alert::Class;
use protocol::message::{self, Message, Notification};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::config::StagerConfig;
use crate::raw_source::S3RawSource;
use crate::stage::{StageError, Staged, stage};
use crate::task::{self, Announcer, Task, TaskError};

/// What a part of the archive takes at most, and its deletion.
const DEADLINE_MARGIN: Duration = Duration::from_secs(15);

/// The stager with its connections.
#[derive(Debug)]
pub struct Stager {
    config: StagerConfig,
    db: SecretDb,
    source: S3RawSource,
    events: Queue,
    bell: Queue,
    alerts: Alerts,
}

impl Stager {
    /// The stager that the environment describes.
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
            events: Queue::new(&aws, config.raw_events_queue_url.clone()),
            bell: Queue::new(&aws, config.reconcile_queue_url.clone()),
            alerts: Alerts::new(&aws, "stager", config.alerts_queue_url.clone()),
            config,
        })
    }

    /// Serves one batch. What cannot be staged now is answered as failed and comes again; what never
    /// can is set aside.
    ///
    /// # Errors
    /// The event is no SQS batch and no task, or a task could not be finished.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        if event.payload.get("task").is_some() {
            let deadline = deadline(event.context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
            return self.serve_task(&event.payload, deadline).await;
        }
        let messages =
            message::batch(&event.payload).inspect_err(|bad| error!("The event is refused: {bad}"))?;
        let db = match self.db.get().await {
            Ok(db) => db,
            Err(unreachable) => {
                error!("No message of {} is served: {unreachable}", messages.len());
                self.alerts.raise(Class::DatabaseUnreachable, "", &unreachable.to_string()).await;
                let failed = messages.iter().map(|message| message.id.as_str()).collect();
                return Ok(self.answer(&messages, &failed).await);
            }
        };
        let (keys, mut failed) = self.keys(db, &messages).await;
        let wanted: Vec<String> = keys.keys().cloned().collect();
        let staged = stage(db, &self.source, &wanted).await;
        for (key, reason) in &staged.failed {
            warn!(key, "Not staged, comes again: {reason}");
            failed.extend(keys.get(key).into_iter().flatten());
        }
        self.tell(db, &staged).await;
        for entity in &staged.bells {
            if let Err(silent) = self.bell.ring(entity).await {
                // The rows are staged; without a bell they would wait for the next one.
                error!(entity, "{silent}");
                failed.extend(keys.values().flatten());
            }
        }
        info!(messages = messages.len(), objects = wanted.len(), failed = failed.len(), "Served a batch");
        Ok(self.answer(&messages, &failed).await)
    }

    /// Tells the alerter of a database that is in trouble, and of what was set aside.
    async fn tell(&self, db: &Db, staged: &Staged) {
        let trouble = staged.failed.iter().find(|(_, reason)| matches!(reason, StageError::Database { .. }));
        if let Some((_, reason)) = trouble {
            self.alerts.raise(Class::DatabaseUnreachable, "", &reason.to_string()).await;
        } else if db::queries::has_news(db).await.unwrap_or_default() {
            self.alerts.look().await;
        }
    }

    async fn serve_task(&self, payload: &Value, deadline: Instant) -> Result<Value, Error> {
        let task = Task::parse(payload).inspect_err(|bad| error!("The task is refused: {bad}"))?;
        let db = self.db.get().await?;
        let done = match task.run(db, &self.source, self, Utc::now(), deadline).await {
            Ok(done) => done,
            // The outage is told as one; the next hour, or the next night, does what this one could not.
            Err(TaskError::Database(error)) if task.is_scheduled() && db::is_out_of_reach(&error) => {
                warn!("Put off until the schedule calls again: {task:?}");
                self.alerts.raise(Class::DatabaseUnreachable, "", &error.to_string()).await;
                return Ok(json!({ "put_off": true }));
            }
            Err(error) => return Err(error.into()),
        };
        info!(objects = done.objects, announced = done.announced, records = done.records, "Done: {task:?}");
        Ok(serde_json::to_value(done)?)
    }

    async fn answer(&self, messages: &[Message], failed: &BTreeSet<&str>) -> Value {
        let later: Vec<&Message> =
            messages.iter().filter(|message| failed.contains(message.id.as_str())).collect();
        self.events.postpone(&later, false).await;
        message::batch_failures(failed.iter().copied())
    }

    /// The keys announced, each with the messages that announce it, and messages to repeat.
    async fn keys<'m>(
        &self,
        db: &Db,
        messages: &'m [Message],
    ) -> (BTreeMap<String, BTreeSet<&'m str>>, BTreeSet<&'m str>) {
        let mut keys: BTreeMap<String, BTreeSet<&'m str>> = BTreeMap::new();
        let mut failed = BTreeSet::new();
        for message in messages {
            let reason = match message::notification(&message.body) {
                Ok(Notification::Test) => continue,
                Ok(Notification::Objects(objects)) => {
                    let (ours, foreign): (Vec<_>, Vec<_>) =
                        objects.into_iter().partition(|object| object.bucket == self.config.raw_bucket);
                    for object in ours {
                        keys.entry(object.key).or_default().insert(message.id.as_str());
                    }
                    if foreign.is_empty() {
                        continue;
                    }
                    "it announces an object of another bucket".to_owned()
                }
                Err(bad) => bad.to_string(),
            };
            warn!(message.id, "Set a message aside: {reason}");
            let digest = digest(&message.body);
            let item = Quarantined {
                source_key: &digest,
                kind: "message",
                entity: None,
                reason: &reason,
                bytes: Some(message.body.as_bytes()),
                page: None,
            };
            if let Err(unreachable) = db::staging::quarantine(db, &item).await {
                warn!(message.id, "Could not set it aside, comes again: {unreachable}");
                failed.insert(message.id.as_str());
            }
        }
        (keys, failed)
    }
}

impl Announcer for Stager {
    async fn announce(&self, keys: &[String]) -> Result<(), String> {
        let body = task::notification(&self.config.raw_bucket, keys).to_string();
        self.events.send(body).await.map_err(|error| error.to_string())
    }
}

fn digest(body: &str) -> String {
    Sha256::digest(body).iter().fold("message/".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
