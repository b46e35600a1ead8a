//! OAuth endpoints: `authorize` approves at once, `token` exchanges a code or a refresh token for an
//! access token.

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

use super::response;
use crate::state::SimState;

/// Token request, sent as a form or as JSON.
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

/// Query of the authorization page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AuthorizeRequest {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    state: String,
}

/// Handles `GET /developer/oauth/authorize`: approves and redirects with a code.
pub(crate) async fn authorize(
    State(sim): State<Arc<SimState>>,
    Query(query): Query<AuthorizeRequest>,
) -> Response {
    if query.response_type != "code" || query.client_id != sim.config.client_id {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_request");
    }
    let code = sim.tokens().issue_code(&query.redirect_uri);
    let location = format!("{}?code={code}&state={}", query.redirect_uri, query.state);
    Redirect::to(&location).into_response()
}

/// Handles `POST /developer/oauth/token`: issues an access token.
pub(crate) async fn token(State(sim): State<Arc<SimState>>, request: Request) -> Response {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let grant = if content_type.is_some_and(|kind| kind.starts_with("application/json")) {
        Json::<TokenRequest>::from_request(request, &()).await.ok().map(|Json(grant)| grant)
    } else {
        Form::<TokenRequest>::from_request(request, &()).await.ok().map(|Form(grant)| grant)
    };
    let Some(grant) = grant else {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_request");
    };
    if sim.faults().draw_token_failure() {
        return response::json(
            StatusCode::INTERNAL_SERVER_ERROR,
            json!({"error": "server_error"}).to_string(),
        );
    }
    if !matches!(grant.grant_type.as_str(), "refresh_token" | "authorization_code") {
        return refused(&sim, StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
    if grant.client_id != sim.config.client_id || grant.client_secret != sim.config.client_secret {
        return refused(&sim, StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let (ttl_s, rotate) = {
        let faults = sim.faults();
        let config = faults.config();
        (config.token_ttl_s.unwrap_or(sim.config.token_ttl_s), config.rotate_refresh_token.unwrap_or(true))
    };
    let issued = if grant.grant_type == "refresh_token" {
        sim.tokens().refresh(&grant.refresh_token, ttl_s, rotate)
    } else {
        sim.tokens().exchange_code(&grant.code, &grant.redirect_uri, ttl_s)
    };
    let Some(issued) = issued else {
        return refused(&sim, StatusCode::BAD_REQUEST, "invalid_grant");
    };
    let mut body = json!({
        "access_token": issued.access_token,
        "token_type": "Bearer",
        "expires_in": ttl_s,
        "created_at": Utc::now().timestamp(),
    });
    let mut stats = sim.stats();
    stats.tokens_issued += 1;
    if let Some(refresh_token) = issued.refresh_token {
        body["refresh_token"] = refresh_token.into();
        stats.tokens_refreshed += 1;
    }
    response::json(StatusCode::OK, body.to_string())
}

fn refused(sim: &SimState, status: StatusCode, error: &str) -> Response {
    sim.stats().tokens_refused += 1;
    response::json(
        status,
        json!({"error": error, "error_description": format!("Refusé: {error}")}).to_string(),
    )
}
