//! The reconciler's settings, from the environment.

use db::DatabaseSettings;
use protocol::settings::{BadSettings, Settings};

/// The reconciler's settings.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `RECONCILE_QUEUE_URL` | the queue that it serves, to put bells off | |
/// | `FETCH_QUEUE_URL` | the fetcher's queue, to ask for missing records | |
/// | `DELETION_SHARE_MAX` | percent of a table that may be deleted without a person's word | 20 |
/// | `ALERTS_QUEUE_URL` | the alerter's queue | nobody is told |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct ReconcilerConfig {
    /// The database.
    pub database: DatabaseSettings,
    /// The queue that it serves.
    pub reconcile_queue_url: String,
    /// The fetcher's queue.
    pub fetch_queue_url: String,
    /// Percent of a table that may be deleted without a person's word.
    pub deletion_share_max: u32,
    /// The alerter's queue.
    pub alerts_queue_url: Option<String>,
}

impl ReconcilerConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            database: DatabaseSettings::read(&mut settings),
            reconcile_queue_url: settings
                .required("RECONCILE_QUEUE_URL", "the queue that it serves, to put bells off"),
            fetch_queue_url: settings
                .required("FETCH_QUEUE_URL", "the fetcher's queue, to ask for missing records"),
            deletion_share_max: settings.optional(
                "DELETION_SHARE_MAX",
                20,
                "percent of a table that may be deleted without a person's word",
            ),
            alerts_queue_url: settings.text("ALERTS_QUEUE_URL"),
        };
        if config.deletion_share_max > 100 {
            settings.problem("DELETION_SHARE_MAX", "accepted: 0 to 100 percent");
        }
        settings.finish(config)
    }
}
