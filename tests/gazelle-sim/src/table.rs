//! Records of one entity in listing order, indexed by id.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use crate::{datetime, record::Record};

/// Position in a listing: a record, or a null node as Gazelle sometimes serves.
#[derive(Clone)]
pub(crate) struct Slot {
    rank: i64,
    key: Arc<str>,
    /// Listed record; `None` for a null node.
    pub(crate) record: Option<Arc<Record>>,
}

impl Slot {
    fn order(&self, rank: i64, key: &str) -> Ordering {
        self.rank.cmp(&rank).then_with(|| self.key.as_ref().cmp(key))
    }
}

/// Table of the records of one entity.
#[derive(Clone)]
pub(crate) struct Table {
    date_field: &'static str,
    newest_first: bool,
    slots: Vec<Slot>,
    by_id: HashMap<Arc<str>, Arc<Record>>,
}

impl Table {
    /// Creates an empty table sorted by a date field, then by id.
    pub(crate) fn new(date_field: &'static str, newest_first: bool) -> Self {
        Self { date_field, newest_first, slots: Vec::new(), by_id: HashMap::new() }
    }

    /// Adds many records at once; a record without an id gets a generated sort key.
    pub(crate) fn load(&mut self, records: Vec<Record>) {
        for (index, record) in records.into_iter().enumerate() {
            let record = Arc::new(record);
            let key = record.id().cloned();
            if let Some(id) = &key {
                self.by_id.insert(Arc::clone(id), Arc::clone(&record));
            }
            self.slots.push(Slot {
                rank: self.rank(&record),
                key: key.unwrap_or_else(|| format!("~{index:08}").into()),
                record: Some(record),
            });
        }
        self.slots.sort_by(|a, b| a.order(b.rank, b.key.as_ref()));
    }

    /// Inserts a null node after each of the given positions.
    pub(crate) fn add_null_nodes(&mut self, positions: impl IntoIterator<Item = usize>) {
        for position in positions {
            let Some(neighbour) = self.slots.get(position) else {
                continue;
            };
            let slot = Slot { rank: neighbour.rank, key: format!("{}~", neighbour.key).into(), record: None };
            self.slots.insert(position + 1, slot);
        }
        self.slots.sort_by(|a, b| a.order(b.rank, b.key.as_ref()));
    }

    /// Adds a record that can be looked up by id and is in no listing.
    pub(crate) fn add_unlisted(&mut self, record: Record) {
        if let Some(id) = record.id().cloned() {
            self.by_id.insert(id, Arc::new(record));
        }
    }

    /// Returns the sorted ids of the records that are in no listing.
    pub(crate) fn unlisted_ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<_> = self.by_id.keys().filter(|id| !self.is_listed(id)).cloned().collect();
        ids.sort();
        ids
    }

    /// Returns the slots in listing order.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Returns the slots dated at or after a Unix time, for a table sorted newest first.
    pub(crate) fn slots_since(&self, epoch_s: i64) -> &[Slot] {
        let end = self.slots.partition_point(|slot| -slot.rank >= epoch_s);
        &self.slots[..end]
    }

    /// Returns the listed records.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.slots.iter().filter_map(|slot| slot.record.as_ref())
    }

    /// Returns the listed records that have an id, with that id.
    pub(crate) fn with_ids(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Record>)> {
        self.records().filter_map(|record| record.id().map(|id| (id, record)))
    }

    /// Returns a record by its id, listed or not.
    pub(crate) fn get(&self, id: &str) -> Option<&Arc<Record>> {
        self.by_id.get(id)
    }

    /// Returns true if the record of this id is listed.
    pub(crate) fn is_listed(&self, id: &str) -> bool {
        self.position(id).is_some()
    }

    /// Inserts a record at its position in the listing.
    pub(crate) fn insert(&mut self, record: Record) {
        let Some(key) = record.id().cloned() else {
            return;
        };
        let record = Arc::new(record);
        let rank = self.rank(&record);
        let position = self.slots.partition_point(|slot| slot.order(rank, &key) == Ordering::Less);
        self.by_id.insert(Arc::clone(&key), Arc::clone(&record));
        self.slots.insert(position, Slot { rank, key, record: Some(record) });
    }

    /// Replaces a listed record by a new version with the same id and date.
    pub(crate) fn replace(&mut self, record: Record) {
        let Some((id, position)) =
            record.id().cloned().and_then(|id| self.position(&id).map(|position| (id, position)))
        else {
            return;
        };
        let record = Arc::new(record);
        self.slots[position].record = Some(Arc::clone(&record));
        self.by_id.insert(id, record);
    }

    /// Replaces a listed record by a new version with the same id and moves it to the position of its date.
    pub(crate) fn reposition(&mut self, record: Record) {
        if let Some(position) = record.id().and_then(|id| self.position(id)) {
            self.slots.remove(position);
            self.insert(record);
        }
    }

    /// Removes the records for which `keep` returns false.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&Record) -> bool) {
        let by_id = &mut self.by_id;
        self.slots.retain(|slot| {
            let Some(record) = &slot.record else {
                return true;
            };
            let kept = keep(record);
            if !kept && let Some(id) = record.id() {
                by_id.remove(id);
            }
            kept
        });
    }

    fn position(&self, id: &str) -> Option<usize> {
        let rank = self.rank(self.by_id.get(id)?);
        self.slots.binary_search_by(|slot| slot.order(rank, id)).ok()
    }

    fn rank(&self, record: &Record) -> i64 {
        let epoch_s = record
            .text(self.date_field)
            .and_then(|text| datetime::parse(text))
            .map_or(0, |moment| moment.timestamp());
        if self.newest_first { -epoch_s } else { epoch_s }
    }
}
