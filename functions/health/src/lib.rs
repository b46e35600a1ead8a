//! Health API: freshness, failures and open actions of the mirror, for programs and for people.

pub mod access;
pub mod backlog;
pub mod config;
pub mod handler;
mod indicator_metrics;
mod indicators;
pub mod metrics;
pub mod page;
pub mod response;
pub mod status;
pub mod verdict;
