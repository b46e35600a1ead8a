//! Mutator of the dataset: selection and creation of records.

use std::{collections::HashSet, sync::Arc};

use crate::{
    dataset::Dataset,
    entity::Entity,
    generate::{
        client, piano,
        timeline::{self, EntrySubject},
        user,
    },
    mirror::MirrorTable,
    model::pool::ReferencePool,
    record::Record,
    rng::SeededRng,
};

/// Mutator that applies one advance to the dataset.
pub(super) struct Mutator<'a> {
    pub(super) dataset: &'a mut Dataset,
    pub(super) rng: SeededRng,
    /// Ids already touched by this advance; a record is changed at most once.
    touched: HashSet<Arc<str>>,
    /// Pool for the records of models, collected on first use. It lacks records created later; records are
    /// deleted only after all are created and edited, so it never refers to a deleted one.
    pub(super) pool: Option<ReferencePool>,
}

impl<'a> Mutator<'a> {
    /// Creates a mutator with the random number generator of the next change.
    pub(super) fn new(dataset: &'a mut Dataset) -> Self {
        let rng = dataset.next_rng();
        Self { dataset, rng, touched: HashSet::new(), pool: None }
    }
}

impl Mutator<'_> {
    /// Draws a listed record that has an id and is not yet touched, and marks it as touched.
    pub(super) fn choose(
        &mut self,
        entity: Entity,
        mut is_eligible: impl FnMut(&Record) -> bool,
    ) -> Option<Record> {
        let slots = self.dataset.table(entity).slots();
        let start = self.rng.below(slots.len());
        let (head, tail) = slots.split_at(start);
        let chosen =
            tail.iter().chain(head).filter_map(|slot| slot.record.as_ref()).find(|record| {
                record.id().is_some_and(|id| !self.touched.contains(id)) && is_eligible(record)
            })?;
        let chosen = Record::clone(chosen);
        self.touched.extend(chosen.id().cloned());
        Some(chosen)
    }

    /// Draws a listed id, touched or not.
    fn any_id(&mut self, entity: Entity) -> Option<Arc<str>> {
        let ids: Vec<&Arc<str>> = self.dataset.table(entity).with_ids().map(|(id, _)| id).collect();
        (!ids.is_empty()).then(|| Arc::clone(ids[self.rng.below(ids.len())]))
    }

    /// Inserts a record and marks it as touched.
    pub(super) fn insert(&mut self, entity: Entity, record: Record) {
        self.touched.extend(record.id().cloned());
        self.dataset.table_mut(entity).insert(record);
    }

    /// Creates a record in a table.
    pub(super) fn create(&mut self, table: MirrorTable) {
        self.dataset.advance_clock();
        let now = self.dataset.now;
        match table {
            MirrorTable::Users => {
                let number = 1000 + self.rng.below(1_000_000);
                let user = user::user(&mut self.rng, now, number);
                self.insert(Entity::User, user);
            }
            MirrorTable::Clients => {
                let technicians = self.dataset.listed_ids(Entity::User);
                let client = client::client(&mut self.rng, now, &technicians);
                self.insert(Entity::Client, client);
            }
            MirrorTable::Pianos => {
                let owner = self.any_id(Entity::Client);
                let mut piano = piano::piano(&mut self.rng, now, owner.as_ref());
                if let Some(id) = piano.id().cloned() {
                    let measurement = piano::measurement(&mut self.rng, &id, now);
                    piano.push_object("allPianoMeasurements", measurement);
                }
                self.insert(Entity::Piano, piano);
            }
            MirrorTable::Timeline => {
                let Some(client) = self.any_id(Entity::Client) else {
                    return;
                };
                let subject = EntrySubject {
                    client,
                    piano: self.any_id(Entity::Piano),
                    user: self.any_id(Entity::User),
                };
                let entry = timeline::service_entry(&mut self.rng, &subject, now);
                self.insert(Entity::TimelineEntry, entry);
            }
            MirrorTable::Measurements => {
                let Some(mut piano) = self.choose(Entity::Piano, |_| true) else {
                    return;
                };
                let Some(id) = piano.id().cloned() else {
                    return;
                };
                let measurement = piano::measurement(&mut self.rng, &id, now);
                piano.push_object("allPianoMeasurements", measurement);
                self.dataset.pianos.replace(piano);
            }
            MirrorTable::Modelled(model) => {
                let pool = self.pool.get_or_insert_with(|| ReferencePool::new(self.dataset));
                pool.now = now;
                if let Some(record) = (model.create)(&mut self.rng, pool) {
                    self.insert(Entity::Modelled(model.id), record);
                }
            }
        }
    }
}
