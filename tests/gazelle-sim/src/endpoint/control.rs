//! Control endpoints `/_sim/*`, through which tests set and read the state of the simulation.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;

use super::response;
use crate::{
    advance::{self, AdvanceRequest},
    config::SimConfig,
    datetime,
    faults::{FaultConfig, FaultInjector},
    mirror::MirrorTable,
    state::SimState,
    truth,
};

/// Upper bound for each count; larger data would not fit in memory.
const COUNT_MAX: usize = 5_000_000;

/// Body of `/_sim/reset`: overrides of the configuration at the start.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ResetRequest {
    seed: Option<u64>,
    users: Option<usize>,
    clients: Option<usize>,
    pianos: Option<usize>,
    timeline: Option<usize>,
    oddities: Option<bool>,
    now: Option<DateTime<Utc>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExpireRequest {
    access: bool,
    refresh: bool,
}

/// Handles `POST /_sim/reset`: new data, no faults, counters at zero.
pub(crate) async fn reset(State(sim): State<Arc<SimState>>, body: Bytes) -> Response {
    let request: ResetRequest = match parse_body(&body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    let start = &sim.config;
    let config = SimConfig {
        seed: request.seed.unwrap_or(start.seed),
        users: request.users.unwrap_or(start.users),
        clients: request.clients.unwrap_or(start.clients),
        pianos: request.pianos.unwrap_or(start.pianos),
        timeline: request.timeline.unwrap_or(start.timeline),
        oddities: request.oddities.unwrap_or(start.oddities),
        now: request.now.or(start.now),
        ..start.clone()
    };
    if [config.users, config.clients, config.pianos, config.timeline].iter().any(|count| *count > COUNT_MAX) {
        return bad_request(&format!("count out of range; expected at most {COUNT_MAX}"));
    }
    sim.reset(&config);
    let dataset = sim.snapshot();
    let mut counts = json!({
        "seed": config.seed,
        "users": dataset.users.slots().len(),
        "clients": dataset.clients.slots().len(),
        "pianos": dataset.pianos.slots().len(),
        "timeline": dataset.timeline.slots().len(),
        "measurements": dataset.measurements().count(),
        "now": datetime::format(dataset.now),
    });
    for table in MirrorTable::modelled() {
        if let Some(entity) = table.entity() {
            counts[table.name()] = dataset.table(entity).slots().len().into();
        }
    }
    response::json(StatusCode::OK, counts.to_string())
}

/// Handles `POST /_sim/advance`: applies changes and reports the changed records.
pub(crate) async fn advance(State(sim): State<Arc<SimState>>, body: Bytes) -> Response {
    let request: AdvanceRequest = match parse_body(&body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    match sim.change(|dataset| advance::advance(dataset, &request)) {
        Ok(report) => response::json(StatusCode::OK, report.to_string()),
        Err(error) => bad_request(&error.to_string()),
    }
}

/// Handles `POST /_sim/faults`: replaces the fault configuration.
pub(crate) async fn set_faults(State(sim): State<Arc<SimState>>, body: Bytes) -> Response {
    let config: FaultConfig = match parse_body(&body) {
        Ok(config) => config,
        Err(response) => return *response,
    };
    let seed = sim.snapshot().seed;
    *sim.faults() = FaultInjector::new(config, seed);
    response::json(StatusCode::OK, json!({"ok": true}).to_string())
}

/// Handles `POST /_sim/expire`: revokes the access tokens, the refresh token, or both.
pub(crate) async fn expire(State(sim): State<Arc<SimState>>, body: Bytes) -> Response {
    let request: ExpireRequest = match parse_body(&body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    sim.tokens().expire(request.access, request.refresh);
    response::json(StatusCode::OK, json!({"ok": true}).to_string())
}

/// Handles `GET /_sim/truth/{entity}`: the expected contents of a mirror table.
pub(crate) async fn truth(State(sim): State<Arc<SimState>>, Path(entity): Path<String>) -> Response {
    match MirrorTable::from_name(&entity) {
        Ok(table) => response::json(StatusCode::OK, truth::to_json(&sim.snapshot(), table)),
        Err(error) => response::json(StatusCode::NOT_FOUND, json!({"error": error.to_string()}).to_string()),
    }
}

/// Handles `GET /_sim/stats`: the request counters.
pub(crate) async fn stats(State(sim): State<Arc<SimState>>) -> Response {
    let mut stats = json!(*sim.stats());
    stats["faults"] = json!(sim.faults().counts());
    response::json(StatusCode::OK, stats.to_string())
}

/// Handles `GET /_sim/health`: reports that the server is up.
pub(crate) async fn health() -> Response {
    response::json(StatusCode::OK, json!({"ok": true}).to_string())
}

/// Parses a JSON body, treating an empty one as `{}`; the error is the response to send.
fn parse_body<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Box<Response>> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Box::new(bad_request(&error.to_string())))
}

fn bad_request(message: &str) -> Response {
    response::json(StatusCode::BAD_REQUEST, json!({"error": message}).to_string())
}
