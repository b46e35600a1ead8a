//! Runs a simulation on a port of 127.0.0.1 until it is stopped or dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, get, post},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    SimConfig,
    endpoint::{control, oauth, private},
    faults::{FaultState, Faults},
    generate,
    graphql::Api,
    stats::Stats,
    tokens::Tokens,
    wire::{CuttableListener, Scissors},
    world::World,
};

/// Everything the endpoints share.
pub(crate) struct Sim {
    /// What the simulation started from; a reset falls back to it.
    pub(crate) config: SimConfig,
    /// The GraphQL schema.
    pub(crate) api: Api,
    /// Becomes true when the simulation stops.
    pub(crate) stopping: watch::Receiver<bool>,
    world: RwLock<Arc<World>>,
    faults: Mutex<FaultState>,
    stats: Mutex<Stats>,
    tokens: Mutex<Tokens>,
}

impl Sim {
    /// The present state of the data, which later changes leave alone.
    pub(crate) fn snapshot(&self) -> Arc<World> {
        Arc::clone(&self.world.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the data.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.world.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut world))
    }

    /// Starts over: new data, no faults, counters at zero, the first refresh token.
    pub(crate) fn reset(&self, config: &SimConfig) {
        let fresh = generate::world(config);
        *self.world.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        *self.faults() = FaultState::new(Faults::default(), config.seed);
        *self.stats() = Stats::default();
        *self.tokens() = Tokens::new(&config.refresh_token);
    }

    /// The faults in force.
    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultState> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The counters.
    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tokens in circulation.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, Tokens> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulation that answers until it is dropped.
#[derive(Debug)]
pub struct RunningSim {
    /// Where it answers: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The port it listens on.
    pub port: u16,
    stop: watch::Sender<bool>,
    server: JoinHandle<io::Result<()>>,
}

impl RunningSim {
    /// Stops it, and returns when the port is free and no answer is under way.
    pub async fn stop(mut self) -> io::Result<()> {
        let _ = self.stop.send(true);
        (&mut self.server).await.map_err(io::Error::other)?
    }
}

impl Drop for RunningSim {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
    }
}

/// Starts a simulation on a port of 127.0.0.1; port 0 takes a free one.
pub async fn serve(config: SimConfig, port: u16) -> io::Result<RunningSim> {
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
    let port = listener.local_addr()?.port();
    let (stop, stopping) = watch::channel(false);
    let sim = Arc::new(Sim {
        api: Api::new(config.page_size_max).map_err(io::Error::other)?,
        stopping: stopping.clone(),
        world: RwLock::new(Arc::new(generate::world(&config))),
        faults: Mutex::new(FaultState::new(Faults::default(), config.seed)),
        stats: Mutex::new(Stats::default()),
        tokens: Mutex::new(Tokens::new(&config.refresh_token)),
        config,
    });
    let service = router(sim).into_make_service_with_connect_info::<Scissors>();
    let server = tokio::spawn(async move {
        axum::serve(CuttableListener(listener), service).with_graceful_shutdown(stopped(stopping)).await
    });
    Ok(RunningSim { url: format!("http://127.0.0.1:{port}"), port, stop, server })
}

/// Returns when the simulation shall stop.
pub(crate) async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that nobody is left to say so, which is the same.
    let _ = stopping.wait_for(|stop| *stop).await;
}

fn router(sim: Arc<Sim>) -> Router {
    Router::new()
        .route("/graphql/private", any(private::answer))
        .route("/graphql/private/", any(private::answer))
        .route("/developer/oauth/authorize", get(oauth::authorize))
        .route("/developer/oauth/token", post(oauth::token))
        .route("/_sim/reset", post(control::reset))
        .route("/_sim/advance", post(control::advance))
        .route("/_sim/faults", post(control::set_faults))
        .route("/_sim/expire", post(control::expire))
        .route("/_sim/truth/{entity}", get(control::truth))
        .route("/_sim/stats", get(control::stats))
        .route("/_sim/health", get(control::health))
        .layer(DefaultBodyLimit::max(16 * 1024 * 1024))
        .with_state(sim)
}
