//! Copies Gazelle's answers to S3, byte for byte. Has never heard of a database.

pub mod config;
pub mod fetch;
mod fetch_error;
pub mod handler;
mod known_pages;
pub mod raw_sink;
pub mod report;
mod run;
pub mod state;
mod tally;

use model::entity::Entity;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The digest of the entity's query, as envelopes show it; of the question by id for a nested entity.
fn query_sha256(entity: &Entity) -> String {
    let document = entity.query().map(model::entity::Query::document).or_else(|| entity.by_id_document(1));
    hexadecimal(&Sha256::digest(document.unwrap_or_default()))
}
