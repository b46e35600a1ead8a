//! Settings of the fetcher, from environment variables.

use chrono_tz::Tz;
use gazelle_client::GazelleConfig;
use protocol::settings::{InvalidSettings, Settings};

/// Settings of the fetcher, from these environment variables:
///
/// | variable | purpose | default |
/// |---|---|---|
/// | `RAW_BUCKET` | the bucket of raw pages, manifests and state | |
/// | `GAZELLE_SECRET_ID` | the secret with the API key or the OAuth tokens | |
/// | `GAZELLE_URL` | the GraphQL endpoint | Gazelle's |
/// | `GAZELLE_TOKEN_URL` | the OAuth token endpoint | Gazelle's |
/// | `GAZELLE_AUTH` | `api_key` or `oauth` | `api_key` |
/// | `REQUESTS_PER_SECOND` | the rate of requests, over all invocations | 5 |
/// | `PAGE_SIZE` | records per page | 100 |
/// | `LOOKBACK_DAYS` | days that an incremental run reaches behind its watermark | 1 |
/// | `ALERTS_QUEUE_URL` | the alerter's queue | no alert is sent |
/// | `TIMEZONE` | the time zone of `start` and `end` of a repair | America/Montreal |
#[derive(Debug, Clone)]
pub struct FetcherConfig {
    /// Name of the bucket of raw pages, manifests and state.
    pub raw_bucket: String,
    /// Name of the secret with the API key or the OAuth tokens.
    pub secret_id: String,
    /// Settings of the client of Gazelle.
    pub gazelle: GazelleConfig,
    /// Days that an incremental run reaches behind its watermark.
    pub lookback_days: u32,
    /// Time zone whose calendar days a repair names.
    pub timezone: Tz,
    /// URL of the alerter's queue; none: no alert is sent.
    pub alerts_queue_url: Option<String>,
}

/// Upper bound for the look-back, ten years: a longer one would be a full run under another name.
const LOOKBACK_DAYS_MAX: u32 = 3_660;

impl FetcherConfig {
    /// Reads the settings; `lookup` returns the value of a variable.
    ///
    /// # Errors
    /// [`InvalidSettings`], which names every setting that is missing or malformed.
    pub fn from_lookup(lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, InvalidSettings> {
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
            settings.problem("LOOKBACK_DAYS", format!("expected 0 to {LOOKBACK_DAYS_MAX} days"));
        }
        let timezone =
            settings.optional("TIMEZONE", model::local_day::ZONE, "the time zone whose days a repair names");
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
    fn invalid_setting_is_named_with_its_purpose() {
        let message =
            read(&[("GAZELLE_AUTH", "guess"), ("REQUESTS_PER_SECOND", "0"), ("TIMEZONE", "Mars/Base")]);
        for part in [
            "RAW_BUCKET is missing (the bucket of raw pages",
            "GAZELLE_SECRET_ID is missing (the secret",
            "GAZELLE_AUTH is not accepted; accepted: api_key, oauth",
            "REQUESTS_PER_SECOND: expected a number above 0",
            "TIMEZONE is not a valid IANA time zone",
        ] {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn key_is_never_sent_unencrypted() {
        let with = |url| read(&[("RAW_BUCKET", "b"), ("GAZELLE_SECRET_ID", "s"), ("GAZELLE_URL", url)]);
        assert!(with("http://gazelleapp.io/graphql").contains("GAZELLE_URL: expected an https URL"));
        assert!(with("ftp://x").contains("GAZELLE_URL"));
        assert_eq!(with("http://127.0.0.1:4000/graphql/private"), "usable");
        assert_eq!(with("https://gazelleapp.io/graphql/private/"), "usable");
    }
}
