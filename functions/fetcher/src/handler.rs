//! The fetcher behind Lambda: a request in, a report per run out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::future::join_all;
use lambda::{Alerts, Secrets, Unit, aws_config, deadline, is_path_style, measure};
use lambda_runtime::{Error, LambdaEvent};
use protocol::alert::Class;
use protocol::message;
use protocol::request::SyncRequest;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracing::{Instrument as _, Span, error};

use crate::config::FetcherConfig;
use crate::fetch::{ATTEMPTS_MAX, Job, Parts, fetch};
use crate::raw_sink::S3RawSink;
use crate::report::Report;
use gazelle_client::{AwsTokenStore, Credentials, Gazelle, TokenStore};
use object_store::{ObjectStore, S3ObjectStore};

/// What one page may take with all its tries, and what ending a run takes: a page begun later could
/// not be stored.
const DEADLINE_MARGIN: Duration = Duration::from_secs(130);

/// The fetcher with its connections.
#[derive(Debug)]
pub struct Fetcher {
    config: FetcherConfig,
    api: Arc<Gazelle>,
    sink: Arc<S3RawSink>,
    states: Arc<ObjectStore>,
    alerts: Alerts,
}

impl Fetcher {
    /// The fetcher that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
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
            alerts: Alerts::new(&aws, "fetcher", config.alerts_queue_url.clone()),
            config,
        })
    }

    /// Serves one request, or a batch of them from the queue. What happens to a run is in its report; the
    /// function itself fails only where a request would be lost otherwise.
    ///
    /// # Errors
    /// A request of an invocation cannot be read: names the field and what is accepted. A run broke off, or
    /// a request could not be written down.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let (payload, context) = event.into_parts();
        let invocation = Invocation {
            holder: format!("{}-{:08x}", context.request_id, rand::random::<u32>()),
            deadline: deadline(context.deadline(), SystemTime::now(), DEADLINE_MARGIN),
        };
        if payload.get("Records").is_some() {
            return self.serve_batch(&payload, &invocation).await;
        }
        let request = SyncRequest::parse(&payload, self.config.timezone)
            .inspect_err(|bad| error!(field = bad.field, "The request is refused: {bad}"))?;
        // An error of the function: Lambda keeps the request in the failure queue.
        let reports = self.serve(&request, &context.request_id, &invocation).await?;
        Ok(json!({ "runs": reports }))
    }

    /// Serves requests of other functions. What cannot be served now comes again.
    async fn serve_batch(&self, payload: &Value, invocation: &Invocation) -> Result<Value, Error> {
        let messages = message::batch(payload)?;
        let served = messages.iter().map(|message| async move {
            let body = serde_json::from_str(&message.body).unwrap_or_default();
            let served = match SyncRequest::parse(&body, self.config.timezone) {
                Ok(request) => self.serve(&request, &message.id, invocation).await.map(|_| ()),
                Err(bad) => Err(bad.into()),
            };
            served
                .inspect_err(|error| error!(message.id, "A request is not served, comes again: {error}"))
                .is_err()
                .then_some(message.id.as_str())
        });
        Ok(message::batch_failures(join_all(served).await.into_iter().flatten()))
    }

    /// Serves one request: its entities side by side, none touching another.
    async fn serve(
        &self,
        request: &SyncRequest,
        request_id: &str,
        invocation: &Invocation,
    ) -> Result<Vec<Report>, Error> {
        let mut runs = JoinSet::new();
        let entities = request.entities();
        for entity in &entities {
            let job = Job {
                entity,
                mode: request.mode.clone(),
                request_id: request_id.to_owned(),
                lookback_days: self.config.lookback_days,
                attempts_max: ATTEMPTS_MAX,
                holder: invocation.holder.clone(),
                deadline: invocation.deadline,
            };
            let (api, sink, states) =
                (Arc::clone(&self.api), Arc::clone(&self.sink), Arc::clone(&self.states));
            // A task each: an entity's panic ends that task alone.
            let run = async move {
                let parts = Parts { api: &api, sink: &*sink, states: &states };
                fetch(parts, &job, &|_| ()).await
            };
            runs.spawn(run.instrument(Span::current()));
        }
        let mut reports = Vec::new();
        let mut broken = None;
        while let Some(ended) = runs.join_next().await {
            match ended {
                Ok(Ok(of_entity)) => reports.extend(of_entity),
                Ok(Err(unwritten)) => {
                    error!("A request could not be written down: {unwritten}");
                    broken = Some(format!("A request could not be written down, ask again: {unwritten}"));
                }
                Err(panic) => {
                    error!("A run broke off: {panic}");
                    broken = Some(format!("A run broke off: {panic}"));
                }
            }
        }
        for report in &reports {
            self.tell(report).await;
        }
        if let Some(broken) = broken {
            return Err(broken.into());
        }
        reports.sort_by_key(|report| entities.iter().position(|entity| entity.name == report.entity));
        Ok(reports)
    }
}

impl Fetcher {
    /// Tells how a run stands to whoever counts runs, and to the alerter what went wrong.
    async fn tell(&self, report: &Report) {
        let is_failed = report.status == "failed";
        let seconds = (report.ended_at - report.started_at).as_seconds_f64();
        measure(
            &[("entity", report.entity)],
            &[
                ("RunsFailed", Unit::Count, if is_failed { 1.0 } else { 0.0 }),
                ("PagesFetched", Unit::Count, f64::from(report.pages)),
                ("FetchDuration", Unit::Seconds, seconds),
            ],
        );
        if is_failed {
            let class = report.action.and_then(Class::of_action).unwrap_or(Class::SyncFailed);
            self.alerts.raise(class, report.entity, report.error.as_deref().unwrap_or_default()).await;
        }
    }
}

/// What the runs of one invocation have in common.
struct Invocation {
    holder: String,
    deadline: Instant,
}
