//! The reconciler behind Lambda: bells in, the bells to repeat out.

use std::time::{Duration, SystemTime};

use db::SecretDb;
use lambda::{Alerts, Queue, Secrets, Unit, aws_config, deadline, measure};
use lambda_runtime::{Error, LambdaEvent};
use model::entity::{self, Entity};
use protocol::alert::Class;
use protocol::message::{self, Bell, Message};
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::config::ReconcilerConfig;
use crate::deletion;
use crate::reconcile::{Drained, drain};
use crate::task::Retry;

/// What a batch takes at most, and a commit: one begun later could be cut off.
const DEADLINE_MARGIN: Duration = Duration::from_secs(15);

/// The reconciler with its connections.
#[derive(Debug)]
pub struct Reconciler {
    db: SecretDb,
    bells: Queue,
    fetch_requests: Queue,
    deletion_share_max: u32,
    alerts: Alerts,
}

impl Reconciler {
    /// The reconciler that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = ReconcilerConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        Ok(Self {
            db: SecretDb::new(config.database, Secrets::new(&aws)),
            bells: Queue::new(&aws, config.reconcile_queue_url),
            fetch_requests: Queue::new(&aws, config.fetch_queue_url),
            deletion_share_max: config.deletion_share_max,
            alerts: Alerts::new(&aws, "reconciler", config.alerts_queue_url),
        })
    }

    /// Serves bells: whichever rang, everything that waits is promoted, parents first. A bell that
    /// cannot be read still rings.
    ///
    /// # Errors
    /// The event is no SQS batch.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let (payload, context) = event.into_parts();
        if payload.get("task").is_some() {
            return self.retry(&payload).await;
        }
        let deadline = deadline(context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
        let messages = message::batch(&payload).inspect_err(|bad| error!("The event is refused: {bad}"))?;
        for message in &messages {
            if let Some(problem) = problem(&message.body) {
                warn!(message.id, "A bell that cannot be read, taken for one all the same: {problem}");
            }
        }
        let mut ends = Vec::new();
        for entity in entity::ALL {
            ends.push(self.serve(entity, deadline).await);
        }
        if Instant::now() < deadline {
            ends.push(self.delete_missing().await);
        }
        let is_troubled = ends.contains(&End::Trouble);
        self.tell(is_troubled).await;
        let is_unfinished = is_troubled || ends.contains(&End::OutOfTime);
        info!(messages = messages.len(), is_unfinished, "Served a batch of bells");
        if !is_unfinished {
            return Ok(message::batch_failures([]));
        }
        // The same bells ring again. Ringing new ones would make a chain that Lambda cuts off.
        self.bells.postpone(&messages.iter().collect::<Vec<&Message>>(), !is_troubled).await;
        Ok(message::batch_failures(messages.iter().map(|message| message.id.as_str())))
    }

    /// Drains one entity. Its trouble never touches another's.
    async fn serve(&self, entity: &'static Entity, deadline: Instant) -> End {
        let db = match self.db.get().await {
            Ok(db) => db,
            Err(unreachable) => {
                error!(entity = entity.name, "No record of {} is promoted: {unreachable}", entity.name);
                return End::Trouble;
            }
        };
        match drain(db, entity, deadline).await {
            Ok(drained) => {
                if drained != (Drained { is_empty: true, ..Drained::default() }) {
                    measure(
                        &[("entity", entity.name)],
                        &[
                            ("Promoted", Unit::Count, f64::from(drained.promoted)),
                            ("Failed", Unit::Count, f64::from(drained.failed)),
                        ],
                    );
                }
                if drained.is_empty { End::Empty } else { End::OutOfTime }
            }
            Err(trouble) => {
                error!(entity = entity.name, "The records of {} wait: {trouble}", entity.name);
                End::Trouble
            }
        }
    }
}

impl Reconciler {
    /// Has failed records tried once more; rings for them.
    async fn retry(&self, payload: &Value) -> Result<Value, Error> {
        let Retry { entities } =
            Retry::parse(payload).inspect_err(|bad| error!("The task is refused: {bad}"))?;
        let db = self.db.get().await?;
        let mut retried = serde_json::Map::new();
        for entity in entities {
            let records = db::staging::retry_failed(db, entity).await?;
            if records > 0 {
                self.bells.ring(entity.name).await?;
            }
            info!(
                entity = entity.name,
                records, "{records} failed records of {} are tried again", entity.name
            );
            retried.insert(entity.name.to_owned(), records.into());
        }
        Ok(json!({ "retried": retried }))
    }

    /// Tells the alerter of a database in trouble, and of what a person must look at.
    async fn tell(&self, is_troubled: bool) {
        let news = match self.db.get().await {
            Ok(db) if !is_troubled => db::queries::has_news(db).await.map_err(|error| error.to_string()),
            Ok(_) => Err("the database refuses what the reconciler asks".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        match news {
            Ok(true) => self.alerts.look().await,
            Ok(false) => {}
            Err(reason) => self.alerts.raise(Class::DatabaseUnreachable, "", &reason).await,
        }
    }

    async fn delete_missing(&self) -> End {
        let served = match self.db.get().await {
            Ok(db) => deletion::serve(db, &self.fetch_requests, self.deletion_share_max).await,
            // Said already, by each entity.
            Err(_) => return End::Trouble,
        };
        match served {
            Ok(()) => End::Empty,
            Err(trouble) => {
                error!("What is missing waits: {trouble}");
                End::Trouble
            }
        }
    }
}

/// How the draining of one entity ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing waits.
    Empty,
    /// The deadline came first.
    OutOfTime,
    /// The database is in trouble.
    Trouble,
}

fn problem(body: &str) -> Option<String> {
    match serde_json::from_str::<Bell>(body) {
        Ok(bell) if entity::find(&bell.entity).is_some() => None,
        Ok(_) => Some("`entity` is unknown".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}
