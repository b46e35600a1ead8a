//! Promotes staged records to the production tables. Cannot fail as a whole.

pub mod config;
pub mod deletion;
pub mod handler;
pub mod reconcile;
pub mod task;
pub mod verdict;
