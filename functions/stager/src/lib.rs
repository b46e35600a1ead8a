//! Loads raw pages from S3 into the staging tables. Accepts everything, never stops.

mod archive;
pub mod config;
pub mod handler;
pub mod raw_source;
pub mod stage;
pub mod task;
