//! Settings of the client, from environment variables.

use protocol::settings::Settings;

use crate::credentials::Authentication;

/// Settings that say how to reach Gazelle.
#[derive(Debug, Clone)]
pub struct GazelleConfig {
    /// URL of the GraphQL endpoint.
    pub url: String,
    /// URL of the OAuth token endpoint.
    pub token_url: String,
    /// API key or OAuth tokens; set explicitly, never guessed from the secret.
    pub authentication: Authentication,
    /// Upper bound for the rate of requests, over all invocations.
    pub requests_per_second: f64,
    /// Records requested per page.
    pub page_size: u32,
}

/// URL of Gazelle's GraphQL endpoint.
pub const GAZELLE_URL: &str = "https://gazelleapp.io/graphql/private";
/// URL of Gazelle's OAuth token endpoint.
pub const GAZELLE_TOKEN_URL: &str = "https://gazelleapp.io/developer/oauth/token";

/// Largest page with which Gazelle has been seen to work.
const PAGE_SIZE_MAX: u32 = 200;
/// Page size in the absence of a setting.
const PAGE_SIZE_DEFAULT: u32 = 100;
/// Upper bound for the rate, far above any that Gazelle would serve: a larger number is a typing error.
const REQUESTS_PER_SECOND_MAX: f64 = 1_000.0;
/// Rate in the absence of a setting.
const REQUESTS_PER_SECOND_DEFAULT: f64 = 5.0;

impl GazelleConfig {
    /// Reads the settings; whatever is wrong with them is reported by `settings`.
    pub fn read(settings: &mut Settings<'_>) -> Self {
        let url: String = settings.optional("GAZELLE_URL", GAZELLE_URL.to_owned(), "the GraphQL endpoint");
        let token_url: String =
            settings.optional("GAZELLE_TOKEN_URL", GAZELLE_TOKEN_URL.to_owned(), "the OAuth token endpoint");
        for (name, url) in [("GAZELLE_URL", &url), ("GAZELLE_TOKEN_URL", &token_url)] {
            if !is_secure(url) {
                settings.problem(name, "expected an https URL, or http on this machine");
            }
        }
        let authentication = settings.one_of("GAZELLE_AUTH", &Authentication::WORDS, Authentication::ApiKey);
        let requests_per_second =
            settings.optional("REQUESTS_PER_SECOND", REQUESTS_PER_SECOND_DEFAULT, "the rate of requests");
        if !(requests_per_second > 0.0 && requests_per_second <= REQUESTS_PER_SECOND_MAX) {
            settings.problem(
                "REQUESTS_PER_SECOND",
                format!("expected a number above 0, up to {REQUESTS_PER_SECOND_MAX}"),
            );
        }
        let page_size = settings.optional("PAGE_SIZE", PAGE_SIZE_DEFAULT, "records per page");
        if !(1..=PAGE_SIZE_MAX).contains(&page_size) {
            settings.problem("PAGE_SIZE", format!("expected 1 to {PAGE_SIZE_MAX}"));
        }
        Self { url, token_url, authentication, requests_per_second, page_size }
    }
}

/// Returns whether a key may be sent to this URL: encrypted, or unencrypted to this very machine.
fn is_secure(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    }
}
