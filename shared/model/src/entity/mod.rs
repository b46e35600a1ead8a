//! Registry of the mirrored entities. An entity is data; the engines that move it never name one.

mod appointment;
mod client;
mod definition;
mod document;
mod invoice;
mod measurement;
mod piano;
mod timeline_entry;
mod user;

pub use definition::{
    BoundType, DeletionPolicy, DuplicateIdRule, Entity, IncrementalReach, PlaceholderNotice, Query, Shape,
    Source, TimeFilter, Title,
};
pub use document::INNER;

/// Every entity, parents before children, so that a first sync needs few placeholders.
pub static ALL: [&Entity; 7] = [
    &user::USER,
    &client::CLIENT,
    &piano::PIANO,
    &timeline_entry::TIMELINE_ENTRY,
    &measurement::MEASUREMENT,
    &invoice::INVOICE,
    &appointment::APPOINTMENT,
];

impl Entity {
    /// Returns the entities nested in this one, each with the field that holds its records.
    pub fn children(&self) -> impl Iterator<Item = (&'static Entity, &'static str)> {
        ALL.into_iter().filter_map(|child| match child.source {
            Source::Nested { parent, field } if parent == self.name => Some((child, field)),
            _ => None,
        })
    }
}

/// Returns the entity with that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entity> {
    ALL.into_iter().find(|entity| entity.name == name)
}

/// Returns the entities that have a query of their own.
pub fn fetched() -> impl Iterator<Item = &'static Entity> {
    ALL.into_iter().filter(|entity| entity.query().is_some())
}

/// Returns the names of the entities that have a query of their own, for messages: `users, clients, …`.
#[must_use]
pub fn fetched_names() -> String {
    fetched().map(|entity| entity.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn table_names_are_unique_sql_identifiers() {
        let mut seen = BTreeSet::new();
        for entity in ALL {
            let child_tables = entity.child_tables.iter().map(|child| child.table);
            for name in
                [entity.name, entity.table, entity.staging_table].into_iter().chain(child_tables.clone())
            {
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
                assert!(name.len() <= 40, "{name}");
            }
            assert_eq!(entity.staging_table, format!("stg_{}", entity.table));
            for table in child_tables.chain([entity.table]) {
                assert!(seen.insert(table), "{table} twice");
            }
        }
    }

    #[test]
    fn referenced_entity_comes_first_and_has_placeholder() {
        for (index, entity) in ALL.into_iter().enumerate() {
            let child_columns = entity.child_tables.iter().flat_map(|child| child.columns);
            for target in entity.columns.iter().chain(child_columns).filter_map(|column| column.references) {
                let parent = ALL.into_iter().position(|other| other.name == target);
                assert!(parent.is_some_and(|parent| parent < index), "{} → {target}", entity.name);
                assert!(
                    find(target).is_some_and(|parent| !parent.placeholder.is_empty()),
                    "{target} is referenced and has no placeholder"
                );
            }
        }
    }

    #[test]
    fn columns_named_by_an_entity_exist() {
        for entity in ALL {
            let names: BTreeSet<_> = entity.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), entity.columns.len(), "{}: a column twice", entity.name);
            for (column, _) in entity.placeholder {
                assert!(names.contains(column), "{}: placeholder of {column}", entity.name);
            }
            if let Some(column) = entity.partitioned_by {
                assert!(names.contains(column), "{}: partitioned by {column}", entity.name);
                assert!(
                    entity.child_tables.is_empty(),
                    "{}: child tables refer by the id alone",
                    entity.name
                );
            }
            if let Some(filter) = entity.time_filter() {
                assert!(entity.date_column().is_some(), "{}: no column holds {}", entity.name, filter.field);
            }
            for child in entity.child_tables {
                let names: BTreeSet<_> = child.columns.iter().map(|column| column.name).collect();
                assert_eq!(names.len(), child.columns.len(), "{}: a column twice", child.table);
                assert!(!names.contains(child.parent) && !names.contains("line"), "{}: its own", child.table);
                assert!(
                    child.columns.iter().all(|column| !column.protected),
                    "{}: kept by hand",
                    child.table
                );
                let is_selected = |selection: &str| selection.contains(child.field);
                assert!(entity.query().is_some_and(|query| is_selected(query.selection)), "{}", child.table);
            }
        }
    }

    #[test]
    fn lookup_document_asks_for_many_ids_at_once() {
        let document = find("measurements").and_then(|entity| entity.lookup_document(2));
        let expected = "query pianoMeasurementById($id0: String!, $id1: String!) { \
                        r0: pianoMeasurement(id: $id0) { id } r1: pianoMeasurement(id: $id1) { id } }";
        assert_eq!(document.as_deref(), Some(expected));
        assert_eq!(find("timeline").and_then(|entity| entity.lookup_document(1)), None);
    }

    #[test]
    fn document_is_one_query_that_selects_the_id() {
        for query in fetched().filter_map(Entity::query) {
            let document = query.document();
            assert!(document.starts_with("query "), "{document}");
            assert!(query.selection.trim_start().starts_with("id "), "{document}");
        }
    }
}
