//! Changes to the data: records are created, edited, moved and deleted, and the report lists their ids.

mod edits;
mod mutator;
mod removals;

use std::sync::Arc;

use chrono::Duration;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use self::mutator::Mutator;
use crate::{
    dataset::Dataset,
    datetime,
    generate::timeline::{self, EntrySubject},
    mirror::{MirrorTable, UnknownEntity},
};

/// Number of changes of each kind, spread over the tables unless `entity` names one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AdvanceRequest {
    creates: usize,
    edits: usize,
    late_edits: usize,
    deletes: usize,
    merges: usize,
    transfers: usize,
    /// Number of deleted records to restore, the latest first.
    restores: usize,
    entity: Option<String>,
}

const CREATED_AND_EDITED: &[MirrorTable] =
    &[MirrorTable::Timeline, MirrorTable::Clients, MirrorTable::Pianos, MirrorTable::Users];
const DELETED: &[MirrorTable] =
    &[MirrorTable::Timeline, MirrorTable::Clients, MirrorTable::Pianos, MirrorTable::Measurements];
const MERGED: &[MirrorTable] = &[MirrorTable::Clients, MirrorTable::Pianos];

/// Applies the requested changes and reports, by table, the ids created, edited and deleted.
pub(crate) fn advance(dataset: &mut Dataset, request: &AdvanceRequest) -> Result<Json, UnknownEntity> {
    let only = request.entity.as_deref().map(MirrorTable::from_name).transpose()?;
    let before = dataset.clone();
    let mut mutator = Mutator::new(dataset);
    let spread = |tables: &[MirrorTable], count: usize| -> Vec<MirrorTable> {
        (0..count).map(|index| only.unwrap_or(tables[index % tables.len()])).collect()
    };
    // The tables of the models come last, so that a few changes affect the other tables as without models.
    let with_models = |tables: &[MirrorTable]| -> Vec<_> {
        tables.iter().copied().chain(MirrorTable::modelled()).collect()
    };
    let (created_and_edited, deleted) = (with_models(CREATED_AND_EDITED), with_models(DELETED));
    for table in spread(&created_and_edited, request.creates) {
        mutator.create(table);
    }
    for table in spread(&created_and_edited, request.edits) {
        mutator.edit(table);
    }
    (0..request.late_edits).for_each(|_| mutator.edit_late());
    (0..request.transfers).for_each(|_| mutator.transfer());
    for table in spread(MERGED, request.merges) {
        mutator.merge(table);
    }
    for table in spread(&deleted, request.deletes) {
        mutator.delete(table);
    }
    (0..request.restores).for_each(|_| mutator.restore(only));
    Ok(difference(&before, dataset))
}

/// Inserts an entry at the head of the timeline, before scheduled ones, so that later pages shift by one.
pub(crate) fn shift_timeline(dataset: &mut Dataset) {
    dataset.advance_clock();
    let newest =
        dataset.timeline.records().next().and_then(|entry| datetime::parse(entry.text("occurredAt")?));
    let occurred_at = newest.unwrap_or(dataset.now).max(dataset.now) + Duration::seconds(60);
    let mut rng = dataset.next_rng();
    let Some(client) = dataset.clients.with_ids().map(|(id, _)| Arc::clone(id)).next() else {
        return;
    };
    let subject = EntrySubject { client, piano: None, user: None };
    let entry = timeline::scheduled_entry(&mut rng, &subject, occurred_at);
    dataset.timeline.insert(entry);
}

/// Reports the differences between the mirror tables of two datasets.
fn difference(before: &Dataset, after: &Dataset) -> Json {
    let mut report = Map::new();
    for table in MirrorTable::all() {
        let (old, new) = (table.records(before), table.records(after));
        let mut created: Vec<&str> = Vec::new();
        let mut edited: Vec<&str> = Vec::new();
        for (id, record) in &new {
            match old.get(id) {
                None => created.push(id),
                Some(previous) if Arc::ptr_eq(previous, record) => {}
                Some(previous) => {
                    if !table.has_equal_rows(previous, record) {
                        edited.push(id);
                    }
                }
            }
        }
        let mut deleted: Vec<&str> =
            old.keys().filter(|id| !new.contains_key(*id)).map(AsRef::as_ref).collect();
        for ids in [&mut created, &mut edited, &mut deleted] {
            ids.sort_unstable();
        }
        let changes = json!({"created": created, "edited": edited, "deleted": deleted});
        report.insert(table.name().to_owned(), changes);
    }
    Json::Object(report)
}
