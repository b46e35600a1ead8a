//! Tables of V5, as the importer describes them: their names come from the registry of the importer as `&'static str`.

use model::entity::Entity;

/// Column by which V5 knows a record's id at the source.
pub const KEY: &str = "external_id";

/// Table of V5, and the entity whose records it holds.
#[derive(Debug)]
pub struct V5Table {
    /// Name of the table.
    pub name: &'static str,
    /// Entity whose records it holds.
    pub entity: &'static Entity,
    /// Columns of the entity, and the V5 columns that fill them, best first. A V5 column of the same name comes last
    /// without being listed.
    pub fills: &'static [(&'static str, &'static [&'static str])],
    /// Table whose rows belong to the rows of this one, if there is one.
    pub nested: Option<V5NestedList>,
}

/// Table of V5 whose rows belong to the rows of another.
#[derive(Debug, Clone, Copy)]
pub struct V5NestedList {
    /// Name of the table.
    pub name: &'static str,
    /// Columns that name the owning row, best first.
    pub owners: &'static [&'static str],
    /// Boolean columns that are true for the element that comes first.
    pub first: &'static [&'static str],
}

impl V5Table {
    /// Returns the V5 columns that can fill a column of the entity, best first.
    pub fn sources(&self, column: &'static str) -> impl Iterator<Item = &'static str> {
        let listed = self.fills.iter().find(|(name, _)| *name == column).map_or(&[][..], |(_, v5)| v5);
        listed.iter().copied().chain(std::iter::once(column))
    }
}
