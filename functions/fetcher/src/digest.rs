//! Digests in hexadecimal form, as raw pages and state objects show them.

use std::fmt::Write as _;

use model::entity::{Entity, Query};
use sha2::{Digest, Sha256};

/// Returns the bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Returns the SHA-256 of the entity's query, as raw pages show it; of its lookup document for a nested entity.
pub(crate) fn query_sha256(entity: &Entity) -> String {
    let document = entity.query().map(Query::document).or_else(|| entity.lookup_document(1));
    hexadecimal(&Sha256::digest(document.unwrap_or_default()))
}
