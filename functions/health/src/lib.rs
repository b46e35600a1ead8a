//! Says whether the mirror is fresh and whether it fails.

pub mod config;
pub mod handler;
pub mod report;
