//! Tells an administrator what goes wrong, once, and when it is over.
//!
//! What is open and what is not told yet stands in one object of the bucket: an alert needs no database.

pub mod book;
pub mod channel;
pub mod config;
pub mod event;
pub mod handler;
pub mod report;
pub mod sight;
mod telling;
pub mod words;
