//! Users: technicians and office staff. Never deleted at the source, only made inactive.

use super::definition::{DeletionPolicy, Entity, PlaceholderNotice, Query, Shape, Source, Title};
use crate::column::{Column, ColumnType};
use crate::matching::{Matching, Relation, person};
use crate::rule::{Effect, RowDraft, Rule};

pub(super) static USER: Entity = Entity {
    name: "users",
    title: Title { french: "Techniciens", english: "Technicians" },
    table: "users",
    staging_table: "stg_users",
    source: Source::Query(Query {
        root: "allUsers",
        selection: "id firstName lastName email accessLevel status timezone color isSchedulable \
                    createdAt updatedAt",
        shape: Shape::List,
    }),
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[],
    rules: RULES,
    placeholder: &[("first_name", "Inconnu"), ("last_name", "({id})")],
    placeholder_notice: PlaceholderNotice::Immediate,
    // The source only makes a user INACTIVE, and it is unknown whether the list still holds inactive ones.
    deletion_policy: DeletionPolicy::Never,
    duplicate_ids: None,
    matching: Some(Matching {
        columns: person::COLUMNS,
        keys: person::keys,
        score: person::score,
        threshold: 0.85,
        margin: 0.04,
        relation: Relation::None,
    }),
};

const COLUMNS: &[Column] = &[
    Column::new("first_name", ColumnType::Text, &["firstName"]),
    Column::new("last_name", ColumnType::Text, &["lastName"]),
    Column::new("email", ColumnType::Text, &["email"]),
    Column::new("access_level", ColumnType::Text, &["accessLevel"]),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("timezone", ColumnType::Text, &["timezone"]),
    Column::new("color", ColumnType::Text, &["color"]),
    Column::new("is_schedulable", ColumnType::Bool, &["isSchedulable"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

const RULES: &[Rule] =
    &[Rule::new("a user's names and e-mail hold no invisible character", Effect::Repairs(clean_names))];

fn clean_names(draft: &mut RowDraft<'_>) {
    draft.remove_invisible(&["first_name", "last_name", "email"]);
}
