//! Interface for the reading of secrets, by which the database crate gets its address without knowing the store.

use std::fmt::Debug;
use std::pin::Pin;

use serde_json::{Map, Value};

/// Future that resolves to the fields of a secret.
pub type ReadFields<'a> = Pin<Box<dyn Future<Output = Result<Map<String, Value>, SecretError>> + Send + 'a>>;

/// Store from which secrets are read by name.
pub trait ReadSecret: Debug + Send + Sync {
    /// Reads the fields of a secret; `accepted` is part of the error where the secret is malformed.
    fn read_fields<'a>(&'a self, id: &'a str, accepted: &'static str) -> ReadFields<'a>;
}

/// Error for a secret that cannot be used. Never contains its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The store has no such secret.
    #[error("the secret {id} does not exist")]
    Missing {
        /// Name of the secret.
        id: String,
    },
    /// The store did not respond, or refused.
    #[error("could not read the secret {id}: {reason}")]
    Read {
        /// Name of the secret.
        id: String,
        /// Text of the store's error.
        reason: String,
    },
    /// The store refused the new value.
    #[error("could not store the secret {id}: {reason}")]
    Write {
        /// Name of the secret.
        id: String,
        /// Text of the store's error.
        reason: String,
    },
    /// The secret is not a JSON object.
    #[error("the secret {id} is not a JSON object; accepted: {accepted}")]
    Shape {
        /// Name of the secret.
        id: String,
        /// Description of a valid secret.
        accepted: &'static str,
    },
    /// A field is missing or not a text.
    #[error("the secret {id} has no text `{field}`; accepted: {accepted}")]
    Field {
        /// Name of the secret.
        id: String,
        /// Name of the field.
        field: &'static str,
        /// Description of a valid secret.
        accepted: &'static str,
    },
}
