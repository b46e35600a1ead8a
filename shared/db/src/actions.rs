//! What a person was asked, and is asked no more.

use model::entity::Entity;
use uuid::Uuid;

use crate::pool::{Db, Tx};

/// Closes open actions of a kind about these subjects: the reconciler found the answer itself.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn close(
    tx: &mut Tx,
    kind: &'static str,
    entity: &Entity,
    subjects: &[String],
) -> Result<(), sqlx::Error> {
    tx.query(
        r"
        update admin_actions set resolved_at = now(), resolved_by = 'reconciler'
        where kind = $1 and entity = $2 and subject = any($3) and resolved_at is null
        ",
    )
    .bind(kind)
    .bind(entity.name)
    .bind(subjects)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Closes an open action in a person's name; answers whether it was open.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn resolve_action(db: &Db, id: Uuid, person: &str) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let resolved = tx
        .query("update admin_actions set resolved_at = now(), resolved_by = $2 where id = $1 and resolved_at is null")
        .bind(id)
        .bind(person)
        .execute(tx.connection())
        .await?;
    tx.commit().await?;
    Ok(resolved.rows_affected() > 0)
}
