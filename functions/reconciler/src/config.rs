//! Settings of the reconciler, from the environment.

use db::DatabaseSettings;
use protocol::settings::{InvalidSettings, Settings};

/// Default for `DELETION_SHARE_MAX`, in percent.
const DELETION_SHARE_MAX_DEFAULT: u32 = 20;

/// Settings of the reconciler.
///
/// | variable | purpose | default |
/// |---|---|---|
/// | `RECONCILE_QUEUE_URL` | queue of reconcile requests, to schedule their redelivery | |
/// | `FETCH_QUEUE_URL` | fetcher's queue, for lookups of missing records | |
/// | `DELETION_SHARE_MAX` | percent of a table that may be deleted without a person's confirmation | 20 |
/// | `ALERTS_QUEUE_URL` | alerter's queue | no alert is sent |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct ReconcilerConfig {
    /// Settings of the database.
    pub database: DatabaseSettings,
    /// URL of the queue that delivers the reconcile requests.
    pub reconcile_queue_url: String,
    /// URL of the fetcher's queue.
    pub fetch_queue_url: String,
    /// Percent of a table that may be deleted without a person's confirmation, from 0 to 100.
    pub deletion_share_max: u32,
    /// URL of the alerter's queue; without it no alert is sent.
    pub alerts_queue_url: Option<String>,
}

impl ReconcilerConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            database: DatabaseSettings::read(&mut settings),
            reconcile_queue_url: settings.required(
                "RECONCILE_QUEUE_URL",
                "the queue of reconcile requests, to schedule their redelivery",
            ),
            fetch_queue_url: settings
                .required("FETCH_QUEUE_URL", "the fetcher's queue, for lookups of missing records"),
            deletion_share_max: settings.optional(
                "DELETION_SHARE_MAX",
                DELETION_SHARE_MAX_DEFAULT,
                "percent of a table that may be deleted without a person's confirmation",
            ),
            alerts_queue_url: settings.text("ALERTS_QUEUE_URL"),
        };
        if config.deletion_share_max > 100 {
            settings.problem("DELETION_SHARE_MAX", "expected 0 to 100 percent");
        }
        settings.finish(config)
    }
}
