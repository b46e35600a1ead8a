//! The alerter with its connections, and the updates of its store.

use std::time::Duration;

use db::SecretDb;
use lambda::{Queue, Secrets, aws_config, is_path_style};
use object_store::{ObjectStore, S3ObjectStore, StateError};
use tokio::time::sleep;
use tracing::error;

use crate::alert_store::AlertStore;
use crate::config::AlerterConfig;

/// Key of the object that holds the alert store.
const STORE_KEY: &str = "alerts/book.json";
/// Attempts to write the store while other invocations write it; more means that one is stuck.
const WRITE_ATTEMPTS_MAX: u32 = 10;

/// The alerter with its connections.
#[derive(Debug)]
pub struct Alerter {
    pub(crate) config: AlerterConfig,
    pub(crate) db: SecretDb,
    pub(crate) states: ObjectStore,
    pub(crate) secrets: Secrets,
    pub(crate) http: reqwest::Client,
    pub(crate) ses: aws_sdk_sesv2::Client,
    pub(crate) queues: Vec<WatchedQueue>,
}

/// Queue whose dead letters are observed and put back.
#[derive(Debug)]
pub(crate) struct WatchedQueue {
    pub(crate) name: &'static str,
    pub(crate) queue: Queue,
    pub(crate) dead_letters: Queue,
}

impl Alerter {
    /// Connects the alerter that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, lambda_runtime::Error> {
        let config = AlerterConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        let secrets = Secrets::new(&aws);
        let watched = |(dead_letters, queue, name): &(String, String, &'static str)| WatchedQueue {
            name,
            queue: Queue::new(&aws, queue.clone()),
            dead_letters: Queue::new(&aws, dead_letters.clone()),
        };
        Ok(Self {
            db: SecretDb::new(config.database.clone(), secrets.clone()),
            states: ObjectStore::S3(S3ObjectStore { client, bucket: config.raw_bucket.clone() }),
            secrets,
            // A webhook that redirects is not the webhook that was configured.
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?,
            ses: aws_sdk_sesv2::Client::new(&aws),
            queues: config.queues.iter().map(watched).collect(),
            config,
        })
    }

    /// Applies a change to the alert store by a conditional write; the loser of a race reads it again.
    pub(crate) async fn update_store<T>(
        &self,
        change: &(impl Fn(&mut AlertStore) -> T + Sync),
    ) -> Result<T, StateError> {
        let mut attempts = 0;
        loop {
            let (mut store, unreadable) = self.states.load_or_replace::<AlertStore>(STORE_KEY).await?;
            if let Some(unreadable) = unreadable {
                error!("The alert store is replaced by a new one: {}", lambda::error_chain(&unreadable));
            }
            let before = store.value.clone();
            let changed = change(&mut store.value);
            if store.value == before {
                return Ok(changed);
            }
            match self.states.save(&mut store).await {
                Ok(()) => return Ok(changed),
                Err(StateError::Conflict { .. }) if attempts < WRITE_ATTEMPTS_MAX => {
                    attempts += 1;
                    sleep(Duration::from_millis(20 * u64::from(attempts))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}
