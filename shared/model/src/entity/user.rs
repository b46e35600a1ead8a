//! Users: technicians and office staff. Never deleted at the source, only made inactive.

use super::{Absence, Entity, Query, Shape, Source, Title};
use crate::matching::{Matching, Relation, person};
use crate::row::{Column, Kind};

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
    parts: &[],
    rules: &[],
    placeholder: &[("first_name", "Inconnu"), ("last_name", "({id})")],
    // Over there a user only becomes INACTIVE, and whether the list still holds those is unknown.
    absence: Absence::MeansNothing,
    twins: None,
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
    Column::new("first_name", Kind::Text, &["firstName"]),
    Column::new("last_name", Kind::Text, &["lastName"]),
    Column::new("email", Kind::Text, &["email"]),
    Column::new("access_level", Kind::Text, &["accessLevel"]),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("timezone", Kind::Text, &["timezone"]),
    Column::new("color", Kind::Text, &["color"]),
    Column::new("is_schedulable", Kind::Bool, &["isSchedulable"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];
