//! State that all endpoints of a running simulation share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::watch;

use crate::{
    config::SimConfig,
    dataset::Dataset,
    faults::{FaultConfig, FaultInjector},
    generate,
    graphql::{api::Api, schema::SchemaError},
    stats::Stats,
    tokens::TokenStore,
};

/// Shared state of a running simulation.
pub(crate) struct SimState {
    /// Configuration at the start, to which a reset returns.
    pub(crate) config: SimConfig,
    pub(crate) api: Api,
    shutdown: watch::Receiver<bool>,
    dataset: RwLock<Arc<Dataset>>,
    faults: Mutex<FaultInjector>,
    stats: Mutex<Stats>,
    tokens: Mutex<TokenStore>,
}

impl SimState {
    /// Creates the state for a configuration; `shutdown` becomes true when the server stops.
    pub(crate) fn new(config: SimConfig, shutdown: watch::Receiver<bool>) -> Result<Self, SchemaError> {
        Ok(Self {
            api: Api::new(config.page_size_max)?,
            shutdown,
            dataset: RwLock::new(Arc::new(generate::dataset(&config))),
            faults: Mutex::new(FaultInjector::new(FaultConfig::default(), config.seed)),
            stats: Mutex::new(Stats::default()),
            tokens: Mutex::new(TokenStore::new(&config.refresh_token)),
            config,
        })
    }

    /// Returns the current data, which later changes do not affect.
    pub(crate) fn snapshot(&self) -> Arc<Dataset> {
        Arc::clone(&self.dataset.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Applies a change to the data.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Dataset) -> T) -> T {
        let mut dataset = self.dataset.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut dataset))
    }

    /// Resets the simulation: new data, no faults, counters at zero, the configured refresh token.
    pub(crate) fn reset(&self, config: &SimConfig) {
        let fresh = generate::dataset(config);
        *self.dataset.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        *self.faults() = FaultInjector::new(FaultConfig::default(), config.seed);
        *self.stats() = Stats::default();
        *self.tokens() = TokenStore::new(&config.refresh_token);
    }

    /// Locks the fault injector.
    pub(crate) fn faults(&self) -> MutexGuard<'_, FaultInjector> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the request counters.
    pub(crate) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the token store.
    pub(crate) fn tokens(&self) -> MutexGuard<'_, TokenStore> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the simulation is told to stop.
    pub(crate) async fn stopped(&self) {
        wait_for_shutdown(self.shutdown.clone()).await;
    }
}

/// Waits until `shutdown` becomes true.
pub(crate) async fn wait_for_shutdown(mut shutdown: watch::Receiver<bool>) {
    // An error means that the sender is gone, which also stops the simulation.
    let _ = shutdown.wait_for(|stop| *stop).await;
}
