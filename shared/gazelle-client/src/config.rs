//! Settings of the client, from environment variables.

use protocol::settings::Settings;

use crate::token::Authentication;

/// How to reach Gazelle.
#[derive(Debug, Clone)]
pub struct GazelleConfig {
    /// The GraphQL endpoint.
    pub url: String,
    /// The OAuth token endpoint.
    pub token_url: String,
    /// Key or tokens: said, not guessed.
    pub authentication: Authentication,
    /// The pace of requests.
    pub requests_per_second: f64,
    /// Records per page.
    pub page_size: u32,
}

/// Gazelle's endpoints.
pub const GAZELLE_URL: &str = "https://gazelleapp.io/graphql/private";
/// See [`GAZELLE_URL`].
pub const GAZELLE_TOKEN_URL: &str = "https://gazelleapp.io/developer/oauth/token";

/// The largest page that has been seen to work.
const PAGE_SIZE_MAX: u32 = 200;
const REQUESTS_PER_SECOND_MAX: f64 = 1_000.0;

impl GazelleConfig {
    /// Reads the settings that reach Gazelle.
    pub fn read(settings: &mut Settings<'_>) -> Self {
        let url: String = settings.optional("GAZELLE_URL", GAZELLE_URL.to_owned(), "the GraphQL endpoint");
        let token_url: String =
            settings.optional("GAZELLE_TOKEN_URL", GAZELLE_TOKEN_URL.to_owned(), "the OAuth token endpoint");
        for (name, url) in [("GAZELLE_URL", &url), ("GAZELLE_TOKEN_URL", &token_url)] {
            if !is_acceptable(url) {
                settings.problem(name, "accepted: an https address, or http on this machine");
            }
        }
        let authentication = settings.one_of("GAZELLE_AUTH", &Authentication::WORDS, Authentication::ApiKey);
        let requests_per_second = settings.optional("REQUESTS_PER_SECOND", 5.0, "the pace of requests");
        if !(requests_per_second > 0.0 && requests_per_second <= REQUESTS_PER_SECOND_MAX) {
            settings.problem(
                "REQUESTS_PER_SECOND",
                format!("accepted: above 0, up to {REQUESTS_PER_SECOND_MAX}"),
            );
        }
        let page_size = settings.optional("PAGE_SIZE", 100, "records per page");
        if !(1..=PAGE_SIZE_MAX).contains(&page_size) {
            settings.problem("PAGE_SIZE", format!("accepted: 1 to {PAGE_SIZE_MAX}"));
        }
        Self { url, token_url, authentication, requests_per_second, page_size }
    }
}

/// A key must never travel in the clear, but to this very machine.
fn is_acceptable(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else { return false };
    match url.scheme() {
        "https" => url.has_host(),
        "http" => matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]")),
        _ => false,
    }
}
