//! Work of one invocation on one entity, and the tools for it.

use gazelle_client::Gazelle;
use model::entity::Entity;
use object_store::ObjectStore;
use protocol::request::Mode;
use tokio::time::Instant;

use crate::state::Checkpoint;

/// Work of one invocation on one entity.
#[derive(Debug, Clone)]
pub struct Job {
    /// Entity whose records are fetched.
    pub entity: &'static Entity,
    /// Mode of the run: the records that it fetches.
    pub mode: Mode,
    /// Id of the request: a request that is delivered twice runs once.
    pub request_id: String,
    /// Days that an incremental run reaches behind its watermark, unless the request says otherwise.
    pub lookback_days: u32,
    /// Attempts at a run whose source changes while it is listed.
    pub attempts_max: u32,
    /// Name of this invocation in leases; no other invocation has the same.
    pub holder: String,
    /// Time after which no further page begins.
    pub deadline: Instant,
}

/// Tools of a run: the source, and the stores of its results.
#[derive(Debug)]
pub struct RunContext<'a, S> {
    /// Client of Gazelle's API, the source of the records.
    pub api: &'a Gazelle,
    /// Store of raw pages and manifests.
    pub sink: &'a S,
    /// Store of the state that invocations share.
    pub states: &'a ObjectStore,
}

impl<S> Clone for RunContext<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for RunContext<'_, S> {}

/// Callback after each page, to show the progress of the run.
pub type OnPage<'a> = &'a (dyn Fn(&Checkpoint) + Sync);
