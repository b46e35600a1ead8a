//! The fetcher behind Lambda: a request in, a report per run out.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lambda_runtime::{Error, LambdaEvent};
use serde_json::{Value, json};
use shared::request::SyncRequest;
use shared_runtime::{Secrets, aws_config, deadline, is_path_style};
use tokio::task::JoinSet;
use tracing::error;

use crate::config::FetcherConfig;
use crate::fetch::{BUSY, Job, fetch};
use crate::gazelle::{AwsTokenStore, Credentials, Gazelle, TokenStore};
use crate::raw_sink::S3RawSink;
use crate::state::S3StateStore;

/// What one page may take with all its tries, and what ending a run takes: a page begun later could
/// not be stored.
const DEADLINE_MARGIN: Duration = Duration::from_secs(130);

/// The fetcher with its connections.
#[derive(Debug)]
pub struct Fetcher {
    config: FetcherConfig,
    api: Arc<Gazelle>,
    sink: Arc<S3RawSink>,
    states: Arc<S3StateStore>,
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
        let credentials =
            Credentials::new(config.gazelle.authentication, store, config.gazelle.token_url.clone());
        let api = Arc::new(Gazelle::new(&config.gazelle, credentials)?);
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        Ok(Self {
            api,
            sink: Arc::new(S3RawSink::new(client.clone(), config.raw_bucket.clone())),
            states: Arc::new(S3StateStore::new(client, config.raw_bucket.clone())),
            config,
        })
    }

    /// Serves one request. What happens to a run is in its report; the function itself fails only where
    /// the request would be lost otherwise.
    ///
    /// # Errors
    /// The request cannot be read: names the field and what is accepted. A run broke off, or could not
    /// begin although no later tick asks for the same.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let (payload, context) = event.into_parts();
        let request = SyncRequest::parse(&payload, self.config.timezone)
            .inspect_err(|bad| error!(field = bad.field, "The request is refused: {bad}"))?;
        let deadline = deadline(context.deadline(), SystemTime::now(), DEADLINE_MARGIN);
        let mut runs = JoinSet::new();
        let entities = request.entities();
        for entity in &entities {
            let job = Job {
                entity,
                mode: request.mode.clone(),
                lookback_days: self.config.lookback_days,
                holder: context.request_id.clone(),
                salt: rand::random(),
                deadline,
            };
            let (api, sink, states) =
                (Arc::clone(&self.api), Arc::clone(&self.sink), Arc::clone(&self.states));
            // A task each: an entity's panic ends that task alone.
            runs.spawn(async move {
                let reports = fetch(&api, &*sink, &*states, &job, &|_| ()).await;
                let is_passed_over = job.must_run() && reports.iter().any(|report| report.status == BUSY);
                (reports, is_passed_over)
            });
        }
        let mut reports = Vec::new();
        let mut broken = None;
        while let Some(ended) = runs.join_next().await {
            match ended {
                Ok((of_entity, is_passed_over)) => {
                    reports.extend(of_entity);
                    if is_passed_over {
                        broken = Some(
                            "A run that no later tick repeats could not begin: ask for it again".to_owned(),
                        );
                    }
                }
                Err(panic) => {
                    error!("A run broke off: {panic}");
                    broken = Some(format!("A run broke off: {panic}"));
                }
            }
        }
        if let Some(broken) = broken {
            // An error of the function: Lambda keeps the request in the failure queue.
            return Err(broken.into());
        }
        reports.sort_by_key(|report| entities.iter().position(|entity| entity.name == report.entity));
        Ok(json!({ "runs": reports }))
    }
}
