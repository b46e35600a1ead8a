//! Differences between a mirror and the expected rows, field by field.

use std::collections::BTreeMap;

use model::column::ChildTable;
use model::entity::Entity;
use serde_json::Value;
use sqlx::PgConnection;

use crate::mirror::rows;

/// Returns the rows that the source has sent and not deleted, by id.
pub async fn mirrored(connection: &mut PgConnection, entity: &Entity) -> BTreeMap<String, Value> {
    let sql = format!("select * from {} where not is_placeholder and deleted_at is null", entity.table);
    rows(connection, &sql)
        .await
        .into_iter()
        .map(|row| (row["id"].as_str().unwrap_or_default().to_owned(), row))
        .collect()
}

/// Returns missing rows, extra rows and differing fields, child rows included.
pub async fn differences(connection: &mut PgConnection, entity: &Entity, truth: &Value) -> Vec<String> {
    let ours = mirrored(connection, entity).await;
    let theirs = truth["rows"].as_array().expect("rows").iter();
    let theirs = theirs.map(|row| (row["id"].as_str().expect("an id").to_owned(), row));
    let mut all = compared(entity.table, ours, theirs);
    for ChildTable { table, parent, .. } in entity.child_tables {
        let sql = format!(
            "select p.* from {table} p join {} t on t.id = p.{parent}
             where p.deleted_at is null and t.deleted_at is null and not t.is_placeholder",
            entity.table
        );
        let key = |row: &Value| format!("{}/{}", row[*parent].as_str().unwrap_or_default(), row["line"]);
        let ours = rows(connection, &sql).await.into_iter().map(|row| (key(&row), row)).collect();
        let theirs = truth["parts"][table].as_array().unwrap_or_else(|| panic!("a truth of {table}"));
        all.extend(compared(table, ours, theirs.iter().map(|row| (key(row), row))));
    }
    all
}

fn compared<'a>(
    table: &str,
    mut ours: BTreeMap<String, Value>,
    theirs: impl Iterator<Item = (String, &'a Value)>,
) -> Vec<String> {
    let mut differences = Vec::new();
    for (id, theirs) in theirs {
        let Some(ours) = ours.remove(&id) else {
            differences.push(format!("{table} {id} is missing"));
            continue;
        };
        for (field, value) in theirs.as_object().expect("a row") {
            let ours = ours.get(field).unwrap_or_else(|| panic!("{table} has no column {field}"));
            if !is_same(ours, value) {
                differences.push(format!("{table} {id}.{field}: {ours:.60} ≠ {value:.60}"));
            }
        }
    }
    differences.extend(ours.keys().map(|id| format!("{table} {id} is not in the source")));
    differences
}

/// Compares two values; equal instants or numbers in different notation match, and an empty text matches null.
fn is_same(ours: &Value, theirs: &Value) -> bool {
    if theirs.as_str().is_some_and(str::is_empty) {
        return ours.is_null();
    }
    let instant = |value: &Value| value.as_str().and_then(model::cell::parse_instant);
    ours == theirs
        || instant(ours).is_some_and(|ours| Some(ours) == instant(theirs))
        || ours.is_number() && ours.as_f64() == theirs.as_f64()
}
