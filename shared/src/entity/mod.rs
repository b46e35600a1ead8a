//! The registry: what is mirrored. An entity is data; the engines that move it never name one.

mod client;
mod measurement;
mod piano;
mod timeline_entry;
mod user;

use crate::matching::Matching;
use crate::row::{Column, Record, Rejection, Row};
use crate::rule::{Draft, Rule};

/// Every entity, parents before children, so that a first sync needs few placeholders.
pub static ALL: [&Entity; 5] =
    [&user::USER, &client::CLIENT, &piano::PIANO, &timeline_entry::TIMELINE_ENTRY, &measurement::MEASUREMENT];

/// One kind of record: where it comes from, what its columns are, where it goes.
#[derive(Debug)]
pub struct Entity {
    /// The name in requests, keys, health and `sync_status`: `timeline`.
    pub name: &'static str,
    /// What people call it.
    pub title: Title,
    /// The production table: `timeline_entries`.
    pub table: &'static str,
    /// The staging table: `stg_timeline_entries`.
    pub staging_table: &'static str,
    /// Where its records come from.
    pub source: Source,
    /// Every column of the production table that the source fills, the id left out.
    pub columns: &'static [Column],
    /// The column by whose month the production table is partitioned, if it is.
    pub partitioned_by: Option<&'static str>,
    /// What is refused, repaired and derived on the way from a record to its row, in that order.
    pub rules: &'static [Rule],
    /// What a row made up for an unknown id says; `{id}` stands for that id. Empty: never made up.
    pub placeholder: &'static [(&'static str, &'static str)],
    /// What it means that a complete listing does not hold a record any more.
    pub absence: Absence,
    /// How a record that came under two ids is recognised, if that happens.
    pub twins: Option<Twins>,
    /// How a record is recognised without its id, if it can be.
    pub matching: Option<Matching>,
}

/// What people call an entity.
#[derive(Debug, Clone, Copy)]
pub struct Title {
    /// In French.
    pub french: &'static str,
    /// In English.
    pub english: &'static str,
}

/// How a record that came under two ids is recognised: once from the source, once from elsewhere.
#[derive(Debug)]
pub struct Twins {
    /// What the source's own ids begin with.
    pub prefix: &'static str,
    /// The references in which both agree.
    pub about: &'static [&'static str],
    /// The day on which both lie.
    pub day: &'static str,
    /// The texts in which both agree, but for spaces and case.
    pub texts: &'static [&'static str],
}

/// What it means that a complete listing does not hold a record any more. The source never says that it
/// deleted something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Nothing: the record stays.
    MeansNothing,
    /// Missing from two complete listings in a row, the record is taken for deleted.
    ShownTwice,
    /// Missing from one, it is asked for by its id; not found, it is taken for deleted.
    AskedFor {
        /// The field of the query root that answers one record by its `id`.
        root: &'static str,
    },
}

/// Where an entity's records come from.
#[derive(Debug)]
pub enum Source {
    /// A query of its own, page by page or in one answer.
    Query(Query),
    /// A list inside each record of another entity.
    Nested {
        /// The entity whose records carry the list.
        parent: &'static str,
        /// The field of the parent that holds it.
        field: &'static str,
    },
}

/// A GraphQL query and how to walk its answer.
#[derive(Debug)]
pub struct Query {
    /// The field of `data` that holds the records.
    pub root: &'static str,
    /// The selection on one record.
    pub selection: &'static str,
    /// A Relay connection or a plain list.
    pub shape: Shape,
}

/// How a query answers.
#[derive(Debug)]
pub enum Shape {
    /// Everything at once: `[record]`.
    List,
    /// Page by page: `{nodes, pageInfo, totalCount}`.
    Connection {
        /// Arguments that never change, such as a stable order.
        arguments: &'static str,
        /// How the listing can be narrowed by time, if it can.
        window: Option<TimeFilter>,
    },
}

/// The one filter by time that a connection offers.
#[derive(Debug)]
pub struct TimeFilter {
    /// The argument, greater or equal; there is no upper bound at the source.
    pub argument: &'static str,
    /// The field of a record that it compares.
    pub field: &'static str,
}

impl Entity {
    /// Turns one record into one row. Pure.
    ///
    /// # Errors
    /// The record can never be a row; says why.
    pub fn transform(&self, record: Record<'_>) -> Result<Row, Rejection> {
        Draft::run(record, self.columns, self.rules)
    }

