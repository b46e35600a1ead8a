//! Error of the stager: one variant per operation.

use std::error::Error;
use std::io;
use std::sync::Arc;

use lambda::QueueError;

/// Error of the store that holds the raw pages: that of the AWS SDK, or of another implementation.
type StoreError = Box<dyn Error + Send + Sync>;

/// Error of an operation of the stager. The text never repeats the source: print the whole chain.
#[derive(Debug, thiserror::Error)]
pub enum StagerError {
    /// An object could not be read; it is staged when its message comes again.
    #[error("could not read the object {key}")]
    ReadObject {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: StoreError,
    },
    /// The keys under a prefix could not be listed.
    #[error("could not list the objects under {prefix}")]
    ListObjects {
        /// Prefix of the keys.
        prefix: String,
        /// Error of the store.
        source: StoreError,
    },
    /// An object could not be written.
    #[error("could not write the object {key}")]
    WriteObject {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: StoreError,
    },
    /// The database did not accept an object; it is staged when its message comes again.
    #[error("could not stage the object {key}")]
    StageObject {
        /// Key of the object.
        key: String,
        /// Error of the database, which all objects of a transaction share.
        source: Arc<db::Error>,
    },
    /// A statement of a task failed. The same task continues from there when it is requested again.
    #[error("could not {operation}")]
    Database {
        /// Operation of the task, as a verb and its object.
        operation: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// Rows could not be compressed for the archive.
    #[error("could not compress the archive object {key}")]
    Compress {
        /// Key of the object.
        key: String,
        /// Error of the zstd encoder.
        source: io::Error,
    },
    /// An object of the archive could not be decompressed.
    #[error("could not decompress the archive object {key}")]
    Decompress {
        /// Key of the object.
        key: String,
        /// Error of the zstd decoder.
        source: io::Error,
    },
    /// An object of the archive was listed and no longer exists.
    #[error("the archive object {key} does not exist any more")]
    ArchiveMissing {
        /// Key of the object.
        key: String,
    },
    /// An object of the archive differs from the rows that were written to it.
    #[error("the archive object {key} reads back differently than written; no row was deleted")]
    ArchiveMismatch {
        /// Key of the object.
        key: String,
    },
    /// The stager's queue did not accept an announcement.
    #[error("could not announce objects to the stager's queue")]
    Announce(#[source] QueueError),
}

impl StagerError {
    /// Returns whether the database is in trouble. A refusal of the data in an object is none.
    #[must_use]
    pub fn is_database_failure(&self) -> bool {
        matches!(self, Self::StageObject { source, .. } if !db::is_data_error(source))
    }

    /// Returns whether the database could not be reached, as opposed to a statement that it refused.
    #[must_use]
    pub fn is_database_unreachable(&self) -> bool {
        match self {
            Self::StageObject { source, .. } => db::is_out_of_reach(source),
            Self::Database { source, .. } => db::is_out_of_reach(source),
            _ => false,
        }
    }
}
