//! The fetcher's settings, from the environment.

use chrono_tz::Tz;
use protocol::settings::{BadSettings, Settings};

use gazelle_client::GazelleConfig;

/// The fetcher's settings.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `RAW_BUCKET` | the bucket of raw pages, manifests and state | |
/// | `GAZELLE_SECRET_ID` | the secret with the API key or the OAuth tokens | |
/// | `GAZELLE_URL` | the GraphQL endpoint | Gazelle's |
/// | `GAZELLE_TOKEN_URL` | the OAuth token endpoint | Gazelle's |
/// | `GAZELLE_AUTH` | `api_key` or `oauth` | `api_key` |
/// | `REQUESTS_PER_SECOND` | the pace of requests | 5 |
/// | `PAGE_SIZE` | records per page | 100 |
/// | `LOOKBACK_DAYS` | how far an incremental run reaches behind its watermark | 1 |
/// | `ALERTS_QUEUE_URL` | the alerter's queue | nobody is told |
/// | `TIMEZONE` | whose days `start` and `end` of a repair are | America/Montreal |
#[derive(Debug, Clone)]
pub struct FetcherConfig {
    /// The bucket of raw pages, manifests and state.
    pub raw_bucket: String,
    /// The secret with the API key or the OAuth tokens.
    pub secret_id: String,
    /// How to reach Gazelle.
    pub gazelle: GazelleConfig,
    /// How far an incremental run reaches behind its watermark, in days.
    pub lookback_days: u32,
    /// Whose days a repair means.
    pub timezone: Tz,
    /// The alerter's queue.
    pub alerts_queue_url: Option<String>,
}

const LOOKBACK_DAYS_MAX: u32 = 3_660;

impl FetcherConfig {
    /// Reads the settings.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, BadSettings> {
        let mut settings = Settings::new(lookup);
        let raw_bucket = settings.required("RAW_BUCKET", "the bucket of raw pages, manifests and state");
        let secret_id =
            settings.required("GAZELLE_SECRET_ID", "the secret with the API key or the OAuth tokens");
        let gazelle = GazelleConfig::read(&mut settings);
        let lookback_days = settings.optional(
            "LOOKBACK_DAYS",
            1,
            "days that an incremental run reaches behind its watermark",
        );
        if lookback_days > LOOKBACK_DAYS_MAX {
            settings.problem("LOOKBACK_DAYS", format!("accepted: 0 to {LOOKBACK_DAYS_MAX} days"));
        }
        let timezone =
            settings.optional("TIMEZONE", model::local_day::ZONE, "the zone whose days a repair means");
        let alerts_queue_url = settings.text("ALERTS_QUEUE_URL");
        settings.finish(Self { raw_bucket, secret_id, gazelle, lookback_days, timezone, alerts_queue_url })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> String {
        let lookup =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        FetcherConfig::from_lookup(&lookup).map_or_else(|bad| bad.to_string(), |_| "usable".to_owned())
    }

    #[test]
    fn a_missing_or_malformed_setting_is_named_with_what_it_is_for() {
        let message =
            read(&[("GAZELLE_AUTH", "guess"), ("REQUESTS_PER_SECOND", "0"), ("TIMEZONE", "Mars/Base")]);
        for part in [
            "RAW_BUCKET is missing (the bucket of raw pages",
            "GAZELLE_SECRET_ID is missing (the secret",
            "GAZELLE_AUTH is not accepted; accepted: api_key, oauth",
            "REQUESTS_PER_SECOND: accepted: above 0",
            "TIMEZONE is no Tz",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn a_key_never_travels_in_the_clear() {
        let with = |url| read(&[("RAW_BUCKET", "b"), ("GAZELLE_SECRET_ID", "s"), ("GAZELLE_URL", url)]);
        assert!(with("http://gazelleapp.io/graphql").contains("GAZELLE_URL: accepted: an https address"));
        assert!(with("ftp://x").contains("GAZELLE_URL"));
        assert_eq!(with("http://127.0.0.1:4000/graphql/private"), "usable");
        assert_eq!(with("https://gazelleapp.io/graphql/private/"), "usable");
    }
}
