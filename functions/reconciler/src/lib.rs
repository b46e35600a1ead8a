//! Promotes staged records to the production tables.
//!
//! An entity with an error never holds up another: the rest of its records waits in staging, unchanged.

mod batch_log;
pub mod classify;
pub mod completeness;
pub mod config;
pub mod deletion;
mod drift;
mod error;
pub mod handler;
pub mod reconcile;
pub mod task;

pub use error::ReconcilerError;
