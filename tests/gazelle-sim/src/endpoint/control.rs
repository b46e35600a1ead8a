//! The simulation's own endpoints, by which a test sets and reads its state.

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

use super::json_text;
use crate::{
    SimConfig,
    advance::{self, Advance},
    faults::{FaultState, Faults},
    server::Sim,
    truth::{self, MirrorTable},
};

/// A size this large is a mistake: it would not fit in memory.
const COUNT_MAX: usize = 5_000_000;

/// What a reset changes of the configuration at the start.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Reset {
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
struct Expire {
    access: bool,
    refresh: bool,
}

/// `POST /_sim/reset`: new data, no faults, counters at zero.
pub(crate) async fn reset(State(sim): State<Arc<Sim>>, body: Bytes) -> Response {
    let wanted: Reset = match read(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return *refusal,
    };
    let start = &sim.config;
    let config = SimConfig {
        seed: wanted.seed.unwrap_or(start.seed),
        users: wanted.users.unwrap_or(start.users),
        clients: wanted.clients.unwrap_or(start.clients),
        pianos: wanted.pianos.unwrap_or(start.pianos),
        timeline: wanted.timeline.unwrap_or(start.timeline),
        oddities: wanted.oddities.unwrap_or(start.oddities),
        now: wanted.now.or(start.now),
        ..start.clone()
    };
    if [config.users, config.clients, config.pianos, config.timeline].iter().any(|count| *count > COUNT_MAX) {
        return refused(&format!("No count may exceed {COUNT_MAX}"));
    }
    sim.reset(&config);
    let world = sim.snapshot();
    let mut counts = json!({
        "seed": config.seed,
        "users": world.users.slots().len(),
        "clients": world.clients.slots().len(),
        "pianos": world.pianos.slots().len(),
        "timeline": world.timeline.slots().len(),
        "measurements": world.measurements().count(),
        "now": crate::clock::stamp(world.clock),
    });
    for table in MirrorTable::modelled() {
        if let Some(entity) = table.entity() {
            counts[table.name()] = world.table(entity).slots().len().into();
        }
    }
    json_text(StatusCode::OK, counts.to_string())
}

/// `POST /_sim/advance`: lets things happen and says what.
pub(crate) async fn advance(State(sim): State<Arc<Sim>>, body: Bytes) -> Response {
    let wanted: Advance = match read(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return *refusal,
    };
    match sim.change(|world| advance::advance(world, &wanted)) {
        Ok(report) => json_text(StatusCode::OK, report.to_string()),
        Err(message) => refused(&message),
    }
}

/// `POST /_sim/faults`: replaces the faults in force.
pub(crate) async fn set_faults(State(sim): State<Arc<Sim>>, body: Bytes) -> Response {
    let faults: Faults = match read(&body) {
        Ok(faults) => faults,
        Err(refusal) => return *refusal,
    };
    let seed = sim.snapshot().seed;
    *sim.faults() = FaultState::new(faults, seed);
    json_text(StatusCode::OK, json!({"ok": true}).to_string())
}

/// `POST /_sim/expire`: ends the access tokens, the refresh token, or both.
pub(crate) async fn expire(State(sim): State<Arc<Sim>>, body: Bytes) -> Response {
    let wanted: Expire = match read(&body) {
        Ok(wanted) => wanted,
        Err(refusal) => return *refusal,
    };
    sim.tokens().expire(wanted.access, wanted.refresh);
    json_text(StatusCode::OK, json!({"ok": true}).to_string())
}

/// `GET /_sim/truth/{entity}`: what a perfect mirror's table holds.
pub(crate) async fn truth(State(sim): State<Arc<Sim>>, Path(entity): Path<String>) -> Response {
    match MirrorTable::named(&entity) {
        Some(table) => json_text(StatusCode::OK, truth::report(&sim.snapshot(), table)),
        None => {
            json_text(StatusCode::NOT_FOUND, json!({"error": format!("Unknown entity {entity}")}).to_string())
        }
    }
}

/// `GET /_sim/stats`: what was asked.
pub(crate) async fn stats(State(sim): State<Arc<Sim>>) -> Response {
    let mut stats = json!(*sim.stats());
    stats["faults"] = json!(sim.faults().counts());
    json_text(StatusCode::OK, stats.to_string())
}

/// `GET /_sim/health`.
pub(crate) async fn health() -> Response {
    json_text(StatusCode::OK, json!({"ok": true}).to_string())
}

/// The body as JSON, of which an empty one stands for `{}`; else the refusal to answer with.
fn read<T: DeserializeOwned + Default>(body: &Bytes) -> Result<T, Box<Response>> {
    if body.is_empty() {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Box::new(refused(&error.to_string())))
}

fn refused(message: &str) -> Response {
    json_text(StatusCode::BAD_REQUEST, json!({"error": message}).to_string())
}
