//! Fields of the secret that holds the API key or the OAuth tokens.

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::error::TokenError;

/// Example of the secret with an API key, for errors.
pub(crate) const ACCEPTED_KEY: &str = r#"{"api_key": "…"}"#;
/// Example of the secret with OAuth tokens, for errors.
pub(crate) const ACCEPTED_TOKENS: &str = r#"{"client_id": "…", "client_secret": "…", "access_token": "…", "refresh_token": "…", "expires_at": "2026-01-31T12:00:00Z"}"#;

/// Time before its expiry from which a token is not used any more: a request must not outlive its token.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::seconds(90);
/// Share of a short-lived token's lifetime that the margin takes at most: a quarter.
const EXPIRY_MARGIN_DIVISOR: i32 = 4;

/// Key or access token that can be used now.
#[derive(Debug, Clone)]
pub(crate) struct UsableToken {
    /// The key or access token itself.
    pub(crate) secret: SecretString,
    /// Time from which it is not used any more; none for an API key, which does not expire.
    pub(crate) use_until: Option<DateTime<Utc>>,
}

/// Returns the text in `field`; an error if it is missing or empty. `secret_id` names the secret in the error.
pub(crate) fn text_field(
    fields: &Map<String, Value>,
    field: &'static str,
    accepted: &'static str,
    secret_id: &str,
) -> Result<SecretString, TokenError> {
    fields
        .get(field)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .map(SecretString::from)
        .ok_or_else(|| TokenError::Incomplete { id: secret_id.to_owned(), field, accepted })
}

/// Returns the time at which the access token expires; none if it is missing or malformed.
pub(crate) fn expires_at(fields: &Map<String, Value>) -> Option<DateTime<Utc>> {
    let text = fields.get("expires_at")?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc))
}

/// Returns the access token, unless it expires soon or is the one that Gazelle has `refused`.
pub(crate) fn usable_token(
    fields: &Map<String, Value>,
    refused: Option<&SecretString>,
) -> Option<UsableToken> {
    let token = fields.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty())?;
    let lifetime = fields.get("expires_in").and_then(Value::as_i64).and_then(TimeDelta::try_seconds);
    let margin =
        lifetime.map_or(EXPIRY_MARGIN, |lifetime| EXPIRY_MARGIN.min(lifetime / EXPIRY_MARGIN_DIVISOR));
    let use_until = expires_at(fields)? - margin;
    let is_refused = refused.is_some_and(|refused| refused.expose_secret() == token);
    (!is_refused && use_until > Utc::now())
        .then(|| UsableToken { secret: SecretString::from(token), use_until: Some(use_until) })
}
