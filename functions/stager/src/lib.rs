//! Loads raw pages from S3 into the staging tables.
//!
//! Accepts every object: one that cannot be staged is quarantined, and never holds up another.

mod announcer;
mod archive;
mod audit;
pub mod config;
mod error;
pub mod handler;
mod parsed_object;
mod progress;
mod quarantine;
pub mod raw_source;
mod replay;
pub mod stage;
pub mod task;
mod task_result;

pub use announcer::Announcer;
pub use error::StagerError;
pub use task_result::TaskResult;
