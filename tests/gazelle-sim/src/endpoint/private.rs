//! `POST /graphql/private`: the API itself, with the misbehaviour asked for.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use chrono::Utc;
use serde_json::json;

use super::json_text;
use crate::{
    advance,
    faults::{Fate, Mishap},
    graphql::{GraphqlRequest, ParsedRequest, Refusal, refusal_body},
    server::{Sim, stopped},
    wire::Scissors,
};

/// A response head is longer than this: a cut after half the body and this much lies within the body
/// or, of a small one, in the head; either way the answer is incomplete.
const HEAD_BYTES: usize = 100;

/// Answers a GraphQL request.
pub(crate) async fn answer(
    State(sim): State<Arc<Sim>>,
    ConnectInfo(scissors): ConnectInfo<Scissors>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    sim.stats().arrived(Instant::now());
    let (response, outcome) = outcome(&sim, &scissors, &method, &headers, &body).await;
    let status = response.status().as_u16().to_string();
    sim.stats().ended(outcome.unwrap_or(&status));
    response
}

/// The response, and how to count it if not by its status.
async fn outcome(
    sim: &Sim,
    scissors: &Scissors,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> (Response, Option<&'static str>) {
    if method != Method::POST {
        let text = json!({"error": "Method not allowed"}).to_string();
        return (json_text(StatusCode::METHOD_NOT_ALLOWED, text), None);
    }
    if !is_authorized(sim, headers) {
        let text = json!({"errors": [{"message": "Jeton absent, invalide ou expiré", "extensions": {"code": "UNAUTHENTICATED"}}]});
        return (json_text(StatusCode::UNAUTHORIZED, text.to_string()), None);
    }
    let Ok(request) = serde_json::from_slice::<GraphqlRequest>(body) else {
        let text = json!({"error": "The body is not a GraphQL request"}).to_string();
        return (json_text(StatusCode::BAD_REQUEST, text), None);
    };
    let request = match ParsedRequest::parse(request) {
        Ok(request) => request,
        Err(refusal) => return (json_text(StatusCode::OK, refusal), None),
    };
    let root_fields = request.root_fields();
    sim.stats().asked(request.label(), &root_fields);
    let fate = sim.faults().draw(&root_fields);
    if let Some(response) = failure(sim, scissors, fate).await {
        let is_dropped = fate.mishap == Some(Mishap::DropConnection);
        return (response, is_dropped.then_some("drop_connection"));
    }
    let world = sim.snapshot();
    let mut text = sim.api.answer(&request, &world, fate.spoil).await;
    drop(world);
    if fate.shift && request.asks_timeline() {
        sim.change(advance::shift_timeline);
    }
    match fate.mishap {
        Some(Mishap::GraphqlError) if !fate.spoil.null_page => {
            text = refusal_body(&[Refusal::new("Une erreur interne est survenue", "INTERNAL_SERVER_ERROR")]);
            text.insert_str(1, "\"data\":null,");
        }
        Some(Mishap::UndefinedField) => {
            text = refusal_body(&[Refusal::new(
                "Field 'gone' doesn't exist on type 'PrivateUser'",
                "undefinedField",
            )]);
        }
        Some(Mishap::InvalidJson) => {
            text = format!("<!-- cache -->{}", text.get(..text.len() / 2).unwrap_or_default());
        }
        Some(Mishap::Truncate) => scissors.cut_after(HEAD_BYTES + text.len() / 2),
        _ => {}
    }
    (json_text(StatusCode::OK, text), None)
}

/// The response of a mishap that leaves no answer; a hanging one only takes its time.
async fn failure(sim: &Sim, scissors: &Scissors, fate: Fate) -> Option<Response> {
    match fate.mishap? {
        Mishap::Hang => {
            let wait = Duration::from_secs_f64(sim.faults().hang_s());
            // When the simulation stops, nobody waits any longer.
            let _ = tokio::time::timeout(wait, stopped(sim.stopping.clone())).await;
            None
        }
        Mishap::DropConnection => {
            scissors.cut_after(0);
            Some(json_text(StatusCode::OK, String::new()))
        }
        Mishap::Status429 => Some(too_many_requests(sim)),
        Mishap::Status500 => {
            let page = "<html><body><h1>We're sorry, but something went wrong (500)</h1></body></html>";
            let mut response = json_text(StatusCode::INTERNAL_SERVER_ERROR, page.to_owned());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Some(response)
        }
        Mishap::Truncate | Mishap::InvalidJson | Mishap::GraphqlError | Mishap::UndefinedField => None,
    }
}

fn too_many_requests(sim: &Sim) -> Response {
    let faults = sim.faults();
    let settings = faults.settings();
    let wait_s = settings.retry_after_s.unwrap_or(1);
    let value = if settings.retry_after_http_date {
        let until = Utc::now() + Duration::from_secs(wait_s);
        until.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    } else {
        wait_s.to_string()
    };
    let mut response =
        json_text(StatusCode::TOO_MANY_REQUESTS, json!({"error": "Trop de requêtes"}).to_string());
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn is_authorized(sim: &Sim, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("x-gazelle-api-key") {
        return key == sim.config.api_key;
    }
    text("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|token| sim.tokens().accepts(token))
}
