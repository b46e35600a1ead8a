//! Statements assembled from the entity registry: pure functions from an entity to SQL.
//!
//! Only names of the registry, which are `&'static str`, become identifiers.

pub(crate) mod archive;
pub(crate) mod child_tables;
pub(crate) mod promotion;
pub(crate) mod staging;

use model::entity::Entity;

/// Returns every assembled statement of this module for an entity, each with its name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    [
        promotion::assembled(entity),
        child_tables::assembled(entity),
        staging::assembled(entity),
        archive::assembled(entity),
    ]
    .concat()
}
