//! Users: technicians and office staff. Never deleted at the source, only made inactive.

use super::{Absence, Entity, Query, Shape, Source};
use crate::row::{Column, Kind, Record, Rejection, Row};

pub(super) static USER: Entity = Entity {
    name: "users",
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
    transform,
    placeholder: &[("first_name", "Inconnu"), ("last_name", "({id})")],
    // Over there a user only becomes INACTIVE, and whether the list still holds those is unknown.
    absence: Absence::MeansNothing,
    twins: None,
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

fn transform(record: Record<'_>) -> Result<Row, Rejection> {
    Row::read(record, COLUMNS)
}
