//! What a person was asked, and is asked no more.

use shared::entity::Entity;

use crate::connect::Tx;

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
