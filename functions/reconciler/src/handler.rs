//! Lambda handler of the reconciler: takes a batch of reconcile requests, returns those to deliver again.

use std::time::{Duration, SystemTime};

use db::{Db, SecretDb};
use lambda::{AlertSender, Queue, Secrets, Unit, aws_config, deadline, emit_metrics, error_chain};
use lambda_runtime::{Error, LambdaEvent};
use model::entity::{self, Entity};
use protocol::alert::AlertClass;
use protocol::message::{self, Message, ReconcileRequest};
use protocol::refusal::refusal;
use serde_json::{Value, json};
use tokio::time::Instant;
use tracing::{error, info, warn};

use crate::completeness::check_completeness;
use crate::config::ReconcilerConfig;
use crate::deletion::process_missing_records;
use crate::error::ReconcilerError;
use crate::reconcile::{Drained, drain};
use crate::task::RetryTask;

/// Longest time of a batch and its commit: one that begins later could be cut off by Lambda.
const DEADLINE_MARGIN: Duration = Duration::from_secs(15);

/// Reconciler with its connections, which live as long as the Lambda environment.
#[derive(Debug)]
pub struct Reconciler {
    db: SecretDb,
    reconcile_requests: Queue,
    fetch_requests: Queue,
    deletion_share_max: u32,
    alerts: AlertSender,
}

/// Progress of one step of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// No record waits any more.
    Complete,
    /// The deadline came first.
    DeadlineReached,
    /// A statement failed or the database is unreachable.
    DatabaseFailed,
    /// The database refused data that should have been settled one by one.
    Refused,
}

impl Progress {
    /// Returns the progress of a step that failed for this reason.
    fn of_failure(error: &ReconcilerError) -> Self {
        if error.is_data_error() { Self::Refused } else { Self::DatabaseFailed }
    }
}

