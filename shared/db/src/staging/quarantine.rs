//! What no staging table can take as a whole: a message or an object that cannot be read.

use model::entity::Entity;
use protocol::raw_page::Metadata;

use crate::pool::Db;
use crate::runs;

/// Something that is kept aside.
#[derive(Debug)]
pub struct Quarantined<'a> {
    /// The object's key, or the message's digest.
    pub source_key: &'a str,
    /// `object` or `message`.
    pub kind: &'static str,
    /// The entity, if it is known.
    pub entity: Option<&'a str>,
    /// Why.
    pub reason: &'a str,
    /// A message's body; an object stays in S3.
    pub bytes: Option<&'a [u8]>,
    /// The page that the object should have been, where that much can be read: its run waits for it.
    pub page: Option<(&'static Entity, &'a Metadata)>,
}

/// Keeps it aside, once, and asks a person to look.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn quarantine(db: &Db, item: &Quarantined<'_>) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.query(
        r"
        with kept as (
            insert into quarantine as q (source_key, kind, entity, reason, bytes)
            values ($1, $2, $3, $4, $5)
            on conflict (source_key) do update set
                times_seen = q.times_seen + 1, resolved_at = null, reason = excluded.reason
            returning source_key, coalesce(entity, '') as entity, reason
        )
        insert into admin_actions (kind, entity, subject, details)
        select 'quarantined', entity, source_key, jsonb_build_object('reason', reason) from kept
        on conflict (kind, entity, subject) where resolved_at is null do nothing
        ",
    )
    .bind(item.source_key)
    .bind(item.kind)
    .bind(item.entity)
    .bind(item.reason)
    .bind(item.bytes)
    .execute(tx.connection())
    .await?;
    if let Some((entity, metadata)) = item.page {
        runs::add_quarantined(&mut tx, entity, item.source_key, metadata).await?;
    }
    tx.commit().await
}
