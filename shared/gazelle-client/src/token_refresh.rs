//! Exchange of the refresh token for a new access token, at Gazelle's token endpoint (RFC 6749, section 6).
//!
//! The exchange cannot be repeated where the refresh token rotates: its result is read as leniently as possible.

use std::collections::BTreeMap;

use chrono::Utc;
use reqwest::{StatusCode, Url};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use crate::error::TokenError;
use crate::token_fields::{ACCEPTED_TOKENS, lifetime, text_field};

/// Characters kept of the endpoint's error code, which is one word.
const REASON_CHARACTERS_MAX: usize = 60;
/// Error codes of an endpoint in trouble, after which another attempt may succeed.
const PASSING_CODES: [&str; 5] =
    ["temporarily_unavailable", "server_error", "slow_down", "rate_limit_exceeded", "too_many_requests"];

/// Exchanges the refresh token in `fields`; returns the secret's new fields. The old refresh token may be used up: the
/// caller stores the fields before it judges whether the new token can be used.
///
/// # Errors
/// [`TokenError::Incomplete`], [`TokenError::Illegal`], [`TokenError::NeedsPerson`], [`TokenError::Refused`], or one of
/// the `Refresh…` variants, after which another attempt may succeed.
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
    let response = response_fields(&String::from_utf8_lossy(&body));
    if !status.is_success() {
        return Err(refusal(status, &response, secret_id));
    }
    // Tokens count, whatever stands beside them.
    renewed_fields(fields, &response).ok_or_else(|| match response.get("error") {
        None | Some(Value::Null) => TokenError::RefreshBody,
        Some(_) => refusal(status, &response, secret_id),
    })
}

/// Returns the fields of a response in JSON, or in the encoding of forms; those of a token inside another object, too.
fn response_fields(body: &str) -> BTreeMap<String, Value> {
    let body = body.trim_start_matches('\u{feff}').trim();
    match serde_json::from_str(body) {
        Ok(Value::Object(mut fields)) => {
            let inner = ["data", "token", "result"].into_iter().find_map(|name| match fields.get_mut(name) {
                Some(Value::Object(inner)) if inner.contains_key("access_token") => {
                    Some(std::mem::take(inner))
                }
                _ => None,
            });
            inner.unwrap_or(fields).into_iter().collect()
        }
        Ok(_) => BTreeMap::new(),
        Err(_) => {
            let mut url = Url::parse("http://form.invalid/").ok();
            if let Some(url) = &mut url {
                url.set_query(Some(body));
            }
            let pairs = url.iter().flat_map(|url| url.query_pairs());
            pairs.map(|(name, value)| (name.into_owned(), Value::from(value.into_owned()))).collect()
        }
    }
}

/// Returns the secret's fields with the tokens of a response; none if it holds no token. What the response leaves out
/// stays as it was: whether the refresh token rotates is unknown.
fn renewed_fields(
    fields: &Map<String, Value>,
    response: &BTreeMap<String, Value>,
) -> Option<Map<String, Value>> {
    let token = |name: &str| {
        let text = response.get(name).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty()).map(Value::from)
    };
    let (access_token, refresh_token) = (token("access_token"), token("refresh_token"));
    let mut renewed = fields.clone();
    if let Some(refresh_token) = &refresh_token {
        renewed.insert("refresh_token".to_owned(), refresh_token.clone());
    }
    match access_token {
        Some(access_token) => {
            let lifetime = lifetime(response.get("expires_in"));
            renewed.insert("access_token".to_owned(), access_token);
            renewed.insert("expires_at".to_owned(), Value::from((Utc::now() + lifetime).to_rfc3339()));
            renewed.insert("expires_in".to_owned(), Value::from(lifetime.num_seconds()));
        }
        // A rotated refresh token alone: it is kept, and gets an access token in the next attempt.
        None if refresh_token.is_some() => {
            renewed.remove("access_token");
        }
        None => return None,
    }
    Some(renewed)
}

