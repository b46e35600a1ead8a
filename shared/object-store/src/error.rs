//! Error of the object store.

use std::error::Error;

/// Error of reading or writing an object.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store did not return the object. This does not mean that there is none.
    #[error("could not read {key}")]
    Read {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store did not accept the object.
    #[error("could not write {key}")]
    Write {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The store did not list its objects.
    #[error("could not list the objects below {prefix}")]
    List {
        /// Prefix of the objects' keys.
        prefix: String,
        /// Error of the store.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The state could not be encoded as JSON.
    #[error("could not encode {key} as JSON")]
    Encode {
        /// Key of the object.
        key: String,
        /// Error of the encoder.
        source: serde_json::Error,
    },
    /// The object does not hold a state of the expected shape. It is never mistaken for a missing one.
    #[error(
        "{key} cannot be read. Restore an older version of the object, or delete it: then everything is fetched once \
         more, and nothing is lost"
    )]
    Malformed {
        /// Key of the object.
        key: String,
        /// Defect of the object.
        source: MalformedState,
    },
    /// Another invocation has written the object since it was read; nothing was written.
    #[error("another invocation has written {key} in the meantime")]
    Conflict {
        /// Key of the object.
        key: String,
    },
}

/// Defect of an object that cannot be read as a state.
#[derive(Debug, thiserror::Error)]
pub enum MalformedState {
    /// The object is no JSON of the expected shape.
    #[error("invalid JSON")]
    Json(#[from] serde_json::Error),
    /// The object was written by another version of this project.
    #[error("unsupported schema_version {found}; expected {expected}")]
    SchemaVersion {
        /// Version in the object.
        found: u32,
        /// Version that can be read.
        expected: u32,
    },
}
