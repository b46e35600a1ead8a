//! Reading of secrets, without the store behind it: the database crate takes its address by this trait.

use std::fmt::Debug;
use std::pin::Pin;

use serde_json::{Map, Value};

/// Fields of a secret as they are read, later.
pub type ReadFields<'a> = Pin<Box<dyn Future<Output = Result<Map<String, Value>, SecretError>> + Send + 'a>>;

/// Store from which a secret is read by its name.
pub trait ReadSecret: Debug + Send + Sync {
    /// Reads the fields of a secret; `accepted` stands in the error where it is malformed.
    fn read_fields<'a>(&'a self, id: &'a str, accepted: &'static str) -> ReadFields<'a>;
}

/// Why a secret cannot be used. Never shows its value.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The store did not answer. This is not «no secret».
    #[error("Could not read the secret {id}: {reason}")]
    Read {
        /// The secret's name.
        id: String,
        /// What the store said.
        reason: String,
    },
    /// The store did not take it.
    #[error("Could not store the secret {id}: {reason}")]
    Write {
        /// The secret's name.
        id: String,
        /// What the store said.
        reason: String,
    },
    /// It is no JSON object.
    #[error("The secret {id} is no JSON object; accepted: {accepted}")]
    Shape {
        /// The secret's name.
        id: String,
        /// What would be right.
        accepted: &'static str,
    },
    /// A field is missing.
    #[error("The secret {id} has no text `{field}`; accepted: {accepted}")]
    Field {
        /// The secret's name.
        id: String,
        /// The field.
        field: &'static str,
        /// What would be right.
        accepted: &'static str,
    },
}
