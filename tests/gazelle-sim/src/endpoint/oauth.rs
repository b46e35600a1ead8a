//! `GET /developer/oauth/authorize` says yes at once; `POST /developer/oauth/token` trades a code or a refresh token for
//! an access token.

use std::sync::Arc;

use axum::{
    Form, Json,
    extract::{FromRequest, Query, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use chrono::Utc;
use serde::Deserialize;
use serde_json::json;

use super::json_text;
use crate::server::Sim;

/// The token request, as a form or as JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TokenRequest {
    grant_type: String,
    client_id: String,
    client_secret: String,
    refresh_token: String,
    code: String,
    redirect_uri: String,
}

/// What a browser brings to the page where a person agrees.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthorizeRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
}

/// Agrees in the person's place and sends the browser back with a code.
pub(crate) async fn authorize(
    State(sim): State<Arc<Sim>>,
    Query(wanted): Query<AuthorizeRequest>,
) -> Response {
    if wanted.response_type != "code" || wanted.client_id != sim.config.client_id {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_request");
    }
    let code = sim.tokens().issue_code(&wanted.redirect_uri);
    let place = format!("{}?code={code}&state={}", wanted.redirect_uri, wanted.state);
    Redirect::to(&place).into_response()
}

/// Answers a token request.
pub(crate) async fn token(State(sim): State<Arc<Sim>>, request: Request) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let wanted = if content_type.is_some_and(|kind| kind.starts_with("application/json")) {
        Json::<TokenRequest>::from_request(request, &()).await.ok().map(|Json(wanted)| wanted)
    } else {
        Form::<TokenRequest>::from_request(request, &()).await.ok().map(|Form(wanted)| wanted)
    };
    let Some(wanted) = wanted else {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_request");
    };
    if sim.faults().draw_token_failure() {
        return json_text(StatusCode::INTERNAL_SERVER_ERROR, json!({"error": "server_error"}).to_string());
    }
    if !matches!(wanted.grant_type.as_str(), "refresh_token" | "authorization_code") {
        return refused(&sim, StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    if wanted.client_id != sim.config.client_id || wanted.client_secret != sim.config.client_secret {
        return refused(&sim, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let (ttl_s, rotate) = {
        let faults = sim.faults();
        let settings = faults.settings();
        (
            settings.token_ttl_s.unwrap_or(sim.config.token_ttl_s),
            settings.rotate_refresh_token.unwrap_or(true),
        )
    };
    let issued = if wanted.grant_type == "refresh_token" {
        sim.tokens().refresh(&wanted.refresh_token, ttl_s, rotate)
    } else {
        sim.tokens().trade_code(&wanted.code, &wanted.redirect_uri, ttl_s)
    };
    let Some(issued) = issued else {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let mut answer = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": ttl_s,
        "created_at": Utc::now().timestamp(),
    });
    let mut stats = sim.stats();
    stats.tokens_issued += 1;
    if let Some(refresh_token) = issued.refresh_token {
        answer["refresh_token"] = refresh_token.into();
        stats.tokens_refreshed += 1;
    }
    json_text(StatusCode::OK, answer.to_string())
}

fn refused(sim: &Sim, status: StatusCode, error: &str) -> Response {
    sim.stats().tokens_refused += 1;
    json_text(status, json!({"error": error, "error_description": format!("Refusé: {error}")}).to_string())
}
