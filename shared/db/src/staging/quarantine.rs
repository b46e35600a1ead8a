//! Quarantine of messages and objects that cannot be read.

use model::entity::Entity;
use protocol::action::ActionKind;
use protocol::raw_page::Metadata;
use serde_json::json;
use sqlx::FromRow;

use crate::actions::{self, NewAction};
use crate::error::{During as _, Error};
use crate::pool::Db;
use crate::runs;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("quarantine", QUARANTINE)];

/// Message or object that is set aside.
#[derive(Debug)]
pub struct Quarantined<'a> {
    /// Key of the object, or digest of the message.
    pub source_key: &'a str,
    /// `object` or `message`.
    pub kind: &'static str,
    /// Name of the entity, if it is known.
    pub entity: Option<&'a str>,
    /// Reason why it cannot be read.
    pub reason: &'a str,
    /// Body of a message; none for an object, which stays in the bucket.
    pub bytes: Option<&'a [u8]>,
    /// Page that the object should have been, if that much can be read: its run waits for it.
    pub page: Option<(&'static Entity, &'a Metadata)>,
}

const QUARANTINE: &str = r"
    insert into quarantine as q (source_key, kind, entity, reason, bytes)
    values ($1, $2, $3, $4, $5)
    on conflict (source_key) do update set
        times_seen = q.times_seen + 1, resolved_at = null, reason = excluded.reason
    returning coalesce(entity, '') as entity, reason
    ";

/// Row of the quarantine, which may be older than the item set aside.
#[derive(FromRow)]
struct QuarantineRow {
    entity: String,
    reason: String,
}

/// Sets an item aside once, counts its further deliveries, and opens an action.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn quarantine(db: &Db, item: &Quarantined<'_>) -> Result<(), Error> {
    let source_key = storable(item.source_key);
    let mut tx = db.begin().await?;
    let row: QuarantineRow = tx
        .query_as(QUARANTINE)
        .bind(&source_key)
        .bind(item.kind)
        .bind(item.entity.map(storable))
        .bind(storable(item.reason))
        .bind(item.bytes)
        .fetch_one(tx.connection())
        .await
        .during("quarantine an item")?;
    let action = NewAction { subject: &source_key, details: json!({ "reason": row.reason }) };
    actions::open(&mut tx, ActionKind::Quarantined, &row.entity, &[action]).await?;
    if let Some((entity, metadata)) = item.page {
        runs::add_quarantined(&mut tx, entity, &source_key, metadata).await?;
    }
    tx.commit().await
}

/// Characters of a text about a quarantined item that are kept; an index takes 2,700 bytes.
const CHARACTERS_MAX: usize = 850;

/// Returns a text that the database accepts, whatever it holds: the item must not be held back by its own name.
fn storable(text: &str) -> String {
    text.chars()
        .map(|c| if c == '\0' { char::REPLACEMENT_CHARACTER } else { c })
        .take(CHARACTERS_MAX)
        .collect()
}
