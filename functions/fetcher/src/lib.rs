//! Copies Gazelle's answers to S3, byte for byte. Has never heard of a database.

pub mod config;
pub mod fetch;
mod fetch_error;
pub mod gazelle;
pub mod handler;
pub mod raw_sink;
pub mod report;
pub mod state;