/// Returns the error for a response that grants nothing. Its own code decides before its status.
fn refusal(status: StatusCode, response: &BTreeMap<String, Value>, secret_id: &str) -> TokenError {
    let id = secret_id.to_owned();
    let code = match response.get("error") {
        Some(Value::String(code)) if !code.trim().is_empty() => Some(code.trim()),
        _ => None,
    };
    match code {
        Some("invalid_grant") => TokenError::NeedsPerson { id },
        Some(code) if PASSING_CODES.contains(&code) => TokenError::RefreshStatus(status),
        Some(code) if !is_passing(status) => {
            TokenError::Refused { id, reason: code.chars().take(REASON_CHARACTERS_MAX).collect() }
        }
        None if !is_passing(status) && !status.is_success() => {
            TokenError::Refused { id, reason: status.to_string() }
        }
        _ => TokenError::RefreshStatus(status),
    }
}

/// Returns whether a status says nothing against the application: the endpoint is out of reach for a moment.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 404 | 408 | 409 | 421 | 423 | 425 | 429 | 460 | 499 | 500..)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn renewed(body: &str) -> Option<Map<String, Value>> {
        let fields = json!({ "access_token": "a1", "refresh_token": "r1", "client_id": "c" });
        renewed_fields(fields.as_object()?, &response_fields(body))
    }

    #[test]
    fn tokens_are_kept_whatever_form_their_lifetime_has() {
        for body in [
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":7200}"#,
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":"7200"}"#,
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":7200.5}"#,
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":null}"#,
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":-1}"#,
            r#"{"access_token":"a2","refresh_token":"r2","expires_in":{"seconds":1}}"#,
            r#"{"access_token":"a2","refresh_token":"r2","token_type":7,"scope":null}"#,
            r#"{"data":{"access_token":"a2","refresh_token":"r2"}}"#,
            "access_token=a2&refresh_token=r2&expires_in=7200&token_type=Bearer",
            "access_token=a2&refresh_token=r2",
        ] {
            let Some(fields) = renewed(body) else { panic!("{body}") };
            assert_eq!(
                (&fields["access_token"], &fields["refresh_token"]),
                (&json!("a2"), &json!("r2")),
                "{body}"
            );
            assert!(fields["expires_in"].as_i64() > Some(0) && fields["expires_at"].is_string(), "{body}");
            assert_eq!(fields["client_id"], "c");
        }
    }

    #[test]
    fn missing_refresh_token_keeps_the_old_one() {
        for body in [
            r#"{"access_token":"a2"}"#,
            r#"{"access_token":"a2","refresh_token":null}"#,
            "access_token=a2&refresh_token=",
        ] {
            assert_eq!(
                renewed(body).map(|fields| fields["refresh_token"].clone()),
                Some(json!("r1")),
                "{body}"
            );
        }
        let alone = renewed(r#"{"refresh_token":"r2"}"#).unwrap_or_default();
        assert_eq!((alone.get("access_token"), &alone["refresh_token"]), (None, &json!("r2")));
        for body in ["", "<html>", "{}", "[]", "null", r#"{"access_token":""}"#] {
            assert_eq!(renewed(body), None, "{body}");
        }
    }

    #[test]
    fn code_of_a_refusal_decides_before_its_status() {
        let error = |status, body: &str| {
            refusal(StatusCode::from_u16(status).unwrap_or_default(), &response_fields(body), "gazelle")
        };
        for status in [200, 400, 401] {
            assert!(matches!(error(status, r#"{"error":"invalid_grant"}"#), TokenError::NeedsPerson { .. }));
            assert!(matches!(error(status, r#"{"error":"invalid_client"}"#), TokenError::Refused { .. }));
            assert!(matches!(error(status, r#"{"error":"server_error"}"#), TokenError::RefreshStatus(_)));
        }
        for status in [404, 408, 425, 429, 500, 502, 503, 520] {
            assert!(matches!(error(status, "<html>"), TokenError::RefreshStatus(_)), "{status}");
        }
        for status in [302, 400, 401, 403] {
            assert!(matches!(error(status, "<html>"), TokenError::Refused { .. }), "{status}");
        }
    }
}
