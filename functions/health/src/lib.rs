//! Says whether the mirror is fresh and whether it fails, to programs and to people.

pub mod access;
pub mod answer;
pub mod backlog;
pub mod config;
pub mod handler;
pub mod metrics;
pub mod page;
pub mod status;
