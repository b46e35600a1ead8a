//! Command `doctor`: checks everything that an installation needs, and prints what is wrong with advice.

mod database;
mod declared;
mod gazelle;
mod report;

use std::sync::Arc;

use aws_config::SdkConfig;
use chrono::Utc;
use db::{DatabaseSettings, PoolMode};
use gazelle_client::GazelleConfig;
use i18n::terminal::doctor as text;
use lambda::{Queue, Secrets};
use object_store::ObjectStore;
use protocol::secret::SecretError;
use protocol::settings::Settings;

use crate::error::AdminError;
use crate::settings;
use declared::Declared;
use report::{CheckOutcome, CheckReport};

/// Queues by the variables that name their URLs, each with the one of its dead-letter queue.
const QUEUES: [(&str, &str); 3] = [
    ("RAW_EVENTS_QUEUE_URL", "RAW_EVENTS_DLQ_URL"),
    ("RECONCILE_QUEUE_URL", "RECONCILE_DLQ_URL"),
    ("FETCH_QUEUE_URL", "FETCH_DLQ_URL"),
];

/// Installation to check, from the variables that the functions use.
struct Installation {
    gazelle_secret: String,
    health_secret: String,
    alerts_secret: String,
    database_secret: String,
    database: DatabaseSettings,
    gazelle: GazelleConfig,
    raw_bucket: Option<String>,
    /// Settings that the deployment declares.
    declared: Declared,
    /// URLs of each queue and of its dead-letter queue.
    queues: Vec<(String, Option<String>)>,
}

impl Installation {
    fn read(settings: &mut Settings<'_>) -> Self {
        let mut name =
            |variable, default: &str| settings.optional(variable, default.to_owned(), "the name of a secret");
        let gazelle_secret = name("GAZELLE_SECRET_ID", "gazelle/api");
        let database_secret = name("DATABASE_SECRET_ID", "gazelle/database");
        let health_secret = name("HEALTH_SECRET_ID", "gazelle/health");
        let alerts_secret = name("ALERTS_SECRET_ID", "gazelle/alerts");
        let schema = settings::schema(settings);
        let mode = settings.one_of("DATABASE_MODE", &PoolMode::WORDS, PoolMode::Session);
        Self {
            gazelle_secret,
            health_secret,
            alerts_secret,
            database: DatabaseSettings::new(database_secret.clone(), schema, mode),
            database_secret,
            // One record per page is enough to check a query.
            gazelle: GazelleConfig { page_size: 1, ..GazelleConfig::read(settings) },
            raw_bucket: settings.text("RAW_BUCKET"),
            declared: Declared::read(settings),
            queues: QUEUES
                .into_iter()
                .filter_map(|(queue, dead_letters)| {
                    Some((settings.text(queue)?, settings.text(dead_letters)))
                })
                .collect(),
        }
    }
}

/// Runs every check and prints a line for each; returns true if none failed.
///
/// # Errors
/// [`AdminError::Settings`].
pub async fn run() -> Result<bool, AdminError> {
    let installation = settings::read(Installation::read)?;
    let aws = lambda::aws_config().await;
    let secrets = Secrets::new(&aws);
    let mut report = CheckReport::default();

    let id = &installation.health_secret;
    report.add(id, check_secret(&secrets, id, "token", text::DASHBOARD_TOKEN).await);
    let id = &installation.alerts_secret;
    report.add(id, check_alerts_secret(&secrets, id).await);
    declared::check_addresses(&mut report, &secrets, id).await;
    let bucket = installation.raw_bucket.as_ref().map(|name| Arc::new(settings::bucket(&aws, name.clone())));
    report.add(text::BUCKET, check_bucket(bucket.as_deref()).await);
    Box::pin(declared::check(&mut report, &installation.declared, &aws, bucket.as_deref())).await;
    gazelle::check(&mut report, &installation.gazelle, &installation.gazelle_secret, &secrets, bucket).await;
    database::check(&mut report, &installation.database, &installation.database_secret, &secrets).await;
    for (queue, dead_letters) in &installation.queues {
        report.add(text::QUEUE, check_queue(&aws, queue, dead_letters.as_deref()).await);
    }
    if installation.queues.is_empty() {
        report.add(text::QUEUES, CheckOutcome::Skipped(text::needs_queue_addresses(QUEUES[0].0)));
    }
    eprintln!("{}", report.summary());
    Ok(report.is_passed())
}

async fn check_secret(secrets: &Secrets, id: &str, field: &'static str, content: &str) -> CheckOutcome {
    match secrets.read_text(id, field, "…").await {
        Ok(_) => CheckOutcome::Passed(text::contains(content)),
        Err(SecretError::Missing { .. }) => {
            CheckOutcome::failed(text::MISSING_SECRET, text::create_secret(id, field))
        }
        Err(error @ SecretError::Read { .. }) => {
            CheckOutcome::error(text::UNREADABLE, &error, text::CREATE_SECRET)
        }
        Err(error) => CheckOutcome::error(text::lacks(content), &error, text::add_field(content, field)),
    }
}

async fn check_alerts_secret(secrets: &Secrets, id: &str) -> CheckOutcome {
    match check_secret(secrets, id, "slack_webhook_url", text::SLACK_ADDRESS).await {
        // An installation that sends its alerts by e-mail alone needs no Slack address.
        CheckOutcome::Failed { .. } if secrets.read(id, "…").await.is_ok() => {
            CheckOutcome::Skipped(text::NO_SLACK_ADDRESS.to_owned())
        }
        outcome => outcome,
    }
}

async fn check_bucket(bucket: Option<&ObjectStore>) -> CheckOutcome {
    let Some(bucket) = bucket else { return CheckOutcome::Skipped(text::NEEDS_BUCKET.to_owned()) };
    match bucket.last_written("state/").await {
        Ok(Some(at)) => CheckOutcome::Passed(text::bucket_written((Utc::now() - at).num_minutes())),
        Ok(None) => CheckOutcome::Passed(text::BUCKET_UNWRITTEN.to_owned()),
        Err(error) => CheckOutcome::error(text::UNREADABLE, &error, text::CHECK_BUCKET),
    }
}

async fn check_queue(aws: &SdkConfig, url: &str, dead_letters: Option<&str>) -> CheckOutcome {
    let name = url.rsplit('/').next().unwrap_or_default();
    let waiting = match Queue::new(aws, url.to_owned()).depth().await {
        Ok(depth) => depth,
        Err(error) => return CheckOutcome::error(text::queue_unreadable(name), &error, text::CHECK_QUEUE),
    };
    let Some(dead_letters) = dead_letters else { return CheckOutcome::Passed(text::waiting(name, waiting)) };
    match Queue::new(aws, dead_letters.to_owned()).depth().await {
        Ok(0) => CheckOutcome::Passed(text::waiting_without_dead_letters(name, waiting)),
        Ok(count) => CheckOutcome::failed(text::dead_letters(name, count), text::DEAD_LETTERS),
        Err(error) => {
            CheckOutcome::error(text::dead_letters_unreadable(name), &error, text::CHECK_DEAD_LETTERS)
        }
    }
}
