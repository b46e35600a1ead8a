//! Exchange of the refresh token for a new access token, at Gazelle's token endpoint (RFC 6749, section 6).

use chrono::{TimeDelta, Utc};
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::TokenError;
use crate::token_fields::{ACCEPTED_TOKENS, text_field};

/// Characters kept of the endpoint's error code, which is one word.
const REASON_CHARACTERS_MAX: usize = 60;

#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    refresh_token: Option<String>,
    /// Lifetime of the access token, in seconds.
    expires_in: i64,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: Option<String>,
}

/// Exchanges the refresh token in `fields`; returns the secret's new fields. The old refresh token may be used up.
///
/// # Errors
/// [`TokenError::Incomplete`], [`TokenError::NeedsPerson`], [`TokenError::Refused`], or one of the `Refresh…` variants,
/// after which another attempt may succeed.
pub(crate) async fn refresh(
    http: &reqwest::Client,
    token_url: &str,
    secret_id: &str,
    fields: &Map<String, Value>,
) -> Result<Map<String, Value>, TokenError> {
    let text = |field| text_field(fields, field, ACCEPTED_TOKENS, secret_id);
    let (client_id, client_secret) = (text("client_id")?, text("client_secret")?);
    let refresh_token = text("refresh_token")?;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client_id.expose_secret()),
        ("client_secret", client_secret.expose_secret()),
        ("refresh_token", refresh_token.expose_secret()),
    ];
    let unreachable = |error: reqwest::Error| TokenError::RefreshRequest(error.without_url());
    let response = http.post(token_url).form(&form).send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS {
        return Err(refusal(status, &body, secret_id));
    }
    if !status.is_success() {
        return Err(TokenError::RefreshStatus(status));
    }
    let response: TokenResponse = serde_json::from_slice(&body).map_err(|_| TokenError::RefreshBody)?;
    let expires_at = Utc::now() + TimeDelta::try_seconds(response.expires_in).unwrap_or_default();
    let mut fields = fields.clone();
    fields.insert("access_token".to_owned(), Value::from(response.access_token));
    // Gazelle's documentation does not say whether the refresh token rotates: the old one is kept if none comes back.
    if let Some(refresh_token) = response.refresh_token {
        fields.insert("refresh_token".to_owned(), Value::from(refresh_token));
    }
    fields.insert("expires_at".to_owned(), Value::from(expires_at.to_rfc3339()));
    fields.insert("expires_in".to_owned(), Value::from(response.expires_in));
    Ok(fields)
}

fn refusal(status: StatusCode, body: &[u8], secret_id: &str) -> TokenError {
    let refusal: Option<TokenRefusal> = serde_json::from_slice(body).ok();
    let reason = refusal.and_then(|refusal| refusal.error).unwrap_or_else(|| status.to_string());
    let id = secret_id.to_owned();
    if reason == "invalid_grant" {
        return TokenError::NeedsPerson { id };
    }
    TokenError::Refused { id, reason: reason.chars().take(REASON_CHARACTERS_MAX).collect() }
}
