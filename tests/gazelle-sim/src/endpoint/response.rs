//! Responses common to all endpoints.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

/// Creates a response with a body of JSON text.
pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], body).into_response()
}
