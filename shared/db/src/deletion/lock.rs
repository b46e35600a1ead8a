//! Locks of an entity, taken before its missing records are listed or marked.

use model::entity::{self, Entity, Source};

use crate::error::Error;
use crate::pool::Tx;

/// Keeps the reconcilers and the stagers of the entity out until the transaction ends: a record that they bring back
/// meanwhile would be marked as deleted all the same.
pub(super) async fn lock(tx: &mut Tx, entity: &'static Entity) -> Result<(), Error> {
    tx.lock_entity("reconcile", entity.table).await?;
    tx.lock_entity("stage", listed_with(entity).staging_table).await
}

/// Returns the entity in whose pages the records of this one arrive: its parent for a nested one, else itself.
pub(super) fn listed_with(entity: &'static Entity) -> &'static Entity {
    match entity.source {
        Source::Nested { parent, .. } => entity::find(parent).unwrap_or(entity),
        Source::Query(_) => entity,
    }
}
