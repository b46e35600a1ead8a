//! HTTP server of a simulation, on a port of 127.0.0.1 until it is stopped or dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{any, get, post},
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

use crate::{
    config::SimConfig,
    endpoint::{control, graphql, oauth},
    state::{SimState, wait_for_shutdown},
    tcp::{LimitedListener, WriteLimit},
};

/// Upper bound for a request body.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Running simulation, which stops when dropped.
#[derive(Debug)]
pub struct RunningSim {
    /// Base URL of the server: `http://127.0.0.1:PORT`.
    pub url: String,
    /// Port the server listens on.
    pub port: u16,
    stop: watch::Sender<bool>,
    server: JoinHandle<io::Result<()>>,
}

impl RunningSim {
    /// Stops the server and waits until the port is free and no response is pending.
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
    let (stop, shutdown) = watch::channel(false);
    let sim = Arc::new(SimState::new(config, shutdown.clone()).map_err(io::Error::other)?);
    let service = router(sim).into_make_service_with_connect_info::<WriteLimit>();
    let server = tokio::spawn(async move {
        axum::serve(LimitedListener(listener), service)
            .with_graceful_shutdown(wait_for_shutdown(shutdown))
            .await
    });
    Ok(RunningSim { url: format!("http://127.0.0.1:{port}"), port, stop, server })
}

fn router(sim: Arc<SimState>) -> Router {
    Router::new()
        .route("/graphql/private", any(graphql::handle))
        .route("/graphql/private/", any(graphql::handle))
        .route("/developer/oauth/authorize", get(oauth::authorize))
        .route("/developer/oauth/token", post(oauth::token))
        .route("/_sim/reset", post(control::reset))
        .route("/_sim/advance", post(control::advance))
        .route("/_sim/faults", post(control::set_faults))
        .route("/_sim/expire", post(control::expire))
        .route("/_sim/truth/{entity}", get(control::truth))
        .route("/_sim/stats", get(control::stats))
        .route("/_sim/health", get(control::health))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(sim)
}
