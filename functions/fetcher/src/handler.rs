//! Lambda handler of the fetcher: reads requests, serves them, returns a report per run.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use gazelle_client::{AwsTokenStore, Credentials, Gazelle, TokenStore};
use lambda::{AlertSender, Secrets, Unit, aws_config, deadline, emit_metrics, error_chain, is_path_style};
use lambda_runtime::{Error, LambdaEvent};
use object_store::{ObjectStore, S3ObjectStore};
use protocol::action::ActionKind;
use protocol::alert::{AlertClass, lane_subject};
use protocol::message;
use protocol::refusal::refusal;
use protocol::request::SyncRequest;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, error, warn};

use crate::config::FetcherConfig;
use crate::fetch::{ATTEMPTS_MAX, fetch};
use crate::job::{Job, RunContext, holder_of};
use crate::raw_sink::S3RawSink;
use crate::report::{ReportStatus, RunReport};

/// Time before Lambda's deadline at which no further page begins: one page with all its attempts, and the end of the
/// run, must fit into it.
const DEADLINE_MARGIN: Duration = Duration::from_secs(130);

/// Fetcher with its connections, which are shared by all invocations of one process.
#[derive(Debug)]
pub struct Fetcher {
    config: FetcherConfig,
    api: Arc<Gazelle>,
    sink: Arc<S3RawSink>,
    states: Arc<ObjectStore>,
    alerts: AlertSender,
}

impl Fetcher {
    /// Creates the fetcher with the settings of the environment.
    ///
    /// # Errors
    /// A setting is missing or malformed, and the error names each; or the HTTP client cannot be created.
    pub async fn from_env() -> Result<Self, Error> {
        let config = FetcherConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        let store = TokenStore::Aws(AwsTokenStore {
            secrets: Secrets::new(&aws),
            secret_id: config.secret_id.clone(),
        });
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        let states = S3ObjectStore { client: client.clone(), bucket: config.raw_bucket.clone() };
        let states = Arc::new(ObjectStore::S3(states));
        let gazelle = &config.gazelle;
        let credentials =
            Credentials::new(gazelle.authentication, store, gazelle.token_url.clone(), Arc::clone(&states));
        Ok(Self {
            api: Arc::new(Gazelle::new(gazelle, credentials, Arc::clone(&states))?),
            sink: Arc::new(S3RawSink::new(client, config.raw_bucket.clone())),
            states,
            alerts: AlertSender::new(&aws, "fetcher", config.alerts_queue_url.clone()),
            config,
        })
    }

    /// Serves one request, or a batch of requests from the queue. An error of a run is in its report; the invocation
    /// itself fails only if a request would be lost otherwise.
    ///
    /// # Errors
    /// A run panicked, or a request could not be queued. An invalid request is refused by the response, which names the
    /// field and what is accepted.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let (payload, context) = event.into_parts();
        let deadline = deadline(context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
        if payload.get("Records").is_some_and(Value::is_array) {
            return self.serve_batch(&payload, deadline).await;
        }
        let request = match SyncRequest::parse(&payload, self.config.timezone) {
            Ok(request) => request,
            // An answer to the person who asked, and no incident.
            Err(invalid) => {
                warn!(field = invalid.field, "Refused a request: {invalid}");
                return Ok(refusal(&invalid.to_string()));
            }
        };
        // After an error of the invocation, Lambda keeps the request in the failure queue.
        let reports = self.serve(&request, &context.request_id, deadline).await?;
        Ok(json!({ "runs": reports }))
    }

    /// Serves requests of other functions. Those that failed are delivered again.
    async fn serve_batch(&self, payload: &Value, deadline: Instant) -> Result<Value, Error> {
        let messages = message::batch(payload)?;
        let served = messages.iter().map(|message| async move {
            let body = serde_json::from_str(&message.body).unwrap_or_default();
            let served = match SyncRequest::parse(&body, self.config.timezone) {
                Ok(request) => self.serve(&request, &message.id, deadline).await.map(|_| ()),
                Err(invalid) => Err(invalid.into()),
            };
            served
                .inspect_err(|error| {
                    let error = error_chain(error.as_ref());
                    error!(message.id, "Could not serve a request, it will be delivered again: {error}");
                })
                .is_err()
                .then_some(message.id.as_str())
        });
        Ok(message::batch_failures(join_all(served).await.into_iter().flatten()))
    }

    /// Serves one request: a job per entity, side by side and independent of each other.
    async fn serve(
        &self,
        request: &SyncRequest,
        request_id: &str,
        deadline: Instant,
    ) -> Result<Vec<RunReport>, Error> {
        let entities = request.entities();
        let mut jobs = JoinSet::new();
        let (sender, mut ended_runs) = mpsc::unbounded_channel();
        for entity in &entities {
            let job = Job {
                entity,
                mode: request.mode.clone(),
                request_id: request_id.to_owned(),
                lookback_days: self.config.lookback_days,
                attempts_max: ATTEMPTS_MAX,
                holder: holder_of(request_id),
                deadline,
            };
            let (api, sink, states) =
                (Arc::clone(&self.api), Arc::clone(&self.sink), Arc::clone(&self.states));
            let sender = sender.clone();
            // A task per entity, so that a panic ends the runs of one entity only.
            let served = async move {
                let context = RunContext { api: &api, sink: &*sink, states: &states, reports: Some(&sender) };
                fetch(context, &job, &|_| ()).await
            };
            jobs.spawn(served.instrument(Span::current()));
        }
        drop(sender);
        // Each as soon as it has ended: other runs of this invocation may go on for minutes.
        while let Some(report) = ended_runs.recv().await {
            self.publish(&report).await;
        }
        let mut reports = Vec::new();
        let mut failure = None;
        while let Some(served) = jobs.join_next().await {
            let error = match served {
                Ok(Ok(of_entity)) => {
                    reports.extend(of_entity);
                    continue;
                }
                Ok(Err(error)) => {
                    format!("Could not queue a request, it must be sent again: {}", error_chain(&error))
                }
                Err(panic) => format!("A run broke off: {panic}"),
            };
            error!("{error}");
            failure = Some(error);
        }
        if let Some(failure) = failure {
            return Err(failure.into());
        }
        reports.sort_by_key(|report| entities.iter().position(|entity| entity.name == report.entity));
        Ok(reports)
    }

    /// Writes the metrics of a run, and sends an alert if it failed.
    async fn publish(&self, report: &RunReport) {
        let is_failed = report.status == ReportStatus::Failed;
        let duration_s = (report.ended_at - report.started_at).as_seconds_f64();
        emit_metrics(
            &[("entity", report.entity)],
            &[
                ("RunsFailed", Unit::Count, if is_failed { 1.0 } else { 0.0 }),
                ("PagesFetched", Unit::Count, f64::from(report.pages)),
                ("FetchDuration", Unit::Seconds, duration_s),
            ],
        );
        if is_failed {
            // A record that is not served is alerted by its action; that the run failed is told here.
            let action = report.action.filter(|action| *action != ActionKind::Unserved);
            let class = action.and_then(AlertClass::of_action).unwrap_or(AlertClass::SyncFailed);
            let detail = report.error.as_deref().unwrap_or_default();
            // The credentials are those of every lane. The time is that of the failure: a later success ends the alert.
            let subject = match class {
                AlertClass::Credentials => report.entity.to_owned(),
                _ => lane_subject(report.entity, report.lane),
            };
            self.alerts.send_signal_at(class, &subject, detail, report.ended_at).await;
        }
    }
}
