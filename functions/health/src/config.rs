//! Settings of the health API, from environment variables.

use db::DatabaseSettings;
use protocol::settings::{InvalidSettings, Settings};

/// Settings of the health API.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `HEALTH_SECRET_ID` | the secret with the token that readers must show | |
/// | `SYNC_INTERVAL_SECONDS` | how often an incremental run is due | 120 |
/// | `RAW_EVENTS_QUEUE_URL`, `RECONCILE_QUEUE_URL`, `FETCH_QUEUE_URL` | queues whose depth is shown | not shown |
/// | `RAW_EVENTS_DLQ_URL`, `RECONCILE_DLQ_URL`, `FETCH_DLQ_URL` | their dead-letter queues | not shown |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// Settings of the database.
    pub database: DatabaseSettings,
    /// Secret with the readers' token.
    pub health_secret_id: String,
    /// Interval of incremental runs, in seconds.
    pub sync_interval_seconds: u32,
    /// Name, queue and dead-letter queue of each configured queue.
    pub queues: Vec<(&'static str, String, String)>,
}

/// Queues of the pipeline: name, variable of the queue, variable of its dead-letter queue.
const QUEUES: [(&str, &str, &str); 3] = [
    ("raw-events", "RAW_EVENTS_QUEUE_URL", "RAW_EVENTS_DLQ_URL"),
    ("reconcile", "RECONCILE_QUEUE_URL", "RECONCILE_DLQ_URL"),
    ("fetch", "FETCH_QUEUE_URL", "FETCH_DLQ_URL"),
];

impl HealthConfig {
    /// Reads the settings from environment variables.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            database: DatabaseSettings::read(&mut settings),
            health_secret_id: settings
                .required("HEALTH_SECRET_ID", "the secret with the token that readers must show"),
            sync_interval_seconds: settings.optional("SYNC_INTERVAL_SECONDS", 120, "how often a run is due"),
            queues: QUEUES
                .into_iter()
                .filter_map(|(name, queue, dead)| Some((name, settings.text(queue)?, settings.text(dead)?)))
                .collect(),
        };
        if config.sync_interval_seconds == 0 {
            settings.problem("SYNC_INTERVAL_SECONDS", "accepted: 1 second or more");
        }
        settings.finish(config)
    }
}
