//! The stager's settings, from the environment.

use db::DatabaseSettings;
use protocol::settings::{BadSettings, Settings};

/// The stager's settings.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `RAW_BUCKET` | the bucket of raw pages; an event of another one is refused | |
/// | `RAW_EVENTS_QUEUE_URL` | the queue that it serves, to put messages off | |
/// | `RECONCILE_QUEUE_URL` | the queue of the reconcile bell | |
/// | `ALERTS_QUEUE_URL` | the alerter's queue | nobody is told |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct StagerConfig {
    /// The bucket of raw pages.
    pub raw_bucket: String,
    /// The database.
    pub database: DatabaseSettings,
    /// The queue that it serves.
    pub raw_events_queue_url: String,
    /// The queue of the reconcile bell.
    pub reconcile_queue_url: String,
    /// The alerter's queue.
    pub alerts_queue_url: Option<String>,
}

impl StagerConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            raw_bucket: settings.required("RAW_BUCKET", "the bucket of raw pages"),
            database: DatabaseSettings::read(&mut settings),
            raw_events_queue_url: settings
                .required("RAW_EVENTS_QUEUE_URL", "the queue that it serves, to put messages off"),
            reconcile_queue_url: settings.required("RECONCILE_QUEUE_URL", "the queue of the reconcile bell"),
            alerts_queue_url: settings.text("ALERTS_QUEUE_URL"),
        };
        settings.finish(config)
    }
}
