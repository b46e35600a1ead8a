//! Responses for API Gateway, with the headers that each of them carries.

use serde_json::{Value, json};

use crate::page::{REFRESH_SECONDS, content_security_policy};

/// Returns a JSON response.
#[must_use]
pub fn json_response(status: u16, body: &Value) -> Value {
    let policy = "default-src 'none'; frame-ancestors 'none'";
    response(status, "application/json; charset=utf-8", policy, &body.to_string())
}

/// Returns an error response: a code for programs and a sentence for people.
#[must_use]
pub fn problem(status: u16, code: &str, detail: &str) -> Value {
    json_response(status, &json!({ "error": code, "detail": detail }))
}

/// Returns an HTML response that the browser reloads every [`REFRESH_SECONDS`].
#[must_use]
pub fn page(status: u16, html: &str) -> Value {
    let mut response = response(status, "text/html; charset=utf-8", &content_security_policy(), html);
    response["headers"]["refresh"] = json!(REFRESH_SECONDS.to_string());
    response["headers"]["vary"] = json!("accept-language");
    response
}

/// Returns a plain-text response, for a terminal.
#[must_use]
pub fn text(status: u16, text: &str) -> Value {
    response(status, "text/plain; charset=utf-8", "default-src 'none'; frame-ancestors 'none'", text)
}

/// Returns metrics in Prometheus' text format.
#[must_use]
pub fn prometheus(text: &str) -> Value {
    response(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        "default-src 'none'; frame-ancestors 'none'",
        text,
    )
}

/// Returns a redirect within this site, after a form was posted.
#[must_use]
pub fn see_other(path: &str) -> Value {
    let mut response = json_response(303, &json!({}));
    response["headers"]["location"] = json!(path);
    response
}

fn response(status: u16, content_type: &str, policy: &str, body: &str) -> Value {
    json!({
        "statusCode": status,
        "headers": {
            "content-type": content_type,
            "cache-control": "no-store",
            "content-security-policy": policy,
            "referrer-policy": "same-origin",
            "strict-transport-security": "max-age=31536000",
            "x-content-type-options": "nosniff",
        },
        "body": body,
        "isBase64Encoded": false,
    })
}
