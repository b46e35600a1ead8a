//! Transfers, merges, deletions and restores of records.

use std::sync::Arc;

use super::mutator::Mutator;
use crate::{
    entity::Entity,
    mirror::MirrorTable,
    model,
    record::{Datum, Record},
};

impl Mutator<'_> {
    /// Transfers a piano to another client: a new record with copied measurements, the old one INACTIVE.
    pub(super) fn transfer(&mut self) {
        let now = self.dataset.advance_clock();
        let Some(mut old) = self.choose(Entity::Piano, |piano| {
            piano.get("client").is_some() && piano.text("status").map(AsRef::as_ref) == Some("ACTIVE")
        }) else {
            return;
        };
        let owner = old.text("client").cloned();
        let Some(receiver) = self.other_id(Entity::Client, owner.as_ref()) else {
            return;
        };
        let id: Arc<str> = self.rng.id("ins_").into();
        let mut new = old.clone();
        let copies: Vec<Datum> = old
            .objects("allPianoMeasurements")
            .map(|measurement| {
                let mut copy = Record::clone(measurement);
                copy.set("id", self.rng.id("mea_"));
                copy.set("pianoId", Arc::clone(&id));
                copy.into()
            })
            .collect();
        new.set("id", id);
        new.set("client", Datum::Reference(Entity::Client, receiver));
        new.set("allPianoMeasurements", copies);
        new.set("createdAt", now.as_str());
        new.set("updatedAt", now.as_str());
        self.insert(Entity::Piano, new);
        old.set("status", "INACTIVE");
        old.set("updatedAt", now);
        self.dataset.pianos.replace(old);
    }

    /// Merges two records: the second takes over the children of the first, which is removed.
    pub(super) fn merge(&mut self, table: MirrorTable) {
        let now = self.dataset.advance_clock();
        let entity = if table == MirrorTable::Pianos { Entity::Piano } else { Entity::Client };
        let (Some(sender), Some(receiver)) = (self.choose(entity, |_| true), self.choose(entity, |_| true))
        else {
            return;
        };
        let (Some(from), Some(to)) = (sender.id().cloned(), receiver.id().cloned()) else {
            return;
        };
        if entity == Entity::Client {
            self.repoint(Entity::Piano, "client", &from, Some(&to), Some(&now));
            self.repoint(Entity::TimelineEntry, "client", &from, Some(&to), None);
        } else {
            self.repoint(Entity::TimelineEntry, "piano", &from, Some(&to), None);
            self.move_measurements(&sender, receiver, &to, &now);
        }
        self.repoint_models(entity, &from, Some(&to), &now);
        self.dataset.table_mut(entity).retain(|record| record.id() != Some(&from));
    }

    fn move_measurements(&mut self, sender: &Record, mut receiver: Record, to: &Arc<str>, now: &str) {
        let moved = sender.objects("allPianoMeasurements").map(|measurement| {
            let mut measurement = Record::clone(measurement);
            measurement.set("pianoId", Arc::clone(to));
            measurement.set("updatedAt", now);
            Datum::from(measurement)
        });
        let existing = receiver.objects("allPianoMeasurements").cloned().map(Datum::Object);
        let measurements: Vec<Datum> = existing.chain(moved).collect();
        receiver.set("allPianoMeasurements", measurements);
        receiver.set("updatedAt", now);
        self.dataset.pianos.replace(receiver);
    }

    /// Deletes a record. A client's timeline is deleted with it and its pianos have no client any more; a
    /// piano's measurements are deleted with it and its timeline entries have no piano any more.
    pub(super) fn delete(&mut self, table: MirrorTable) {
        let now = self.dataset.advance_clock();
        match table {
            MirrorTable::Timeline => {
                if let Some(id) =
                    self.choose(Entity::TimelineEntry, |_| true).and_then(|entry| entry.id().cloned())
                {
                    self.remember(Entity::TimelineEntry, &id);
                    self.dataset.timeline.retain(|entry| entry.id() != Some(&id));
                }
            }
            MirrorTable::Clients => {
                if let Some(id) =
                    self.choose(Entity::Client, |_| true).and_then(|client| client.id().cloned())
                {
                    self.remember(Entity::Client, &id);
                    self.dataset.timeline.retain(|entry| entry.text("client") != Some(&id));
                    self.repoint(Entity::Piano, "client", &id, None, Some(&now));
                    self.repoint_models(Entity::Client, &id, None, &now);
                    self.dataset.clients.retain(|client| client.id() != Some(&id));
                }
            }
            MirrorTable::Pianos => {
                if let Some(id) = self.choose(Entity::Piano, |_| true).and_then(|piano| piano.id().cloned()) {
                    self.remember(Entity::Piano, &id);
                    self.repoint(Entity::TimelineEntry, "piano", &id, None, None);
                    self.repoint_models(Entity::Piano, &id, None, &now);
                    self.dataset.pianos.retain(|piano| piano.id() != Some(&id));
                }
            }
            MirrorTable::Measurements => self.delete_measurement(),
            MirrorTable::Modelled(model) => {
                let entity = Entity::Modelled(model.id);
                if let Some(id) = self.choose(entity, |_| true).and_then(|record| record.id().cloned()) {
                    self.remember(entity, &id);
                    self.repoint_models(entity, &id, None, &now);
                    self.dataset.table_mut(entity).retain(|record| record.id() != Some(&id));
                }
            }
            // Gazelle never deletes users; they become INACTIVE.
            MirrorTable::Users => {}
        }
    }

    /// Remembers a record for a later restore.
    fn remember(&mut self, entity: Entity, id: &str) {
        let record = self.dataset.table(entity).get(id).map(Arc::clone);
        self.dataset.deleted.extend(record.map(|record| (entity, record)));
    }

    /// Restores the last deleted record, of `only` if given, without references to deleted records.
    pub(super) fn restore(&mut self, only: Option<MirrorTable>) {
        self.dataset.advance_clock();
        let entity_filter = only.and_then(MirrorTable::entity);
        let is_eligible =
            |(entity, _): &(Entity, Arc<Record>)| entity_filter.is_none_or(|only| only == *entity);
        if let Some(position) = self.dataset.deleted.iter().rposition(is_eligible) {
            let (entity, record) = self.dataset.deleted.remove(position);
            let mut record = Record::clone(&record);
            // Records that it referred to may have been deleted since.
            for field in ["client", "piano", "user", "preferredTechnician"] {
                if let Some(Datum::Reference(of, id)) = record.get(field)
                    && self.dataset.table(*of).get(id).is_none()
                {
                    record.set(field, None::<Datum>);
                }
            }
            if let Entity::Modelled(id) = entity {
                let clear_missing =
                    |of: Entity, id: &Arc<str>| self.dataset.table(of).get(id).is_none().then_some(None);
                for reference in model::find(id).map_or(&[][..], |model| model.references) {
                    reference.repoint(&mut record, &clear_missing, None);
                }
            }
            self.insert(entity, record);
        }
    }

    fn delete_measurement(&mut self) {
        let has_measurement_with_id = |piano: &Record| {
            piano.objects("allPianoMeasurements").any(|measurement| measurement.id().is_some())
        };
        let Some(mut piano) = self.choose(Entity::Piano, has_measurement_with_id) else {
            return;
        };
        let mut removed = false;
        let kept: Vec<Datum> = piano
            .objects("allPianoMeasurements")
            .filter(|measurement| {
                let is_removed = !removed && measurement.id().is_some();
                removed |= is_removed;
                !is_removed
            })
            .cloned()
            .map(Datum::Object)
            .collect();
        piano.set("allPianoMeasurements", kept);
        self.dataset.pianos.replace(piano);
    }

    /// Replaces or clears the references to one record in the records of an entity.
    fn repoint(
        &mut self,
        entity: Entity,
        field: &'static str,
        from: &Arc<str>,
        to: Option<&Arc<str>>,
        updated_at: Option<&str>,
    ) {
        let referring: Vec<Record> = self
            .dataset
            .table(entity)
            .with_ids()
            .filter(|(_, record)| record.text(field) == Some(from))
            .map(|(_, record)| Record::clone(record))
            .collect();
        for mut record in referring {
            let target = match record.get(field) {
                Some(Datum::Reference(of, _)) => to.map(|id| Datum::Reference(*of, Arc::clone(id))),
                _ => None,
            };
            record.set(field, target);
            if let Some(time) = updated_at {
                record.set("updatedAt", time);
            }
            self.dataset.table_mut(entity).replace(record);
        }
    }

    /// Replaces or clears the references to one record in the records of all models.
    fn repoint_models(&mut self, entity: Entity, from: &Arc<str>, to: Option<&Arc<str>>, now: &str) {
        let repointing = |of: Entity, id: &Arc<str>| (of == entity && id == from).then(|| to.cloned());
        for model in model::ALL {
            let table = self.dataset.table_mut(Entity::Modelled(model.id));
            let refers = |record: &Record| {
                model.references.iter().any(|reference| reference.ids(record, entity).contains(from))
            };
            let referring: Vec<Record> = table
                .with_ids()
                .filter(|(_, record)| refers(record))
                .map(|(_, record)| Record::clone(record))
                .collect();
            for mut record in referring {
                for reference in model.references {
                    reference.repoint(&mut record, &repointing, Some(now));
                }
                table.replace(record);
            }
        }
    }

    /// Draws a listed id other than `excluded`.
    fn other_id(&mut self, entity: Entity, excluded: Option<&Arc<str>>) -> Option<Arc<str>> {
        let ids: Vec<&Arc<str>> = self
            .dataset
            .table(entity)
            .with_ids()
            .map(|(id, _)| id)
            .filter(|id| Some(*id) != excluded)
            .collect();
        (!ids.is_empty()).then(|| Arc::clone(ids[self.rng.below(ids.len())]))
    }
}
