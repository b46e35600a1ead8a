//! What V5's tables are called, which entity each holds, and which of their columns has another name in V6.

use db::v5::{KEY, OldNested, OldTable};
use model::entity;

/// A table of V5.
pub(super) struct Table {
    /// For `shared_db`.
    pub(super) old: OldTable,
    /// The columns that V5 is known to have: an absent one is reported.
    pub(super) expected: &'static [&'static str],
}

/// The rows of `gazelle_contacts` belong into their client's.
const CONTACTS: OldNested = OldNested {
    name: "gazelle_contacts",
    owners: &["client_external_id", "client_id"],
    first: &["is_default", "is_primary"],
};

/// V5's tables, parents before children.
pub(super) fn tables() -> Vec<Table> {
    entity::ALL.into_iter().filter_map(table).collect()
}

fn table(entity: &'static entity::Entity) -> Option<Table> {
    let (name, fills, nested, expected): (_, &[(_, &[_])], _, &[_]) = match entity.name {
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
                // Many entries of V5 have no instant; a few of those have a day.
                ("occurred_at", &["occurred_at", "entry_date"]),
                ("summary", &["title"]),
                ("comment", &["description"]),
            ],
            None,
            &[KEY, "client_id", "piano_id", "user_id", "occurred_at", "entry_type", "title", "description"],
        ),
        _ => return None,
    };
    Some(Table { old: OldTable { name, entity, fills, nested }, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mapped_tables_and_columns_exist() {
        let tables = tables();
        let names: Vec<&str> = tables.iter().map(|table| table.old.name).collect();
        assert_eq!(names, ["users", "gazelle_clients", "gazelle_pianos", "gazelle_timeline_entries"]);
        for Table { old, .. } in &tables {
            for (column, _) in old.fills {
                assert!(
                    old.entity.columns.iter().any(|known| known.name == *column),
                    "{}: {column}",
                    old.name
                );
            }
        }
    }

    #[test]
    fn expected_v5_columns_are_mapped() {
        for Table { old, expected } in tables() {
            for column in expected.iter().filter(|column| **column != KEY) {
                let fills =
                    old.entity.columns.iter().any(|known| old.sources(known.name).any(|old| old == *column));
                assert!(fills, "{}.{column}", old.name);
            }
        }
    }
}
