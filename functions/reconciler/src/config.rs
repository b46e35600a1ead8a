//! The reconciler's settings, from the environment.

use shared::env::{BadSettings, Settings};
use shared_db::DatabaseSettings;

/// The reconciler's settings.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `RECONCILE_QUEUE_URL` | the queue that it serves, to put bells off | |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct ReconcilerConfig {
    /// The database.
    pub database: DatabaseSettings,
    /// The queue that it serves.
    pub reconcile_queue_url: String,
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
        };
        settings.finish(config)
    }
}
