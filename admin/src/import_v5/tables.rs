//! Tables of V5: their names, their entities, and their columns that have another name in V6.

use db::v5::{KEY, V5NestedList, V5Table};
use model::entity;

/// Table of V5 with the columns that it should have.
pub(super) struct ImportTable {
    /// Table as the db crate reads it.
    pub(super) v5: V5Table,
    /// Columns that V5 is known to have. The report names those that are missing.
    pub(super) expected_columns: &'static [&'static str],
}

/// Contacts, which are merged into the row of their client.
const CONTACTS: V5NestedList = V5NestedList {
    name: "gazelle_contacts",
    owners: &["client_external_id", "client_id"],
    first: &["is_default", "is_primary"],
};

/// Returns V5's tables, parents before children.
pub(super) fn tables() -> Vec<ImportTable> {
    entity::ALL.into_iter().filter_map(table).collect()
}

fn table(entity: &'static entity::Entity) -> Option<ImportTable> {
    let (name, fills, nested, expected_columns): (_, &[(_, &[_])], _, &[_]) = match entity.name {
        "users" => ("users", &[], None, &[KEY, "first_name", "last_name", "email"]),
        "clients" => (
            "gazelle_clients",
            &[],
            Some(CONTACTS),
            &[
                KEY, "company_name", "first_name", "last_name", "status", "email", "phone", "city",
                "postal_code", "personal_notes", "preference_notes", "locale", "tags",
            ],
        ),
        "pianos" => (
            "gazelle_pianos",
            &[("client_id", &["client_external_id"])],
            None,
            &[
                KEY,
                "client_external_id",
                "make",
                "model",
                "serial_number",
                "type",
                "year",
                "location",
                "notes",
                "dampp_chaser_installed",
                "dampp_chaser_humidistat_model",
                "dampp_chaser_mfg_date",
            ],
        ),
        "timeline" => (
            "gazelle_timeline_entries",
            &[
                ("client_id", &["client_id", "client_external_id"]),
                ("piano_id", &["piano_id", "piano_external_id"]),
                // Many entries of V5 have no instant, but a few of those have a day.
                ("occurred_at", &["occurred_at", "entry_date"]),
                ("summary", &["title"]),
                ("comment", &["description"]),
            ],
            None,
            &[KEY, "client_id", "piano_id", "user_id", "occurred_at", "entry_type", "title", "description"],
        ),
        _ => return None,
    };
    Some(ImportTable { v5: V5Table { name, entity, fills, nested }, expected_columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_tables_and_columns_exist() {
        let tables = tables();
        let names: Vec<&str> = tables.iter().map(|table| table.v5.name).collect();
        assert_eq!(names, ["users", "gazelle_clients", "gazelle_pianos", "gazelle_timeline_entries"]);
        for ImportTable { v5, .. } in &tables {
            for (column, _) in v5.fills {
                assert!(v5.entity.columns.iter().any(|known| known.name == *column), "{}: {column}", v5.name);
            }
        }
    }

    #[test]
    fn expected_v5_columns_are_mapped() {
        for ImportTable { v5, expected_columns } in tables() {
            for column in expected_columns.iter().filter(|column| **column != KEY) {
                let is_mapped = v5
                    .entity
                    .columns
                    .iter()
                    .any(|known| v5.sources(known.name).any(|source| source == *column));
                assert!(is_mapped, "{}.{column}", v5.name);
            }
        }
    }
}