    /// The query, for an entity that has one of its own.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match &self.source {
            Source::Query(query) => Some(query),
            Source::Nested { .. } => None,
        }
    }

    /// The entities whose records lie inside this one's, each with the field that holds them.
    pub fn children(&self) -> impl Iterator<Item = (&'static Entity, &'static str)> {
        ALL.into_iter().filter_map(|child| match child.source {
            Source::Nested { parent, field } if parent == self.name => Some((child, field)),
            _ => None,
        })
    }

    /// The time filter, for an entity that can be fetched by window.
    #[must_use]
    pub fn time_filter(&self) -> Option<&TimeFilter> {
        match &self.query()?.shape {
            Shape::Connection { window, .. } => window.as_ref(),
            Shape::List => None,
        }
    }
}

impl Entity {
    /// The document that asks for so many records by id, in one request: `r0: client(id: $id0) { … }, …`.
    /// None where the source offers no such field.
    #[must_use]
    pub fn by_id_document(&self, count: usize) -> Option<String> {
        let Absence::AskedFor { root } = self.absence else { return None };
        // Of a nested record only whether it is there: its content comes with its parent.
        let selection = self.query().map_or("id", |query| query.selection);
        let variables: Vec<String> = (0..count).map(|place| format!("$id{place}: String!")).collect();
        let fields: String =
            (0..count).map(|place| format!(" r{place}: {root}(id: $id{place}) {{ {selection} }}")).collect();
        Some(format!("query {root}ById({}) {{{fields} }}", variables.join(", ")))
    }
}

impl Query {
    /// The document sent for one page. Variables: `$first`, `$after` and, with a window, `$since`.
    #[must_use]
    pub fn document(&self) -> String {
        let Self { root, selection, shape } = self;
        match shape {
            Shape::List => format!("query {root} {{ {root} {{ {selection} }} }}"),
            Shape::Connection { arguments, window } => {
                let (variable, argument) = window.as_ref().map_or_else(Default::default, |window| {
                    (", $since: CoreDateTime", format!(", {}: $since", window.argument))
                });
                format!(
                    "query {root}($first: Int!, $after: String{variable}) {{ \
                     {root}(first: $first, after: $after{argument}{arguments}) {{ \
                     totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {selection} }} }} }}"
                )
            }
        }
    }
}

/// The entity of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entity> {
    ALL.into_iter().find(|entity| entity.name == name)
}

/// The entities that are fetched by a query of their own.
pub fn fetched() -> impl Iterator<Item = &'static Entity> {
    ALL.into_iter().filter(|entity| entity.query().is_some())
}

/// The names of those entities, for messages: `users, clients, …`.
#[must_use]
pub fn fetched_names() -> String {
    fetched().map(|entity| entity.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_tables_are_unique_and_fit_into_an_sql_identifier() {
        let mut seen = BTreeSet::new();
        for entity in ALL {
            for name in [entity.name, entity.table, entity.staging_table] {
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
                assert!(name.len() <= 40, "{name}");
            }
            assert_eq!(entity.staging_table, format!("stg_{}", entity.table));
            assert!(seen.insert(entity.table), "{} twice", entity.table);
        }
    }

    #[test]
    fn a_parent_stands_before_the_children_that_refer_to_it() {
        for (place, entity) in ALL.into_iter().enumerate() {
            for target in entity.columns.iter().filter_map(|column| column.references) {
                let parent = ALL.into_iter().position(|other| other.name == target);
                assert!(parent.is_some_and(|parent| parent < place), "{} → {target}", entity.name);
                assert!(
                    find(target).is_some_and(|parent| !parent.placeholder.is_empty()),
                    "{target} is referred to and has no placeholder"
                );
            }
        }
    }

    #[test]
    fn every_column_that_a_table_speaks_of_exists() {
        for entity in ALL {
            let names: BTreeSet<_> = entity.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), entity.columns.len(), "{}: a column twice", entity.name);
            for (column, _) in entity.placeholder {
                assert!(names.contains(column), "{}: placeholder of {column}", entity.name);
            }
            if let Some(column) = entity.partitioned_by {
                assert!(names.contains(column), "{}: partitioned by {column}", entity.name);
            }
        }
    }

    #[test]
    fn records_are_asked_for_by_id_many_at_once_and_a_nested_one_by_its_id_alone() {
        let document = find("measurements").and_then(|entity| entity.by_id_document(2));
        let expected = "query pianoMeasurementById($id0: String!, $id1: String!) { \
                        r0: pianoMeasurement(id: $id0) { id } r1: pianoMeasurement(id: $id1) { id } }";
        assert_eq!(document.as_deref(), Some(expected));
        assert_eq!(find("timeline").and_then(|entity| entity.by_id_document(1)), None);
    }

    #[test]
    fn a_document_is_one_query_and_asks_for_the_id() {
        for query in fetched().filter_map(Entity::query) {
            let document = query.document();
            assert!(document.starts_with("query "), "{document}");
            assert!(query.selection.trim_start().starts_with("id "), "{document}");
        }
    }
}
