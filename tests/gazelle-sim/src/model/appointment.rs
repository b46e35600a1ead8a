//! Model of `PrivateEvent`, called appointment in the mirror.

mod columns;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{
    definition::{Filter, Model},
    pool::ReferencePool,
    reference::Reference,
};
use crate::{
    dataset::Dataset,
    datetime,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::{huge_text, optional_bool, optional_text, reference, spread},
};

/// Definition of the appointments model.
pub(super) static APPOINTMENT: Model = Model {
    id: columns::ID,
    listing: "allEventsBatched",
    lookup: ("event", "eventId"),
    date_field: "start",
    sort_key: "START",
    count: |config| config.clients * 3 / 2,
    populate,
    add_oddities,
    create,
    editable_days: Some((-28, 85)),
    edit,
    filters: &[
        ("dateGet", Filter::DayGet("start")),
        ("dateLet", Filter::DayLet("start")),
        ("startOn", Filter::DayGet("start")),
        ("endOn", Filter::DayLet("start")),
        ("status", Filter::OneOf(&["status"])),
        ("type", Filter::OneOf(&["type"])),
        ("clientId", Filter::OneOf(&["client"])),
        ("userId", Filter::OneOf(&["user"])),
        ("pianoId", Filter::AnyOf("allEventPianos", "piano")),
    ],
    references: &[
        Reference::field("client", Entity::Client),
        Reference::field("user", Entity::User),
        Reference::field("createdBy", Entity::User),
        Reference::in_list("allEventPianos", "piano", Entity::Piano).required(),
    ],
    columns: columns::APPOINTMENTS,
    child_tables: columns::CHILD_TABLES,
};

/// Range of days from the current time in which a third of the appointments start.
const NEAR_DAYS: (i64, i64) = (-30, 90);
/// Range of days from the current time in which all appointments start.
const ALL_DAYS: (i64, i64) = (-2 * 365, 200);
const PIANOS_MAX: usize = 4;
/// Number of appointments that get an oddity.
const ODDITIES: usize = 8;

const STATUS_CYCLE: &[&str] = &["ACTIVE", "COMPLETE", "NO_SHOW", "CANCELED"];
const TITLES: &[&str] = &["Accord", "Accord & réglage", "Concert 🎹 — salle \"B\"", "Livraison", "Dîner"];
const NOTES: &[&str] = &[
    "Clé chez la voisine",
    "Deux pianos\ndont un à l'étage",
    "Appeler avant \\ après 17 h",
    "Stationnement : non",
];

fn populate(rng: &mut SeededRng, pool: &ReferencePool) -> Option<Record> {
    let (near, all) = (NEAR_DAYS, ALL_DAYS);
    let days = if rng.chance(1.0 / 3.0) {
        rng.between(near.0, near.1)
    } else {
        // Drawn from the range without the near days, then shifted past them.
        let width = near.1 - near.0 + 1;
        let days = rng.between(all.0, all.1 - width);
        if days < near.0 { days } else { days + width }
    };
    appointment(rng, pool, days, None)
}

fn create(rng: &mut SeededRng, pool: &ReferencePool) -> Option<Record> {
    let days = rng.between(1, 60);
    appointment(rng, pool, days, Some(pool.now))
}

/// Generates an appointment that starts `days` from the current day.
fn appointment(
    rng: &mut SeededRng,
    pool: &ReferencePool,
    days: i64,
    created: Option<DateTime<Utc>>,
) -> Option<Record> {
    let kind = match rng.below(10) {
        0 => rng.choose(&["PERSONAL", "MEMO"]),
        1 => rng.choose(&["PERSONAL", "MEMO", "SYNCED"]),
        _ => "APPOINTMENT",
    };
    let is_visit = kind == "APPOINTMENT";
    let is_all_day = !is_visit && rng.chance(0.3);
    let minutes = if is_all_day {
        0
    } else if rng.chance(0.1) {
        // Late enough to be the next day in UTC.
        15 * rng.between(20 * 4, 22 * 4)
    } else {
        15 * rng.between(8 * 4, 17 * 4)
    };
    let start = datetime::from_local(datetime::local_day(pool.now) + Duration::days(days), minutes);
    let created =
        created.unwrap_or_else(|| start.min(pool.now) - Duration::minutes(rng.between(0, 60 * 24 * 60)));
    let client = if is_visit { Some(pool.client(rng)?) } else { None };
    let id: Arc<str> = rng.id("evt_").into();
    let pianos = pianos(rng, pool, &id, client.and_then(|client| client.id()));
    let is_past = start < pool.now;
    let status = match rng.below(10) {
        0 => "CANCELED",
        1 if is_past => "NO_SHOW",
        _ if is_past => "COMPLETE",
        _ => "ACTIVE",
    };
    let (title, note) = (rng.choose(TITLES), rng.choose(NOTES));
    let is_confirmed = is_visit && rng.chance(0.6);
    let mut appointment = Record::new()
        .with("id", id)
        .with("type", kind)
        .with("status", status)
        .with("title", optional_text(rng, 0.9, title))
        .with("notes", optional_text(rng, 0.4, note))
        .with("start", datetime::format(start))
        .with("duration", (!is_all_day).then(|| 15 * rng.between(2, 16)))
        .with("buffer", rng.chance(0.5).then(|| 15 * rng.between(0, 2)))
        .with("isAllDay", is_all_day)
        .with("timezone", "America/Montreal")
        .with("client", client.and_then(|client| client.id()).map(|id| reference(Entity::Client, id)))
        .with("user", pool.user(rng, 0.95))
        .with("createdBy", pool.user(rng, 0.9))
        .with("allEventPianos", pianos)
        .with("confirmedAt", is_confirmed.then(|| datetime::format(created)))
        .with("confirmedByClient", if is_visit { Some(is_confirmed && rng.chance(0.7)) } else { None })
        .with(
            "confirmationWarning",
            rng.chance(0.8).then(|| rng.choose(&["NONE", "NONE", "NOTICE", "CRITICAL"])),
        )
        .with("travelMode", rng.chance(0.6).then(|| rng.choose(&["DRIVING", "DRIVING", "TRANSIT"])))
        .with("lifecycleState", is_visit.then(|| rng.choose(&["RESERVED", "SCHEDULED", "waiting_for_reply"])))
        .with("source", rng.chance(0.7).then(|| rng.choose(&["MANUAL", "SELF_SCHEDULER"])))
        .with("recurrenceId", rng.chance(0.05).then(|| rng.id("rec_")))
        .with("isTypeChangeable", optional_bool(rng, 0.5))
        .with("createdAt", datetime::format(created))
        .with("updatedAt", datetime::format(created));
    if let Some(client) = client {
        set_location(&mut appointment, client);
    }
    Some(appointment)
}

