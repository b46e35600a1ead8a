//! Definition of a model: the properties of one more simulated entity.

use std::fmt;

use super::{pool::ReferencePool, reference::Reference};
use crate::{
    column::{ChildTable, Column},
    config::SimConfig,
    dataset::Dataset,
    entity::ModelId,
    record::Record,
    rng::SeededRng,
};

/// Definition of one simulated entity.
pub(crate) struct Model {
    pub(crate) id: ModelId,
    /// Root field that lists the records.
    pub(crate) listing: &'static str,
    /// Root field that returns one record, and the argument that takes its id.
    pub(crate) lookup: (&'static str, &'static str),
    /// Date field by which the listing is sorted, oldest first.
    pub(crate) date_field: &'static str,
    /// Name of the date field in sort orders: `CREATED_AT` in `CREATED_AT_ASC`.
    pub(crate) sort_key: &'static str,
    /// Number of slots in the listing.
    pub(crate) count: fn(&SimConfig) -> usize,
    /// Generates a record of the initial data.
    pub(crate) populate: fn(&mut SeededRng, &ReferencePool) -> Option<Record>,
    /// Replaces fields of some records with oddities.
    pub(crate) add_oddities: fn(&mut SeededRng, &mut [Record], &Dataset),
    /// Generates a record that is created at the current time.
    pub(crate) create: fn(&mut SeededRng, &ReferencePool) -> Option<Record>,
    /// Range of days from the current time in which records may be edited; `None` means all.
    pub(crate) editable_days: Option<(i64, i64)>,
    /// Edits a visible field and never clears a text; the caller sets `updatedAt`.
    pub(crate) edit: fn(&mut SeededRng, &mut Record, &ReferencePool),
    /// Supported filters of the listing, by name.
    pub(crate) filters: &'static [(&'static str, Filter)],
    /// References to records of other entities.
    pub(crate) references: &'static [Reference],
    /// Columns of the mirror table.
    pub(crate) columns: &'static [Column],
    /// Tables that the mirror keeps for lists inside a record.
    pub(crate) child_tables: &'static [ChildTable],
}

/// Comparison that a filter makes.
pub(crate) enum Filter {
    /// Matches if the text at the path is one of the requested ones.
    OneOf(&'static [&'static str]),
    /// Matches if the Boolean equals the requested one; null counts as false.
    Bool(&'static str),
    /// Matches if the local day of the timestamp is the requested one or later.
    DayGet(&'static str),
    /// Matches if the local day of the timestamp is the requested one or earlier.
    DayLet(&'static str),
    /// Matches if an element of the list (first field) has one of the requested texts in the second field.
    AnyOf(&'static str, &'static str),
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.id.0)
    }
}
