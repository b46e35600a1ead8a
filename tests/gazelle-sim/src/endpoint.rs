//! What answers over HTTP.

pub(crate) mod control;
pub(crate) mod oauth;
pub(crate) mod private;

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// An answer of JSON text.
fn json_text(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
