//! The changes that move or remove records: transfers, merges and deletions.

use std::sync::Arc;

use super::Change;
use crate::{
    model,
    record::{Datum, Entity, Record},
    truth::MirrorTable,
};

impl Change<'_> {
    /// A piano goes to another client: a new record with copied history, the old one INACTIVE.
    pub(super) fn transfer(&mut self) {
        let now = self.world.tick();
        let Some(mut old) = self.choose(Entity::Piano, |piano| {
            piano.get("client").is_some() && piano.text("status").map(AsRef::as_ref) == Some("ACTIVE")
        }) else {
            return;
        };
        let owner = old.text("client").cloned();
        let Some(receiver) = self.other_id(Entity::Client, owner.as_ref()) else {
            return;
        };
        let id: Arc<str> = self.dice.id("ins_").into();
        let mut new = old.clone();
        let copies: Vec<Datum> = old
            .objects("allPianoMeasurements")
            .map(|taken| {
                let mut copy = Record::clone(taken);
                copy.set("id", self.dice.id("mea_"));
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
        self.world.pianos.replace(old);
    }

    /// One record takes over the children of another, which goes.
    pub(super) fn merge(&mut self, table: MirrorTable) {
        let now = self.world.tick();
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
        self.world.table_mut(entity).retain(|record| record.id() != Some(&from));
    }

    fn move_measurements(&mut self, sender: &Record, mut receiver: Record, to: &Arc<str>, now: &str) {
        let moved = sender.objects("allPianoMeasurements").map(|taken| {
            let mut taken = Record::clone(taken);
            taken.set("pianoId", Arc::clone(to));
            taken.set("updatedAt", now);
            Datum::from(taken)
        });
        let known = receiver.objects("allPianoMeasurements").cloned().map(Datum::Object);
        let measurements: Vec<Datum> = known.chain(moved).collect();
        receiver.set("allPianoMeasurements", measurements);
        receiver.set("updatedAt", now);
        self.world.pianos.replace(receiver);
    }

    /// Removes a record. The timeline of a client goes with it and its pianos lose their client; the
    /// measurements of a piano go with it and its timeline loses the piano.
    pub(super) fn delete(&mut self, table: MirrorTable) {
        let now = self.world.tick();
        match table {
            MirrorTable::Timeline => {
                if let Some(id) =
                    self.choose(Entity::TimelineEntry, |_| true).and_then(|entry| entry.id().cloned())
                {
                    self.bury(Entity::TimelineEntry, &id);
                    self.world.timeline.retain(|entry| entry.id() != Some(&id));
                }
            }
            MirrorTable::Clients => {
                if let Some(id) =
                    self.choose(Entity::Client, |_| true).and_then(|client| client.id().cloned())
                {
                    self.bury(Entity::Client, &id);
                    self.world.timeline.retain(|entry| entry.text("client") != Some(&id));
                    self.repoint(Entity::Piano, "client", &id, None, Some(&now));
                    self.repoint_models(Entity::Client, &id, None, &now);
                    self.world.clients.retain(|client| client.id() != Some(&id));
                }
            }
            MirrorTable::Pianos => {
                if let Some(id) = self.choose(Entity::Piano, |_| true).and_then(|piano| piano.id().cloned()) {
                    self.bury(Entity::Piano, &id);
                    self.repoint(Entity::TimelineEntry, "piano", &id, None, None);
                    self.repoint_models(Entity::Piano, &id, None, &now);
                    self.world.pianos.retain(|piano| piano.id() != Some(&id));
                }
            }
            MirrorTable::Measurements => self.delete_measurement(),
            MirrorTable::Modelled(model) => {
                let entity = Entity::Modelled(model);
                if let Some(id) = self.choose(entity, |_| true).and_then(|record| record.id().cloned()) {
                    self.bury(entity, &id);
                    self.repoint_models(entity, &id, None, &now);
                    self.world.table_mut(entity).retain(|record| record.id() != Some(&id));
                }
            }
            // Users are never deleted over there, only made INACTIVE.
            MirrorTable::Users => {}
        }
    }

    fn bury(&mut self, entity: Entity, id: &str) {
        let record = self.world.table(entity).find(id).map(Arc::clone);
        self.world.removed.extend(record.map(|record| (entity, record)));
    }

    /// A deleted record is listed again, as it was.
    pub(super) fn restore(&mut self, only: Option<MirrorTable>) {
        self.world.tick();
        let wanted = only.and_then(MirrorTable::entity);
        let fits = |(entity, _): &(Entity, Arc<Record>)| wanted.is_none_or(|wanted| wanted == *entity);
        if let Some(place) = self.world.removed.iter().rposition(fits) {
            let (entity, record) = self.world.removed.remove(place);
            let mut record = Record::clone(&record);
            // What it referred to may have gone meanwhile.
            for field in ["client", "piano", "user", "preferredTechnician"] {
                if let Some(Datum::Reference(of, id)) = record.get(field)
                    && self.world.table(*of).find(id).is_none()
                {
                    record.set(field, None::<Datum>);
                }
            }
            if let Entity::Modelled(model) = entity {
                let gone =
                    |of: Entity, id: &Arc<str>| self.world.table(of).find(id).is_none().then_some(None);
                for reference in model.references {
                    reference.repoint(&mut record, &gone, None);
                }
            }
            self.insert(entity, record);
        }
    }

    fn delete_measurement(&mut self) {
        let has_named =
            |piano: &Record| piano.objects("allPianoMeasurements").any(|taken| taken.id().is_some());
        let Some(mut piano) = self.choose(Entity::Piano, has_named) else {
            return;
        };
        let mut removed = false;
        let kept: Vec<Datum> = piano
            .objects("allPianoMeasurements")
            .filter(|taken| {
                let goes = !removed && taken.id().is_some();
                removed |= goes;
                !goes
            })
            .cloned()
            .map(Datum::Object)
            .collect();
        piano.set("allPianoMeasurements", kept);
        self.world.pianos.replace(piano);
    }

    /// Makes what refers to one record refer to another, or to none.
    fn repoint(
        &mut self,
        entity: Entity,
        field: &'static str,
        from: &Arc<str>,
        to: Option<&Arc<str>>,
        updated_at: Option<&str>,
    ) {
        let referring: Vec<Record> = self
            .world
            .table(entity)
            .identified()
            .filter(|(_, record)| record.text(field) == Some(from))
            .map(|(_, record)| Record::clone(record))
            .collect();
        for mut record in referring {
            let target = match record.get(field) {
                Some(Datum::Reference(of, _)) => to.map(|id| Datum::Reference(*of, Arc::clone(id))),
                _ => None,
            };
            record.set(field, target);
            if let Some(moment) = updated_at {
                record.set("updatedAt", moment);
            }
            self.world.table_mut(entity).replace(record);
        }
    }

    /// The same for what the records of the models name.
    fn repoint_models(&mut self, entity: Entity, from: &Arc<str>, to: Option<&Arc<str>>, now: &str) {
        let moved = |of: Entity, id: &Arc<str>| (of == entity && id == from).then(|| to.cloned());
        for model in model::ALL {
            let table = self.world.table_mut(Entity::Modelled(model));
            let names = |record: &Record| {
                model.references.iter().any(|reference| reference.named(record, entity).contains(from))
            };
            let naming: Vec<Record> = table
                .identified()
                .filter(|(_, record)| names(record))
                .map(|(_, record)| Record::clone(record))
                .collect();
            for mut record in naming {
                for reference in model.references {
                    reference.repoint(&mut record, &moved, Some(now));
                }
                table.replace(record);
            }
        }
    }

    fn other_id(&mut self, entity: Entity, than: Option<&Arc<str>>) -> Option<Arc<str>> {
        let ids: Vec<&Arc<str>> =
            self.world.table(entity).identified().map(|(id, _)| id).filter(|id| Some(*id) != than).collect();
        (!ids.is_empty()).then(|| Arc::clone(ids[self.dice.below(ids.len())]))
    }
}
