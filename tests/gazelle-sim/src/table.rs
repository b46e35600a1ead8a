//! The records of one entity in listing order, found by id and by position.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use crate::{clock, record::Record};

/// One place in a listing: a record, or the null that Gazelle sometimes serves in its stead.
#[derive(Clone)]
pub(crate) struct Slot {
    rank: i64,
    key: Arc<str>,
    /// The record listed here, if it is not a null node.
    pub(crate) record: Option<Arc<Record>>,
}

impl Slot {
    fn order(&self, rank: i64, key: &str) -> Ordering {
        self.rank.cmp(&rank).then_with(|| self.key.as_ref().cmp(key))
    }
}

/// The records of one entity.
#[derive(Clone)]
pub(crate) struct Table {
    date_field: &'static str,
    newest_first: bool,
    slots: Vec<Slot>,
    by_id: HashMap<Arc<str>, Arc<Record>>,
}

impl Table {
    /// An empty table listed by a date field, ties by id.
    pub(crate) fn new(date_field: &'static str, newest_first: bool) -> Self {
        Self { date_field, newest_first, slots: Vec::new(), by_id: HashMap::new() }
    }

    /// Adds many records at once; those without an id are placed by a key of their own.
    pub(crate) fn fill(&mut self, records: Vec<Record>) {
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

    /// Puts a null node beside each of the given positions.
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

    /// Keeps a record that others refer to and no listing shows.
    pub(crate) fn add_unlisted(&mut self, record: Record) {
        if let Some(id) = record.id().cloned() {
            self.by_id.insert(id, Arc::new(record));
        }
    }

    /// The ids of the records that no listing shows, in order.
    pub(crate) fn unlisted_ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<_> = self.by_id.keys().filter(|id| !self.lists(id)).cloned().collect();
        ids.sort();
        ids
    }

    /// The places in listing order.
    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The places dated at or after a moment, of a table listed newest first.
    pub(crate) fn slots_since(&self, epoch_s: i64) -> &[Slot] {
        let end = self.slots.partition_point(|slot| -slot.rank >= epoch_s);
        &self.slots[..end]
    }

    /// The listed records.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.slots.iter().filter_map(|slot| slot.record.as_ref())
    }

    /// The listed records that have an id, with it.
    pub(crate) fn identified(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Record>)> {
        self.records().filter_map(|record| record.id().map(|id| (id, record)))
    }

    /// A record by its id, listed or not.
    pub(crate) fn find(&self, id: &str) -> Option<&Arc<Record>> {
        self.by_id.get(id)
    }

    /// Whether a listing shows the record of this id.
    pub(crate) fn lists(&self, id: &str) -> bool {
        self.position(id).is_some()
    }

    /// Lists a new record.
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

    /// Replaces a listed record by a changed one of the same id and date.
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

    /// Replaces a listed record by a changed one of the same id, at the place of its date.
    pub(crate) fn relist(&mut self, record: Record) {
        if let Some(position) = record.id().and_then(|id| self.position(id)) {
            self.slots.remove(position);
            self.insert(record);
        }
    }

    /// Removes the records of which `keep` is false.
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
            .and_then(|text| clock::parse(text))
            .map_or(0, |moment| moment.timestamp());
        if self.newest_first { -epoch_s } else { epoch_s }
    }
}
