//! Expected contents of the mirror's tables, computed from the simulated records.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use serde_json::{Map, Value as Json, json};

use crate::{dataset::Dataset, entity::Entity, mirror::MirrorTable, model, record::Datum};

/// Writes the expected contents of a table as JSON text, row by row to limit memory.
pub(crate) fn to_json(dataset: &Dataset, table: MirrorTable) -> String {
    let (total_count, null_nodes) = match table.entity() {
        Some(entity) => {
            let slots = dataset.table(entity).slots();
            (slots.len(), slots.iter().filter(|slot| slot.record.is_none()).count())
        }
        None => (dataset.measurements().count(), 0),
    };
    let mut records: Vec<_> = table.records(dataset).into_iter().collect();
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let records = || records.iter().map(|(_, record)| record.as_ref());
    let mut text = String::from("{\"rows\":");
    write_rows(&mut text, records().map(|record| table.row(record)));
    text.push_str(",\"parts\":{");
    for (index, child) in table.child_tables().iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\"{}\":", child.name);
        write_rows(&mut text, records().flat_map(|record| child.rows(record)));
    }
    let placeholders = table.entity().map(|entity| placeholders(dataset, entity)).unwrap_or_default();
    let placeholders = json!(placeholders.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
    let skipped = json!({"null_node": null_nodes, "null_id": total_count - null_nodes - records().count()});
    let _ = write!(
        text,
        "}},\"placeholders\":{placeholders},\"skipped\":{skipped},\"total_count\":{total_count}}}"
    );
    text
}

fn write_rows(text: &mut String, rows: impl Iterator<Item = Map<String, Json>>) {
    text.push('[');
    for (index, row) in rows.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Json::Object(row).to_string());
    }
    text.push(']');
}

/// Returns the ids of an entity that listed records refer to and that are in no listing themselves.
fn placeholders(dataset: &Dataset, entity: Entity) -> BTreeSet<Arc<str>> {
    let table = dataset.table(entity);
    let mut missing = BTreeSet::new();
    let sources: &[(Entity, &str)] = match entity {
        Entity::User => &[(Entity::TimelineEntry, "user"), (Entity::Client, "preferredTechnician")],
        Entity::Client => &[(Entity::TimelineEntry, "client"), (Entity::Piano, "client")],
        Entity::Piano => &[(Entity::TimelineEntry, "piano")],
        Entity::TimelineEntry | Entity::Modelled(_) => &[],
    };
    for (source, field) in sources {
        for (_, record) in dataset.table(*source).with_ids() {
            if let Some(Datum::Reference(_, id)) = record.get(field)
                && !missing.contains(id)
                && !table.is_listed(id)
            {
                missing.insert(Arc::clone(id));
            }
        }
    }
    for model in model::ALL {
        for (_, record) in dataset.table(Entity::Modelled(model.id)).with_ids() {
            let ids = model.references.iter().flat_map(|reference| reference.ids(record, entity));
            missing.extend(ids.filter(|id| !table.is_listed(id)));
        }
    }
    missing
}
