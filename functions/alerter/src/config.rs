//! Settings of the alerter, from environment variables.

use db::DatabaseSettings;
use protocol::settings::{InvalidSettings, Settings};

use crate::snapshot::Thresholds;

/// Watched queues: variable of the dead-letter queue, variable of the queue, name.
pub const WATCHED: [(&str, &str, &str); 3] = [
    ("RAW_EVENTS_DLQ_URL", "RAW_EVENTS_QUEUE_URL", "raw-events"),
    ("RECONCILE_DLQ_URL", "RECONCILE_QUEUE_URL", "reconcile"),
    ("FETCH_DLQ_URL", "FETCH_QUEUE_URL", "fetch"),
];

/// Settings of the alerter.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `RAW_BUCKET` | the bucket of the fetcher's state and of the alert store | |
/// | `ALERTS_SECRET_ID` | the secret {"slack_webhook_url", "sentry_dsn"}; either may be missing | |
/// | `ALERT_EMAIL_FROM`, `ALERT_EMAIL_TO` | e-mail by SES; several addressees by commas | no e-mail |
/// | `DASHBOARD_URL` | shown in each alert | none |
/// | `SYNC_INTERVAL_SECONDS` | how often an incremental run is due | 120 |
/// | `SCHEDULES` | `ENABLED` or `DISABLED`: whether fetches are due at all | `ENABLED` |
/// | `ERROR_RATE_MAX` | percent of failed records tolerated within an hour | 5 |
///
/// The queues of [`WATCHED`], and the settings of [`DatabaseSettings`].
#[derive(Debug, Clone)]
pub struct AlerterConfig {
    /// Settings of the database.
    pub database: DatabaseSettings,
    /// Bucket of the fetcher's state and of the alert store.
    pub raw_bucket: String,
    /// Secret with the addresses of the channels.
    pub secret_id: String,
    /// Sender and recipients of e-mails; none disables e-mail.
    pub email: Option<(String, Vec<String>)>,
    /// Problem of an incomplete e-mail configuration.
    pub email_problem: Option<&'static str>,
    /// Address of the page, shown in each alert.
    pub dashboard_url: Option<String>,
    /// Thresholds of conditions.
    pub thresholds: Thresholds,
    /// Addresses of dead-letter queue and queue, and the queue's name.
    pub queues: Vec<(String, String, &'static str)>,
}

impl AlerterConfig {
    /// Reads the settings from environment variables.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
        let mut settings = Settings::new(lookup);
        let from: String = settings.optional("ALERT_EMAIL_FROM", String::new(), "who writes the e-mails");
        let to: String = settings.optional("ALERT_EMAIL_TO", String::new(), "to whom");
        let to: Vec<String> =
            to.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect();
        // Slack must work all the same.
        let email_problem =
            (from.is_empty() != to.is_empty()).then_some(i18n::alert::EMAIL_SETTINGS_INCOMPLETE);
        let dashboard_url: String = settings.optional("DASHBOARD_URL", String::new(), "shown in each alert");
        let thresholds = Thresholds {
            interval_seconds: settings.optional("SYNC_INTERVAL_SECONDS", 120, "how often a run is due"),
            error_rate_max: settings.optional("ERROR_RATE_MAX", 5.0, "percent tolerated within an hour"),
            is_scheduled: settings.one_of("SCHEDULES", &[("ENABLED", true), ("DISABLED", false)], true),
        };
        if !(0.0..=100.0).contains(&thresholds.error_rate_max) {
            settings.problem("ERROR_RATE_MAX", "accepted: 0 to 100 percent");
        }
        let queues = WATCHED
            .map(|(dead, queue, name)| {
                (settings.required(dead, "a dead-letter queue"), settings.required(queue, "a queue"), name)
            })
            .to_vec();
        let config = Self {
            database: DatabaseSettings::read(&mut settings),
            raw_bucket: settings
                .required("RAW_BUCKET", "the bucket of the fetcher's state and of the alert store"),
            secret_id: settings.required("ALERTS_SECRET_ID", "the secret of the channels"),
            email: (!from.is_empty() && !to.is_empty()).then_some((from, to)),
            email_problem,
            dashboard_url: (!dashboard_url.is_empty()).then_some(dashboard_url),
            thresholds,
            queues,
        };
        settings.finish(config)
    }
}
