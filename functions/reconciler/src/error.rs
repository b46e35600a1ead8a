//! Error of the reconciler: one variant per operation.

use lambda::QueueError;

/// Error of an operation of the reconciler. The text never repeats the source: print the whole chain.
#[derive(Debug, thiserror::Error)]
pub enum ReconcilerError {
    /// A batch was rolled back: its records wait in staging, unchanged.
    #[error("could not promote staged records of {entity}")]
    Promote {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// Changed rows were not compared with the others of their table; the next reconcile request continues.
    #[error("could not compare changed rows of {entity} with the others")]
    Match {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// Findings for people were not reported; the next reconcile request reports them.
    #[error("could not report what is to be looked at of {entity}")]
    Report {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// The full runs whose records are to be counted could not be read.
    #[error("could not find the full runs to count")]
    FindFullRuns(#[source] db::Error),
    /// The records of a full run were not counted.
    #[error("could not count the records of a full run")]
    CountFullRun(#[source] db::Error),
    /// The entities with missing records could not be read.
    #[error("could not find the entities with missing records")]
    FindMissing(#[source] db::Error),
    /// A complete listing was not compared with production.
    #[error("could not compare a complete listing of {entity} with production")]
    ConcludeSweep {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// The lookups that missing records need could not be read or noted.
    #[error("could not prepare the lookups of missing records of {entity}")]
    PrepareLookup {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// The fetcher's queue did not accept a lookup.
    #[error("could not send a lookup to the fetcher")]
    SendLookup(#[source] QueueError),
    /// Records that are gone at the source were not marked as deleted.
    #[error("could not mark missing records of {entity} as deleted")]
    DeleteMissing {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// Failed records were not put back into the waiting ones.
    #[error("could not queue failed records of {entity} for another attempt")]
    RetryFailed {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// The records wait in staging, but nobody is told: the next reconcile request promotes them.
    #[error("could not request the reconciliation of {entity}")]
    RequestReconcile {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the queue.
        source: QueueError,
    },
}

impl ReconcilerError {
    /// Returns whether the database refused the data of a statement, as opposed to being in trouble.
    #[must_use]
    pub fn is_data_error(&self) -> bool {
        match self {
            Self::Promote { source, .. }
            | Self::Match { source, .. }
            | Self::Report { source, .. }
            | Self::ConcludeSweep { source, .. }
            | Self::PrepareLookup { source, .. }
            | Self::DeleteMissing { source, .. }
            | Self::RetryFailed { source, .. }
            | Self::FindFullRuns(source)
            | Self::CountFullRun(source)
            | Self::FindMissing(source) => db::is_data_error(source),
            Self::SendLookup(_) | Self::RequestReconcile { .. } => false,
        }
    }
}
