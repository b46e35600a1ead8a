//! Small JSON objects that invocations share, with conditional writes: in S3, or in memory.
//!
//! Every write of a state is conditional on the version that was read. Of two writers that race, one wins and the
//! other gets [`StateError::Conflict`]. This is the fence behind leases, checkpoints, the shared rate limiter, the
//! OAuth tokens and the store of alerts. An object that is no state is written as it is ([`ObjectStore::write`]).

mod error;
mod jitter;
mod memory;
mod put;
mod s3;
mod store;

pub use error::{MalformedState, StateError};
pub use jitter::jitter;
pub use memory::MemoryObjectStore;
pub use put::{PutRefusal, put_decided, put_refusal};
pub use s3::S3ObjectStore;
pub use store::{Object, ObjectStore, SCHEMA_VERSION};
