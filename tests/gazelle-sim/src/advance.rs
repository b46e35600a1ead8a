//! Lets time pass: records come, change, move and go; the report says exactly which.

mod moves;

use std::{collections::HashSet, sync::Arc};

use chrono::Duration;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use crate::{
    clock,
    dice::Dice,
    generate::{self, EntrySubject, PianoOwner},
    model::{Cast, Model},
    record::{Datum, Entity, Record},
    truth::MirrorTable,
    world::World,
};

/// How much shall happen; each number is spread over the tables unless `entity` names one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Advance {
    creates: usize,
    edits: usize,
    late_edits: usize,
    deletes: usize,
    merges: usize,
    transfers: usize,
    /// Deleted records that return as they were, the latest first.
    restores: usize,
    entity: Option<String>,
}

const CREATED_AND_EDITED: &[MirrorTable] =
    &[MirrorTable::Timeline, MirrorTable::Clients, MirrorTable::Pianos, MirrorTable::Users];
const DELETED: &[MirrorTable] =
    &[MirrorTable::Timeline, MirrorTable::Clients, MirrorTable::Pianos, MirrorTable::Measurements];
const MERGED: &[MirrorTable] = &[MirrorTable::Clients, MirrorTable::Pianos];

/// Late edits touch timeline entries this many days old.
const LATE_EDIT_DAYS: (i64, i64) = (10, 40);

/// One advance under way.
struct Change<'a> {
    world: &'a mut World,
    dice: Dice,
    /// Records already touched by this advance: nothing happens to a record twice.
    touched: HashSet<Arc<str>>,
    /// Whom and what records of models can be about, once one needed it. What was made since is missing from
    /// it; nothing goes before all is made and edited.
    cast: Option<Cast>,
}

/// Changes the world and reports, by table, the ids created, edited and deleted.
pub(crate) fn advance(world: &mut World, wanted: &Advance) -> Result<Json, String> {
    let only = match &wanted.entity {
        None => None,
        Some(name) => Some(MirrorTable::named(name).ok_or_else(|| format!("Unknown entity {name}"))?),
    };
    let before = world.clone();
    let dice = world.dice();
    let mut change = Change { world, dice, touched: HashSet::new(), cast: None };
    let over = |tables: &[MirrorTable], count: usize| -> Vec<MirrorTable> {
        (0..count).map(|index| only.unwrap_or(tables[index % tables.len()])).collect()
    };
    // The tables of the models come last: few changes concern the others as if there were no models.
    let with_models = |tables: &[MirrorTable]| -> Vec<_> {
        tables.iter().copied().chain(MirrorTable::modelled()).collect()
    };
    let (made, deleted) = (with_models(CREATED_AND_EDITED), with_models(DELETED));
    for table in over(&made, wanted.creates) {
        change.create(table);
    }
    for table in over(&made, wanted.edits) {
        change.edit(table);
    }
    (0..wanted.late_edits).for_each(|_| change.edit_late());
    (0..wanted.transfers).for_each(|_| change.transfer());
    for table in over(MERGED, wanted.merges) {
        change.merge(table);
    }
    for table in over(&deleted, wanted.deletes) {
        change.delete(table);
    }
    (0..wanted.restores).for_each(|_| change.restore(only));
    Ok(difference(&before, world))
}

/// Adds an entry at the head of the timeline, before any planned one: every later page shifts by one.
pub(crate) fn shift_timeline(world: &mut World) {
    world.tick();
    let newest = world.timeline.records().next().and_then(|entry| clock::parse(entry.text("occurredAt")?));
    let occurred = newest.unwrap_or(world.clock).max(world.clock) + Duration::seconds(60);
    let mut dice = world.dice();
    let Some(client) = world.clients.identified().map(|(id, _)| Arc::clone(id)).next() else {
        return;
    };
    let subject = EntrySubject { client, piano: None, user: None };
    let entry = generate::scheduled_entry(&mut dice, &subject, occurred);
    world.timeline.insert(entry);
}

