//! Work of one invocation on one entity, and the tools for it.

use gazelle_client::Gazelle;
use model::entity::Entity;
use object_store::ObjectStore;
use protocol::request::Mode;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use crate::report::RunReport;
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
    /// Name of this job in leases; no other job has the same, not even one of the same invocation.
    pub holder: String,
    /// Time after which no further page begins.
    pub deadline: Instant,
}

/// Returns the name of a job in leases. Each message of a batch has a job of its own: by the name of their invocation
/// they would take each other's lease for theirs.
pub(crate) fn holder_of(request_id: &str) -> String {
    format!("{request_id}-{:08x}", rand::random::<u32>())
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
    /// Receiver of each report as soon as its run ends; none if they are wanted at the end of the job alone.
    pub reports: Option<&'a UnboundedSender<RunReport>>,
}

impl<S> Clone for RunContext<'_, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S> Copy for RunContext<'_, S> {}

/// Callback after each page, to show the progress of the run.
pub type OnPage<'a> = &'a (dyn Fn(&Checkpoint) + Sync);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_jobs_have_the_same_holder() {
        assert_ne!(holder_of("request"), holder_of("request"));
        assert!(holder_of("request").starts_with("request-"));
    }
}
