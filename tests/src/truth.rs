//! How a mirror differs from what a perfect one holds, field by field.

use std::collections::BTreeMap;

use serde_json::Value;
use shared::entity::Entity;
use sqlx::PgConnection;

use crate::mirror::rows;

/// The rows of the mirror that the source has sent and not deleted, by id.
pub async fn mirrored(connection: &mut PgConnection, entity: &Entity) -> BTreeMap<String, Value> {
    let sql = format!("select * from {} where not is_placeholder and deleted_at is null", entity.table);
    rows(connection, &sql)
        .await
        .into_iter()
        .map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row))
        .collect()
}

/// What is missing, what is too much, and which fields differ.
pub async fn differences(connection: &mut PgConnection, entity: &Entity, truth: &Value) -> Vec<String> {
    let mut mirrored = mirrored(connection, entity).await;
    let mut differences = Vec::new();
    for theirs in truth["rows"].as_array().expect("rows") {
        let id = theirs["id"].as_str().expect("an id");
        let Some(ours) = mirrored.remove(id) else {
            differences.push(format!("{id} is missing"));
            continue;
        };
        for (field, value) in theirs.as_object().expect("a row") {
            let ours = ours.get(field).unwrap_or_else(|| panic!("{} has no column {field}", entity.table));
            if !is_same(ours, value) {
                differences.push(format!("{id}.{field}: {ours:.60} ≠ {value:.60}"));
            }
        }
    }
    differences.extend(mirrored.keys().map(|id| format!("{id} is not in the source")));
    differences
}

/// Equal, or the same instant written in two ways, or the empty text, which the mirror holds as null.
fn is_same(ours: &Value, theirs: &Value) -> bool {
    if theirs.as_str().is_some_and(str::is_empty) {
        return ours.is_null();
    }
    let instant = |value: &Value| value.as_str().and_then(shared::row::instant);
    ours == theirs || instant(ours).is_some_and(|ours| Some(ours) == instant(theirs))
}