/// What differs between two states in what a perfect mirror holds.
fn difference(before: &World, after: &World) -> Json {
    let mut report = Map::new();
    for table in MirrorTable::all() {
        let (old, new) = (table.records(before), table.records(after));
        let mut created: Vec<&str> = Vec::new();
        let mut edited: Vec<&str> = Vec::new();
        for (id, record) in &new {
            match old.get(id) {
                None => created.push(id),
                Some(known) if Arc::ptr_eq(known, record) => {}
                Some(known) => {
                    if !table.shows_alike(known, record) {
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
        let moved = json!({"created": created, "edited": edited, "deleted": deleted});
        report.insert(table.name().to_owned(), moved);
    }
    Json::Object(report)
}

impl Change<'_> {
    /// A listed record with an id that this advance has not touched, and now has.
    fn choose(&mut self, entity: Entity, mut fits: impl FnMut(&Record) -> bool) -> Option<Record> {
        let slots = self.world.table(entity).slots();
        let start = self.dice.below(slots.len());
        let (head, tail) = slots.split_at(start);
        let chosen = tail
            .iter()
            .chain(head)
            .filter_map(|slot| slot.record.as_ref())
            .find(|record| record.id().is_some_and(|id| !self.touched.contains(id)) && fits(record))?;
        let chosen = Record::clone(chosen);
        self.touched.extend(chosen.id().cloned());
        Some(chosen)
    }

    /// Any listed id, touched or not.
    fn any_id(&mut self, entity: Entity) -> Option<Arc<str>> {
        let ids: Vec<&Arc<str>> = self.world.table(entity).identified().map(|(id, _)| id).collect();
        (!ids.is_empty()).then(|| Arc::clone(ids[self.dice.below(ids.len())]))
    }

    fn insert(&mut self, entity: Entity, record: Record) {
        self.touched.extend(record.id().cloned());
        self.world.table_mut(entity).insert(record);
    }

    fn create(&mut self, table: MirrorTable) {
        self.world.tick();
        let now = self.world.clock;
        match table {
            MirrorTable::Users => {
                let number = 1000 + self.dice.below(1_000_000);
                let user = generate::user(&mut self.dice, now, number);
                self.insert(Entity::User, user);
            }
            MirrorTable::Clients => {
                let technicians: Vec<_> =
                    self.world.users.identified().map(|(id, _)| Arc::clone(id)).collect();
                let client = generate::client(&mut self.dice, now, &technicians);
                self.insert(Entity::Client, client);
            }
            MirrorTable::Pianos => {
                let owner = self.any_id(Entity::Client);
                let mut piano = generate::piano(&mut self.dice, now, &PianoOwner(owner.as_ref()));
                if let Some(id) = piano.id().cloned() {
                    let taken = generate::measurement(&mut self.dice, &id, now);
                    piano.set("allPianoMeasurements", vec![Datum::from(taken)]);
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
                let entry = generate::service_entry(&mut self.dice, &subject, now);
                self.insert(Entity::TimelineEntry, entry);
            }
            MirrorTable::Measurements => {
                let Some(mut piano) = self.choose(Entity::Piano, |_| true) else {
                    return;
                };
                let Some(id) = piano.id().cloned() else {
                    return;
                };
                let taken = generate::measurement(&mut self.dice, &id, now);
                let known = piano.objects("allPianoMeasurements").cloned().map(Datum::Object);
                let measurements: Vec<Datum> = known.chain([taken.into()]).collect();
                piano.set("allPianoMeasurements", measurements);
                self.world.pianos.replace(piano);
            }
            MirrorTable::Modelled(model) => {
                let cast = self.cast.get_or_insert_with(|| Cast::of(self.world));
                cast.now = now;
                if let Some(record) = (model.create)(&mut self.dice, cast) {
                    self.insert(Entity::Modelled(model), record);
                }
            }
        }
    }

    /// Changes a visible text, and never empties anything.
    fn edit(&mut self, table: MirrorTable) {
        let now = self.world.tick();
        match table {
            MirrorTable::Users => {
                if let Some(mut user) = self.choose(Entity::User, |_| true) {
                    let color = u32::from_str_radix(user.text("color").map_or("0", |text| &text[1..]), 16);
                    user.set("color", format!("#{:06x}", (color.unwrap_or(0) + 1) & 0x00ff_ffff));
                    user.set("updatedAt", now);
                    self.world.users.replace(user);
                }
            }
            MirrorTable::Clients => {
                if let Some(mut client) = self.choose(Entity::Client, |_| true) {
                    let moved = self.dice.chance(0.5) && move_to_another_city(&mut client);
                    if !moved {
                        client.amend("preferenceNotes", &now);
                    }
                    client.set("updatedAt", now);
                    self.world.clients.replace(client);
                }
            }
            MirrorTable::Pianos => {
                if let Some(mut piano) = self.choose(Entity::Piano, |_| true) {
                    piano.amend("location", &now);
                    piano.set("updatedAt", now);
                    self.world.pianos.replace(piano);
                }
            }
            MirrorTable::Timeline => self.edit_entry(&now, |_| true),
            MirrorTable::Measurements => self.edit_measurement(&now),
            MirrorTable::Modelled(model) => self.edit_modelled(model, &now),
        }
    }

    fn edit_modelled(&mut self, model: &'static Model, now: &str) {
        let entity = Entity::Modelled(model);
        let present = self.world.clock;
        let is_near = |record: &Record| {
            let date = record.text(model.date_field).and_then(|text| clock::parse(text));
            let days = date.map_or(0, |date| (date - present).num_days());
            model.edited_days.is_none_or(|(first, last)| (first..=last).contains(&days))
        };
        if let Some(mut record) = self.choose(entity, is_near) {
            let cast = self.cast.get_or_insert_with(|| Cast::of(self.world));
            cast.now = self.world.clock;
            (model.edit)(&mut self.dice, &mut record, cast);
            record.set("updatedAt", now);
            // The date by which it is listed may have changed.
            self.world.table_mut(entity).relist(record);
        }
    }

    fn edit_entry(&mut self, now: &str, fits: impl FnMut(&Record) -> bool) {
        if let Some(mut entry) = self.choose(Entity::TimelineEntry, fits) {
            let field = if self.dice.chance(0.7) { "comment" } else { "summary" };
            entry.amend(field, now);
            self.world.timeline.replace(entry);
        }
    }

    fn edit_late(&mut self) {
        let now = self.world.tick();
        let (youngest, oldest) = LATE_EDIT_DAYS;
        let from = clock::stamp(self.world.clock - Duration::days(oldest));
        let to = clock::stamp(self.world.clock - Duration::days(youngest));
        // Timestamps of one format sort as text.
        self.edit_entry(&now, |entry| {
            entry.text("occurredAt").is_some_and(|at| (from.as_str()..=to.as_str()).contains(&at.as_ref()))
        });
    }

    fn edit_measurement(&mut self, now: &str) {
        let has_named =
            |piano: &Record| piano.objects("allPianoMeasurements").any(|taken| taken.id().is_some());
        let Some(mut piano) = self.choose(Entity::Piano, has_named) else {
            return;
        };
        let mut changed = false;
        let measurements: Vec<Datum> = piano
            .objects("allPianoMeasurements")
            .map(|taken| {
                if changed || taken.id().is_none() {
                    return Datum::Object(Arc::clone(taken));
                }
                changed = true;
                let mut taken = Record::clone(taken);
                let humidity = if taken.get("humidity") == Some(&Datum::Int(44)) { 45_i64 } else { 44 };
                taken.set("humidity", humidity);
                taken.set("updatedAt", now);
                taken.into()
            })
            .collect();
        piano.set("allPianoMeasurements", measurements);
        self.world.pianos.replace(piano);
    }
}

fn move_to_another_city(client: &mut Record) -> bool {
    let Some(contact) = client.object("defaultContact") else {
        return false;
    };
    let Some(location) = contact.object("defaultLocation") else {
        return false;
    };
    let (mut contact, mut location) = (Record::clone(contact), Record::clone(location));
    let away = location.text("municipality").map(AsRef::as_ref) == Some("Laval-des-Gammes");
    location.set("municipality", if away { "Harmonieville" } else { "Laval-des-Gammes" });
    contact.set("defaultLocation", location);
    client.set("defaultContact", contact);
    true
}
