//! Fetcher: copies Gazelle's responses to S3, byte for byte. Knows no database.

pub mod config;
mod digest;
mod distinct_ids;
pub mod error;
pub mod fetch;
pub mod handler;
pub mod job;
mod lane_claim;
mod page_digests;
pub mod raw_sink;
pub mod report;
mod request_queue;
mod run;
pub mod state;
