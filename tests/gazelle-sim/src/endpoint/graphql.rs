//! GraphQL endpoint `POST /graphql/private`, with the injected faults.

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

use super::response;
use crate::{
    advance,
    faults::{Fault, RequestFaults},
    graphql::{
        error::{self, GraphqlError},
        request::{GraphqlRequest, ParsedRequest},
    },
    record_faults::Served,
    state::SimState,
    tcp::WriteLimit,
};

/// Lower bound for the size of a response head. A cut after this and half the body is within the body or,
/// if that is small, within the head; the response is incomplete either way.
const HEAD_BYTES: usize = 100;

/// Handles a GraphQL request.
pub(crate) async fn handle(
    State(sim): State<Arc<SimState>>,
    ConnectInfo(write_limit): ConnectInfo<WriteLimit>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    sim.stats().record_arrival(Instant::now());
    let (response, outcome) = respond(&sim, &write_limit, &method, &headers, &body).await;
    let status = response.status().as_u16().to_string();
    sim.stats().record_outcome(outcome.unwrap_or(&status));
    response
}

/// Returns the response, and the outcome to count it under if that is not its status.
async fn respond(
    sim: &SimState,
    write_limit: &WriteLimit,
    method: &Method,
    headers: &HeaderMap,
    body: &Bytes,
) -> (Response, Option<&'static str>) {
    if method != Method::POST {
        let text = json!({"error": "Method not allowed"}).to_string();
        return (response::json(StatusCode::METHOD_NOT_ALLOWED, text), None);
    }
    if !is_authorized(sim, headers) {
        let text = json!({"errors": [{
            "message": "Jeton absent, invalide ou expiré",
            "extensions": {"code": "UNAUTHENTICATED"},
        }]});
        return (response::json(StatusCode::UNAUTHORIZED, text.to_string()), None);
    }
    let Ok(request) = serde_json::from_slice::<GraphqlRequest>(body) else {
        let text = json!({"error": "The body is not a GraphQL request"}).to_string();
        return (response::json(StatusCode::BAD_REQUEST, text), None);
    };
    let request = match ParsedRequest::parse(request) {
        Ok(request) => request,
        Err(error) => return (response::json(StatusCode::OK, error::body(&[error])), None),
    };
    let root_fields = request.root_fields();
    sim.stats().record_operation(request.label(), &root_fields);
    let faults = sim.faults().draw(&root_fields);
    if let Some(response) = fault_response(sim, write_limit, faults).await {
        let is_dropped = faults.fault == Some(Fault::DropConnection);
        return (response, is_dropped.then_some("drop_connection"));
    }
    let dataset = sim.snapshot();
    let mut text = sim.api.execute(&request, &dataset, faults.page).await;
    drop(dataset);
    let lasting = sim.faults().config().records.clone();
    text = match lasting.apply(text) {
        Served::Body(text) => text,
        Served::BadGateway => return (response::json(StatusCode::BAD_GATEWAY, String::new()), None),
    };
    if faults.shift_pages && request.requests_timeline() {
        sim.change(advance::shift_timeline);
    }
    match faults.fault {
        Some(Fault::GraphqlError) if !faults.page.null_page => {
            text =
                error::body(&[GraphqlError::new("Une erreur interne est survenue", "INTERNAL_SERVER_ERROR")]);
            text.insert_str(1, "\"data\":null,");
        }
        Some(Fault::UndefinedField) => {
            text = error::body(&[GraphqlError::new(
                "Field 'gone' doesn't exist on type 'PrivateUser'",
                "undefinedField",
            )]);
        }
        Some(Fault::BodyError) => {
            let code = sim.faults().config().body_error_code.clone();
            let code = code.as_deref().unwrap_or("THROTTLED");
            text = error::body(&[GraphqlError::new("Something went wrong", code)]);
            text.insert_str(1, "\"data\":null,");
        }
        Some(Fault::InvalidJson) => {
            text = format!("<!-- cache -->{}", text.get(..text.len() / 2).unwrap_or_default());
        }
        Some(Fault::Truncate) => write_limit.cut_after(HEAD_BYTES + text.len() / 2),
        _ => {}
    }
    (response::json(StatusCode::OK, text), None)
}

/// Returns the response of a fault that replaces the real one; for a hang, only waits.
async fn fault_response(sim: &SimState, write_limit: &WriteLimit, faults: RequestFaults) -> Option<Response> {
    match faults.fault? {
        Fault::Hang => {
            let wait = Duration::from_secs_f64(sim.faults().hang_s());
            // A shutdown ends the wait.
            let _ = tokio::time::timeout(wait, sim.stopped()).await;
            None
        }
        Fault::DropConnection => {
            write_limit.cut_after(0);
            Some(response::json(StatusCode::OK, String::new()))
        }
        Fault::Status429 => Some(too_many_requests(sim)),
        Fault::Status500 => {
            let page = "<html><body><h1>We're sorry, but something went wrong (500)</h1></body></html>";
            let mut response = response::json(StatusCode::INTERNAL_SERVER_ERROR, page.to_owned());
            response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            Some(response)
        }
        Fault::Truncate
        | Fault::InvalidJson
        | Fault::GraphqlError
        | Fault::UndefinedField
        | Fault::BodyError => None,
    }
}

fn too_many_requests(sim: &SimState) -> Response {
    let faults = sim.faults();
    let config = faults.config();
    let wait_s = config.retry_after_s.unwrap_or(1);
    let value = if config.retry_after_http_date {
        let until = Utc::now() + Duration::from_secs(wait_s);
        until.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
    } else {
        wait_s.to_string()
    };
    let mut response =
        response::json(StatusCode::TOO_MANY_REQUESTS, json!({"error": "Trop de requêtes"}).to_string());
    if let Ok(value) = HeaderValue::from_str(&value) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn is_authorized(sim: &SimState, headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(key) = text("x-gazelle-api-key") {
        return key == sim.config.api_key;
    }
    text("authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .is_some_and(|token| sim.tokens().is_valid(token))
}
