//! Tables that a mirror keeps.

mod columns;

use std::{collections::HashMap, sync::Arc};

use serde_json::{Map, Value as Json};

use self::columns::{CLIENTS, MEASUREMENTS, PIANOS, TIMELINE, USERS};
use crate::{
    column::{self, ChildTable, Column},
    dataset::Dataset,
    entity::Entity,
    model::{self, definition::Model},
    record::Record,
};

/// Table that a mirror keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorTable {
    Users,
    Clients,
    Pianos,
    Timeline,
    Measurements,
    /// Table of a model.
    Modelled(&'static Model),
}

/// Name that is not the name of a mirror table.
#[derive(Debug, thiserror::Error)]
#[error("unknown entity {0:?}; expected one of {names}", names = table_names())]
pub(crate) struct UnknownEntity(String);

impl MirrorTable {
    /// Returns all tables, those of the models last.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Self::Users, Self::Clients, Self::Pianos, Self::Timeline, Self::Measurements]
            .into_iter()
            .chain(Self::modelled())
    }

    /// Returns the tables of the models.
    pub(crate) fn modelled() -> impl Iterator<Item = Self> {
        model::ALL.iter().copied().map(Self::Modelled)
    }

    /// Returns the name used in URLs and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Clients => "clients",
            Self::Pianos => "pianos",
            Self::Timeline => "timeline",
            Self::Measurements => "measurements",
            Self::Modelled(model) => model.id.0,
        }
    }

    /// Finds a table by its name.
    pub(crate) fn from_name(name: &str) -> Result<Self, UnknownEntity> {
        Self::all().find(|table| table.name() == name).ok_or_else(|| UnknownEntity(name.to_owned()))
    }

    /// Returns the entity of the table; measurements have none because they are nested in pianos.
    pub(crate) fn entity(self) -> Option<Entity> {
        match self {
            Self::Users => Some(Entity::User),
            Self::Clients => Some(Entity::Client),
            Self::Pianos => Some(Entity::Piano),
            Self::Timeline => Some(Entity::TimelineEntry),
            Self::Measurements => None,
            Self::Modelled(model) => Some(Entity::Modelled(model.id)),
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Users => USERS,
            Self::Clients => CLIENTS,
            Self::Pianos => PIANOS,
            Self::Timeline => TIMELINE,
            Self::Measurements => MEASUREMENTS,
            Self::Modelled(model) => model.columns,
        }
    }

    /// Builds the row of a record.
    pub(crate) fn row(self, record: &Record) -> Map<String, Json> {
        column::row(self.columns(), record, None)
    }

    /// Returns the tables of the lists inside the records.
    pub(crate) fn child_tables(self) -> &'static [ChildTable] {
        match self {
            Self::Modelled(model) => model.child_tables,
            _ => &[],
        }
    }

    /// Compares the rows of two records, including the rows of their child tables.
    pub(crate) fn has_equal_rows(self, one: &Record, other: &Record) -> bool {
        self.row(one) == self.row(other)
            && self.child_tables().iter().all(|child| child.rows(one) == child.rows(other))
    }

    /// Returns the records that become rows, by id.
    pub(crate) fn records(self, dataset: &Dataset) -> HashMap<Arc<str>, Arc<Record>> {
        let with_id = |record: &Arc<Record>| record.id().map(|id| (Arc::clone(id), Arc::clone(record)));
        match self.entity() {
            Some(entity) => dataset.table(entity).records().filter_map(with_id).collect(),
            None => dataset.measurements().filter_map(|(_, measurement)| with_id(measurement)).collect(),
        }
    }
}

fn table_names() -> String {
    MirrorTable::all().map(MirrorTable::name).collect::<Vec<_>>().join(", ")
}