/// Draws `PrivateEventPiano` records for some pianos of a client.
fn pianos(rng: &mut SeededRng, pool: &ReferencePool, id: &Arc<str>, client: Option<&Arc<str>>) -> Vec<Datum> {
    let pianos = pool.pianos_of(rng, client, PIANOS_MAX);
    pianos.into_iter().map(|piano| event_piano(id, piano, rng.chance(0.8)).into()).collect()
}

fn event_piano(id: &Arc<str>, piano: impl Into<Datum>, is_tuning: bool) -> Record {
    Record::new()
        .with("event", reference(Entity::Modelled(columns::ID), id))
        .with("piano", piano)
        .with("isTuning", is_tuning)
}

/// Copies the client's location to the appointment, if there is one.
fn set_location(appointment: &mut Record, client: &Record) {
    let Some(home) = client.object("defaultContact").and_then(|contact| contact.object("defaultLocation"))
    else {
        return;
    };
    let mut location = Record::new().with("locationType", "ADDRESS");
    for field in ["id", "street1", "street2", "municipality", "region", "postalCode", "countryCode"] {
        location.set(field, home.get(field).cloned());
    }
    let line = ["street1", "municipality"].map(|field| home.text(field).map_or("", AsRef::as_ref)).join(", ");
    location.set("singleLineAddress", line.as_str());
    appointment.set("location", location);
    appointment.set("addressLine", line);
}

fn edit(rng: &mut SeededRng, appointment: &mut Record, pool: &ReferencePool) {
    let now = datetime::format(pool.now);
    let start = appointment.text("start").and_then(|text| datetime::parse(text));
    match (rng.below(5), start) {
        (0 | 1, Some(start)) => {
            let by = if rng.chance(0.5) {
                Duration::days(rng.between(1, 14))
            } else {
                Duration::hours(rng.between(1, 5))
            };
            let moved = if rng.chance(0.8) { start + by } else { start - by };
            appointment.set("start", datetime::format(moved));
        }
        (2, _) => {
            let status = appointment.text("status").map(AsRef::as_ref);
            let position = STATUS_CYCLE.iter().position(|known| Some(*known) == status);
            let next = position.map_or(0, |position| (position + 1) % STATUS_CYCLE.len());
            appointment.set("status", STATUS_CYCLE[next]);
        }
        (3, _) => {
            appointment.set("confirmedAt", now);
            appointment.set("confirmedByClient", true);
            appointment.set("confirmationWarning", "NONE");
        }
        _ => appointment.append_correction("notes", &now),
    }
}

/// Adds oddities to some appointments: unlisted references, no client, a new status, huge notes, a negative
/// duration.
fn add_oddities(_: &mut SeededRng, appointments: &mut [Record], dataset: &Dataset) {
    let unlisted =
        |entity: Entity| dataset.table(entity).unlisted_ids().first().map(|id| reference(entity, id));
    for (index, position) in spread(appointments.len(), ODDITIES).into_iter().enumerate() {
        let appointment = &mut appointments[position];
        match index {
            0 => {
                appointment.set("type", "APPOINTMENT");
                appointment.set("client", unlisted(Entity::Client));
            }
            1 => appointment.set("user", unlisted(Entity::User)),
            2 => {
                let Some((id, piano)) = appointment.id().cloned().zip(unlisted(Entity::Piano)) else {
                    continue;
                };
                appointment.set("type", "APPOINTMENT");
                appointment.set("allEventPianos", vec![event_piano(&id, piano, true).into()]);
            }
            3 => {
                appointment.set("type", "APPOINTMENT");
                appointment.set("client", Datum::Null);
            }
            4 | 7 => appointment.set("status", "RESCHEDULED"),
            5 => appointment.set("notes", huge_text()),
            _ => appointment.set("duration", -45_i64),
        }
    }
}
