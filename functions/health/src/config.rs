//! The health API's settings, from the environment.

use shared::env::{BadSettings, Settings};
use shared_db::DatabaseSettings;

/// The health API's settings.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `HEALTH_SECRET_ID` | the secret with the token that readers must show | |
/// | `SYNC_INTERVAL_SECONDS` | how often an incremental run is due | 120 |
///
/// And those of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct HealthConfig {
    /// The database.
    pub database: DatabaseSettings,
    /// The secret with the token that readers must show.
    pub health_secret_id: String,
    /// How often an incremental run is due, in seconds.
    pub sync_interval_seconds: u32,
}

impl HealthConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSettings> {
        let mut settings = Settings::new(lookup);
        let config = Self {
            database: DatabaseSettings::read(&mut settings),
            health_secret_id: settings
                .required("HEALTH_SECRET_ID", "the secret with the token that readers must show"),
            sync_interval_seconds: settings.optional("SYNC_INTERVAL_SECONDS", 120, "how often a run is due"),
        };
        if config.sync_interval_seconds == 0 {
            settings.problem("SYNC_INTERVAL_SECONDS", "accepted: 1 second or more");
        }
        settings.finish(config)
    }
}
