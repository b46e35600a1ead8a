//! Answers for API Gateway, with the headers that every one of them bears.

use serde_json::{Value, json};

use crate::page::{REFRESH_SECONDS, content_security_policy};

/// An answer in JSON.
#[must_use]
pub fn json_answer(status: u16, body: &Value) -> Value {
    let policy = "default-src 'none'; frame-ancestors 'none'";
    answer(status, "application/json; charset=utf-8", policy, &body.to_string())
}

/// A problem, as a word for programs and a sentence for people.
#[must_use]
pub fn problem(status: u16, code: &str, detail: &str) -> Value {
    json_answer(status, &json!({ "error": code, "detail": detail }))
}

/// A page that asks for itself again.
#[must_use]
pub fn page(status: u16, html: &str) -> Value {
    let mut answer = answer(status, "text/html; charset=utf-8", &content_security_policy(), html);
    answer["headers"]["refresh"] = json!(REFRESH_SECONDS.to_string());
    answer["headers"]["vary"] = json!("accept-language");
    answer
}

/// Plain text, for a terminal.
#[must_use]
pub fn text(status: u16, text: &str) -> Value {
    answer(status, "text/plain; charset=utf-8", "default-src 'none'; frame-ancestors 'none'", text)
}

/// Prometheus text.
#[must_use]
pub fn prometheus(text: &str) -> Value {
    answer(
        200,
        "text/plain; version=0.0.4; charset=utf-8",
        "default-src 'none'; frame-ancestors 'none'",
        text,
    )
}

/// Sends the browser elsewhere on this site.
#[must_use]
pub fn see_other(path: &str) -> Value {
    let mut answer = json_answer(303, &json!({}));
    answer["headers"]["location"] = json!(path);
    answer
}

fn answer(status: u16, content_type: &str, policy: &str, body: &str) -> Value {
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
