//! Fields of the secret that holds the API key or the OAuth tokens.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::HeaderValue;
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

/// Upper bound for a lifetime in seconds, ten years: a longer one is a mistake.
const LIFETIME_MAX_S: f64 = 315_360_000.0;
/// Lifetime of a token of which Gazelle states none that can be read: short, and a token that ends sooner is renewed
/// when it is refused.
const LIFETIME_ASSUMED: TimeDelta = TimeDelta::hours(1);
/// Characters that come along when a key is copied, beside white space.
const INVISIBLE: [char; 4] = ['\u{feff}', '\u{200b}', '\u{200c}', '\u{200d}'];

/// Returns the text without the white space and the invisible characters around it.
fn trimmed(text: &str) -> &str {
    text.trim_matches(|character: char| {
        character.is_whitespace() || character.is_control() || INVISIBLE.contains(&character)
    })
}

/// Returns the text in `field`; an error if it is missing or empty, or cannot be sent in a header. `secret_id` names
/// the secret in the error.
pub(crate) fn text_field(
    fields: &Map<String, Value>,
    field: &'static str,
    accepted: &'static str,
    secret_id: &str,
) -> Result<SecretString, TokenError> {
    let text = fields.get(field).and_then(Value::as_str).map(trimmed).filter(|text| !text.is_empty());
    let id = || secret_id.to_owned();
    let text = text.ok_or_else(|| TokenError::Incomplete { id: id(), field, accepted })?;
    // A header may hold other bytes, too, but no key or token does: what is invisible came by copying.
    if text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(SecretString::from(text))
    } else {
        Err(TokenError::Illegal { id: id(), field })
    }
}

/// Returns the lifetime in a response of the token endpoint, which may be a number or a text, whole or not; an assumed
/// one if it is missing, malformed or over before it began.
pub(crate) fn lifetime(expires_in: Option<&Value>) -> TimeDelta {
    let seconds = match expires_in {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "the lifetime has an upper bound")]
    let whole =
        seconds.filter(|seconds: &f64| *seconds >= 1.0).map(|seconds| seconds.min(LIFETIME_MAX_S) as i64);
    whole.and_then(TimeDelta::try_seconds).unwrap_or(LIFETIME_ASSUMED)
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
    let token = fields.get("access_token").and_then(Value::as_str).map(trimmed)?;
    let token = Some(token).filter(|token| !token.is_empty() && HeaderValue::from_str(token).is_ok())?;
    let lifetime = fields.get("expires_in").and_then(Value::as_i64).and_then(TimeDelta::try_seconds);
    let margin =
        lifetime.map_or(EXPIRY_MARGIN, |lifetime| EXPIRY_MARGIN.min(lifetime / EXPIRY_MARGIN_DIVISOR));
    let use_until = expires_at(fields)? - margin;
    let is_refused = refused.is_some_and(|refused| refused.expose_secret() == token);
    (!is_refused && use_until > Utc::now())
        .then(|| UsableToken { secret: SecretString::from(token), use_until: Some(use_until) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lifetime_of_any_form_is_read() {
        for (expires_in, seconds) in [
            (json!(7200), 7_200),
            (json!("7200"), 7_200),
            (json!(" 7200.9 "), 7_200),
            (json!(7200.5), 7_200),
            (json!(1e300), 315_360_000),
            (json!(null), 3_600),
            (json!("soon"), 3_600),
            (json!(-1), 3_600),
            (json!(0), 3_600),
            (json!("NaN"), 3_600),
            (json!([]), 3_600),
        ] {
            assert_eq!(lifetime(Some(&expires_in)).num_seconds(), seconds, "{expires_in}");
        }
        assert_eq!(lifetime(None).num_seconds(), 3_600);
    }

    #[test]
    fn space_around_a_key_is_dropped_and_an_illegal_key_is_named() {
        let read = |key: &str| {
            let fields = json!({ "api_key": key });
            let fields = fields.as_object().cloned().unwrap_or_default();
            text_field(&fields, "api_key", ACCEPTED_KEY, "gazelle").map(|key| key.expose_secret().to_owned())
        };
        for copied in ["key\n", " key", "\r\nkey\t", "\u{feff}key\u{200b}\0"] {
            assert_eq!(read(copied).ok().as_deref(), Some("key"), "{copied:?}");
        }
        for illegal in ["ke\ny", "ké\0y", "ke\u{200b}y"] {
            let error = read(illegal).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("`api_key` in the secret gazelle"), "{illegal:?}: {error}");
            assert!(!error.contains(illegal), "the key itself is never told: {error}");
        }
        assert!(matches!(read(" \n"), Err(TokenError::Incomplete { .. })));
    }
}
