//! Edits of existing records.

use std::sync::Arc;

use chrono::Duration;

use super::mutator::Mutator;
use crate::{
    datetime,
    entity::Entity,
    mirror::MirrorTable,
    model::{definition::Model, pool::ReferencePool},
    record::{Datum, Record},
};

/// Age of the timeline entries that late edits change, in days.
const LATE_EDIT_DAYS: (i64, i64) = (10, 40);

impl Mutator<'_> {
    /// Edits a visible field of a record in a table; never clears one.
    pub(super) fn edit(&mut self, table: MirrorTable) {
        let now = self.dataset.advance_clock();
        match table {
            MirrorTable::Users => {
                if let Some(mut user) = self.choose(Entity::User, |_| true) {
                    let color = u32::from_str_radix(user.text("color").map_or("0", |text| &text[1..]), 16);
                    user.set("color", format!("#{:06x}", (color.unwrap_or(0) + 1) & 0x00ff_ffff));
                    user.set("updatedAt", now);
                    self.dataset.users.replace(user);
                }
            }
            MirrorTable::Clients => {
                if let Some(mut client) = self.choose(Entity::Client, |_| true) {
                    let is_moved = self.rng.chance(0.5) && change_city(&mut client);
                    if !is_moved {
                        client.append_correction("preferenceNotes", &now);
                    }
                    client.set("updatedAt", now);
                    self.dataset.clients.replace(client);
                }
            }
            MirrorTable::Pianos => {
                if let Some(mut piano) = self.choose(Entity::Piano, |_| true) {
                    piano.append_correction("location", &now);
                    piano.set("updatedAt", now);
                    self.dataset.pianos.replace(piano);
                }
            }
            MirrorTable::Timeline => self.edit_entry(&now, |_| true),
            MirrorTable::Measurements => self.edit_measurement(&now),
            MirrorTable::Modelled(model) => self.edit_modelled(model, &now),
        }
    }

    fn edit_modelled(&mut self, model: &'static Model, now: &str) {
        let entity = Entity::Modelled(model.id);
        let now_utc = self.dataset.now;
        let is_editable = |record: &Record| {
            let date = record.text(model.date_field).and_then(|text| datetime::parse(text));
            let days = date.map_or(0, |date| (date - now_utc).num_days());
            model.editable_days.is_none_or(|(first, last)| (first..=last).contains(&days))
        };
        if let Some(mut record) = self.choose(entity, is_editable) {
            let pool = self.pool.get_or_insert_with(|| ReferencePool::new(self.dataset));
            pool.now = self.dataset.now;
            (model.edit)(&mut self.rng, &mut record, pool);
            record.set("updatedAt", now);
            // The date by which the listing is sorted may have changed.
            self.dataset.table_mut(entity).reposition(record);
        }
    }

    fn edit_entry(&mut self, now: &str, is_eligible: impl FnMut(&Record) -> bool) {
        if let Some(mut entry) = self.choose(Entity::TimelineEntry, is_eligible) {
            let field = if self.rng.chance(0.7) { "comment" } else { "summary" };
            entry.append_correction(field, now);
            self.dataset.timeline.replace(entry);
        }
    }

    /// Edits a timeline entry whose age is within `LATE_EDIT_DAYS`.
    pub(super) fn edit_late(&mut self) {
        let now = self.dataset.advance_clock();
        let (youngest, oldest) = LATE_EDIT_DAYS;
        let from = datetime::format(self.dataset.now - Duration::days(oldest));
        let to = datetime::format(self.dataset.now - Duration::days(youngest));
        // Timestamps of one format sort as text.
        self.edit_entry(&now, |entry| {
            entry.text("occurredAt").is_some_and(|at| (from.as_str()..=to.as_str()).contains(&at.as_ref()))
        });
    }

    fn edit_measurement(&mut self, now: &str) {
        let has_measurement_with_id = |piano: &Record| {
            piano.objects("allPianoMeasurements").any(|measurement| measurement.id().is_some())
        };
        let Some(mut piano) = self.choose(Entity::Piano, has_measurement_with_id) else {
            return;
        };
        let mut changed = false;
        let measurements: Vec<Datum> = piano
            .objects("allPianoMeasurements")
            .map(|measurement| {
                if changed || measurement.id().is_none() {
                    return Datum::Object(Arc::clone(measurement));
                }
                changed = true;
                let mut measurement = Record::clone(measurement);
                let humidity = if measurement.get("humidity") == Some(&Datum::Int(44)) { 45_i64 } else { 44 };
                measurement.set("humidity", humidity);
                measurement.set("updatedAt", now);
                measurement.into()
            })
            .collect();
        piano.set("allPianoMeasurements", measurements);
        self.dataset.pianos.replace(piano);
    }
}

/// Changes the city of a client's location; returns false if there is no location.
fn change_city(client: &mut Record) -> bool {
    let Some(contact) = client.object("defaultContact") else {
        return false;
    };
    let Some(location) = contact.object("defaultLocation") else {
        return false;
    };
    let (mut contact, mut location) = (Record::clone(contact), Record::clone(location));
    let is_changed = location.text("municipality").map(AsRef::as_ref) == Some("Laval-des-Gammes");
    location.set("municipality", if is_changed { "Harmonieville" } else { "Laval-des-Gammes" });
    contact.set("defaultLocation", location);
    client.set("defaultContact", contact);
    true
}
