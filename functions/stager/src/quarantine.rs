//! Quarantine of objects and messages that cannot be staged: kept for a person, while the others go on.

use std::fmt::Write as _;

use db::Db;
use db::staging::Quarantined;
use model::entity::Entity;
use protocol::message::Message;
use protocol::raw_page::Metadata;
use sha2::{Digest, Sha256};
use tracing::warn;

/// Quarantines an object, which stays in the bucket. With the metadata of a `page`, its run does not wait for it.
pub(crate) async fn quarantine_object(
    db: &Db,
    key: &str,
    entity: Option<&str>,
    reason: &str,
    page: Option<(&'static Entity, &Metadata)>,
) -> Result<(), db::Error> {
    warn!(key, "Quarantined the object {key}: {reason}");
    let item = Quarantined { source_key: key, kind: "object", entity, reason, bytes: None, page };
    db::staging::quarantine(db, &item).await
}

/// Quarantines a message with its body, under the digest of the body.
pub(crate) async fn quarantine_message(db: &Db, message: &Message, reason: &str) -> Result<(), db::Error> {
    warn!(message.id, "Quarantined the message {}: {reason}", message.id);
    let digest = body_digest(&message.body);
    let item = Quarantined {
        source_key: &digest,
        kind: "message",
        entity: None,
        reason,
        bytes: Some(message.body.as_bytes()),
        page: None,
    };
    db::staging::quarantine(db, &item).await
}

fn body_digest(body: &str) -> String {
    Sha256::digest(body).iter().fold("message/".to_owned(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
