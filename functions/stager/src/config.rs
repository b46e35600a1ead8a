//! Settings of the stager, from the environment.

use db::DatabaseSettings;
use protocol::settings::{InvalidSettings, Settings};

/// Settings of the stager.
///
/// | variable | purpose | default |
/// |---|---|---|
/// | `RAW_BUCKET` | bucket of raw pages; a notification of another bucket is quarantined | |
/// | `RAW_EVENTS_QUEUE_URL` | queue of S3 notifications, to schedule their redelivery | |
/// | `RECONCILE_QUEUE_URL` | queue of reconcile requests | |
/// | `ALERTS_QUEUE_URL` | alerter's queue | no alert is sent |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct StagerConfig {
    /// Name of the bucket of raw pages.
    pub raw_bucket: String,
    /// Settings of the database.
    pub database: DatabaseSettings,
    /// URL of the queue that delivers the S3 notifications.
    pub raw_events_queue_url: String,
    /// URL of the queue of reconcile requests.
    pub reconcile_queue_url: String,
    /// URL of the alerter's queue; without it no alert is sent.
    pub alerts_queue_url: Option<String>,
}

impl StagerConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            raw_bucket: settings.required("RAW_BUCKET", "the bucket of raw pages"),
            database: DatabaseSettings::read(&mut settings),
            raw_events_queue_url: settings.required(
                "RAW_EVENTS_QUEUE_URL",
                "the queue of S3 notifications, to schedule their redelivery",
            ),
            reconcile_queue_url: settings.required("RECONCILE_QUEUE_URL", "the queue of reconcile requests"),
            alerts_queue_url: settings.text("ALERTS_QUEUE_URL"),
        };
        settings.finish(config)
    }
}