impl Reconciler {
    /// Creates the reconciler from the environment.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = ReconcilerConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        Ok(Self {
            db: SecretDb::new(config.database, Secrets::new(&aws)),
            reconcile_requests: Queue::new(&aws, config.reconcile_queue_url),
            fetch_requests: Queue::new(&aws, config.fetch_queue_url),
            deletion_share_max: config.deletion_share_max,
            alerts: AlertSender::new(&aws, "reconciler", config.alerts_queue_url),
        })
    }

    /// Handles a batch of reconcile requests, or a task. Any request promotes whatever waits, of every entity,
    /// parents first; one that cannot be read does so, too.
    ///
    /// # Errors
    /// A task failed. A request of an unknown form is refused by the response.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let (payload, context) = event.into_parts();
        if payload.get("task").is_some() {
            return self.retry_failed(&payload).await;
        }
        let deadline = deadline(context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
        let messages = match message::batch(&payload) {
            Ok(messages) => messages,
            Err(invalid) => {
                warn!("The event is refused: {invalid}");
                return Ok(refusal(&invalid.to_string()));
            }
        };
        log_unreadable_requests(&messages);
        let mut steps = Vec::new();
        for entity in entity::ALL {
            steps.push(self.drain_entity(entity, deadline).await);
        }
        if Instant::now() < deadline {
            steps.push(self.delete_missing().await);
            self.check_completeness().await;
        }
        let has_database_failed = steps.contains(&Progress::DatabaseFailed);
        self.notify_alerter(has_database_failed).await;
        let is_refused = steps.contains(&Progress::Refused);
        if is_refused {
            let detail = "the database refuses what it was given; the log names it";
            self.alerts.send_signal(AlertClass::FunctionFailed, "reconciler", detail).await;
        }
        let is_unfinished = has_database_failed || is_refused || steps.contains(&Progress::DeadlineReached);
        info!(messages = messages.len(), is_unfinished, "Handled a batch of reconcile requests");
        if !is_unfinished {
            return Ok(message::batch_failures([]));
        }
        // The same requests are delivered again. New ones would form a recursive loop, which Lambda stops.
        let unfinished: Vec<&Message> = messages.iter().collect();
        self.reconcile_requests.schedule_redelivery(&unfinished, !has_database_failed && !is_refused).await;
        Ok(message::batch_failures(messages.iter().map(|message| message.id.as_str())))
    }

    /// Drains one entity. Its failure never stops another's.
    async fn drain_entity(&self, entity: &'static Entity, deadline: Instant) -> Progress {
        let db = match self.db.get().await {
            Ok(db) => db,
            Err(error) => {
                error!(
                    entity = entity.name,
                    "Could not promote records of {}: {}",
                    entity.name,
                    error_chain(&error)
                );
                return Progress::DatabaseFailed;
            }
        };
        match drain(db, entity, deadline).await {
            Ok(drained) => {
                if drained != (Drained { is_empty: true, ..Drained::default() }) {
                    emit_metrics(
                        &[("entity", entity.name)],
                        &[
                            ("Promoted", Unit::Count, f64::from(drained.promoted)),
                            ("Failed", Unit::Count, f64::from(drained.failed)),
                        ],
                    );
                }
                if drained.is_empty { Progress::Complete } else { Progress::DeadlineReached }
            }
            Err(error) => {
                error!(
                    entity = entity.name,
                    "Records of {} wait in staging: {}",
                    entity.name,
                    error_chain(&error)
                );
                Progress::of_failure(&error)
            }
        }
    }

    async fn delete_missing(&self) -> Progress {
        // A connection error has been logged already, for each entity.
        let Ok(db) = self.db.get().await else { return Progress::DatabaseFailed };
        match process_missing_records(db, &self.fetch_requests, self.deletion_share_max).await {
            Ok(()) => Progress::Complete,
            Err(error) => {
                error!("Missing records wait for the next reconcile request: {}", error_chain(&error));
                Progress::of_failure(&error)
            }
        }
    }

    /// Compares settled full runs with production. A count that fails is no reason to handle the requests again.
    async fn check_completeness(&self) {
        let Ok(db) = self.db.get().await else { return };
        if let Err(error) = check_completeness(db).await {
            error!("Completeness waits for the next reconcile request: {}", error_chain(&error));
        }
    }

    /// Tells the alerter of a database failure, or of findings that a person must look at.
    async fn notify_alerter(&self, has_database_failed: bool) {
        let detail = match self.db.get().await {
            Err(error) => error_chain(&error),
            Ok(_) if has_database_failed => {
                "statements of the reconciler fail; its log names them".to_owned()
            }
            Ok(db) => match db::queries::has_recent_incidents(db).await {
                Ok(true) => return self.alerts.request_check().await,
                Ok(false) => return,
                Err(error) => error_chain(&error),
            },
        };
        self.alerts.send_signal(AlertClass::DatabaseUnreachable, "", &detail).await;
    }

    /// Gives failed records another attempt, and requests their reconciliation.
    async fn retry_failed(&self, payload: &Value) -> Result<Value, Error> {
        let task = match RetryTask::parse(payload) {
            Ok(task) => task,
            // An answer to the person who asked, and no incident.
            Err(invalid) => {
                warn!("The task is refused: {invalid}");
                return Ok(refusal(&invalid.to_string()));
            }
        };
        // The response holds an error's text alone, so it is given the whole chain.
        let db = self.db.get().await.map_err(|error| error_chain(&error))?;
        let mut retried = serde_json::Map::new();
        for entity in task.entities {
            let records = self.retry_entity(db, entity).await.map_err(|error| error_chain(&error))?;
            retried.insert(entity.name.to_owned(), records.into());
        }
        Ok(json!({ "retried": retried }))
    }

    /// Gives failed records of one entity another attempt; returns their number.
    async fn retry_entity(&self, db: &Db, entity: &'static Entity) -> Result<u64, ReconcilerError> {
        let records = db::staging::retry_failed(db, entity)
            .await
            .map_err(|source| ReconcilerError::RetryFailed { entity: entity.name, source })?;
        if records > 0 {
            self.reconcile_requests
                .request_reconcile(entity.name)
                .await
                .map_err(|source| ReconcilerError::RequestReconcile { entity: entity.name, source })?;
        }
        info!(entity = entity.name, records, "{records} failed records of {} are tried again", entity.name);
        Ok(records)
    }
}

/// Logs the requests that cannot be read; they promote everything all the same.
fn log_unreadable_requests(messages: &[Message]) {
    for message in messages {
        let problem = match serde_json::from_str::<ReconcileRequest>(&message.body) {
            Ok(request) if entity::find(&request.entity).is_some() => continue,
            Ok(_) => "`entity` is unknown".to_owned(),
            Err(error) => error.to_string(),
        };
        warn!(message.id, "Could not read a reconcile request, which is handled all the same: {problem}");
    }
}
