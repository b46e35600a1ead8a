//! `PrivateEvent`, which people call an appointment: who is where when, for which client and pianos.

mod columns;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{Cast, Filter, Model, Reference};
use crate::{
    clock,
    dice::Dice,
    generate::{huge_text, perhaps, perhaps_flag, reference, spread},
    record::{Datum, Entity, Record},
    world::World,
};

/// All about appointments.
pub(super) static APPOINTMENT: Model = Model {
    name: "appointments",
    root: "allEventsBatched",
    by_id: ("event", "eventId"),
    date_field: "start",
    sort: "START",
    count: |config| config.clients * 3 / 2,
    populate,
    make_odd,
    create,
    edited_days: Some((-28, 85)),
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
        Reference::own("client", Entity::Client),
        Reference::own("user", Entity::User),
        Reference::own("createdBy", Entity::User),
        Reference::within("allEventPianos", "piano", Entity::Piano).essential(),
    ],
    columns: columns::APPOINTMENTS,
    parts: columns::PARTS,
};

/// The days from the present within which a third of the appointments lie, and all of them.
const NEAR_DAYS: (i64, i64) = (-30, 90);
const ALL_DAYS: (i64, i64) = (-2 * 365, 200);
const PIANOS_MAX: usize = 4;
/// How many oddities there are.
const ODDITIES: usize = 8;

const STATUS_CYCLE: &[&str] = &["ACTIVE", "COMPLETE", "NO_SHOW", "CANCELED"];
const TITLES: &[&str] = &["Accord", "Accord & réglage", "Concert 🎹 — salle \"B\"", "Livraison", "Dîner"];
const NOTES: &[&str] = &[
    "Clé chez la voisine",
    "Deux pianos\ndont un à l'étage",
    "Appeler avant \\ après 17 h",
    "Stationnement : non",
];

fn populate(dice: &mut Dice, cast: &Cast) -> Option<Record> {
    let (near, all) = (NEAR_DAYS, ALL_DAYS);
    let days = if dice.chance(1.0 / 3.0) {
        dice.between(near.0, near.1)
    } else {
        // The days before and after the near ones, as if there were none between.
        let width = near.1 - near.0 + 1;
        let days = dice.between(all.0, all.1 - width);
        if days < near.0 { days } else { days + width }
    };
    appointment(dice, cast, days, None)
}

fn create(dice: &mut Dice, cast: &Cast) -> Option<Record> {
    let days = dice.between(1, 60);
    appointment(dice, cast, days, Some(cast.now))
}

/// An appointment so many days from the present.
fn appointment(dice: &mut Dice, cast: &Cast, days: i64, created: Option<DateTime<Utc>>) -> Option<Record> {
    let kind = match dice.below(10) {
        0 => dice.pick(&["PERSONAL", "MEMO"]),
        1 => dice.pick(&["PERSONAL", "MEMO", "SYNCED"]),
        _ => "APPOINTMENT",
    };
    let is_visit = kind == "APPOINTMENT";
    let is_all_day = !is_visit && dice.chance(0.3);
    let minutes = if is_all_day {
        0
    } else if dice.chance(0.1) {
        // So late that in UTC it is the next day.
        15 * dice.between(20 * 4, 22 * 4)
    } else {
        15 * dice.between(8 * 4, 17 * 4)
    };
    let start = clock::at_local(clock::local_day(cast.now) + Duration::days(days), minutes);
    let created =
        created.unwrap_or_else(|| start.min(cast.now) - Duration::minutes(dice.between(0, 60 * 24 * 60)));
    let client = if is_visit { Some(cast.client(dice)?) } else { None };
    let id: Arc<str> = dice.id("evt_").into();
    let pianos = pianos(dice, cast, &id, client.and_then(|client| client.id()));
    let is_past = start < cast.now;
    let status = match dice.below(10) {
        0 => "CANCELED",
        1 if is_past => "NO_SHOW",
        _ if is_past => "COMPLETE",
        _ => "ACTIVE",
    };
    let (title, note) = (dice.pick(TITLES), dice.pick(NOTES));
    let is_confirmed = is_visit && dice.chance(0.6);
    let mut appointment = Record::new()
        .with("id", id)
        .with("type", kind)
        .with("status", status)
        .with("title", perhaps(dice, 0.9, title))
        .with("notes", perhaps(dice, 0.4, note))
        .with("start", clock::stamp(start))
        .with("duration", (!is_all_day).then(|| 15 * dice.between(2, 16)))
        .with("buffer", dice.chance(0.5).then(|| 15 * dice.between(0, 2)))
        .with("isAllDay", is_all_day)
        .with("timezone", "America/Montreal")
        .with("client", client.and_then(|client| client.id()).map(|id| reference(Entity::Client, id)))
        .with("user", cast.user(dice, 0.95))
        .with("createdBy", cast.user(dice, 0.9))
        .with("allEventPianos", pianos)
        .with("confirmedAt", is_confirmed.then(|| clock::stamp(created)))
        .with("confirmedByClient", if is_visit { Some(is_confirmed && dice.chance(0.7)) } else { None })
        .with(
            "confirmationWarning",
            dice.chance(0.8).then(|| dice.pick(&["NONE", "NONE", "NOTICE", "CRITICAL"])),
        )
        .with("travelMode", dice.chance(0.6).then(|| dice.pick(&["DRIVING", "DRIVING", "TRANSIT"])))
        .with("lifecycleState", is_visit.then(|| dice.pick(&["RESERVED", "SCHEDULED", "waiting_for_reply"])))
        .with("source", dice.chance(0.7).then(|| dice.pick(&["MANUAL", "SELF_SCHEDULER"])))
        .with("recurrenceId", dice.chance(0.05).then(|| dice.id("rec_")))
        .with("isTypeChangeable", perhaps_flag(dice, 0.5))
        .with("createdAt", clock::stamp(created))
        .with("updatedAt", clock::stamp(created));
    if let Some(client) = client {
        locate(&mut appointment, client);
    }
    Some(appointment)
}

/// `PrivateEventPiano` for some pianos of a client.
fn pianos(dice: &mut Dice, cast: &Cast, id: &Arc<str>, client: Option<&Arc<str>>) -> Vec<Datum> {
    let pianos = cast.pianos_of(dice, client, PIANOS_MAX);
    pianos.into_iter().map(|piano| event_piano(id, piano, dice.chance(0.8)).into()).collect()
}

fn event_piano(id: &Arc<str>, piano: impl Into<Datum>, is_tuning: bool) -> Record {
    Record::new()
        .with("event", reference(Entity::Modelled(&APPOINTMENT), id))
        .with("piano", piano)
        .with("isTuning", is_tuning)
}

/// Says where the client lives, if that is known.
fn locate(appointment: &mut Record, client: &Record) {
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

fn edit(dice: &mut Dice, appointment: &mut Record, cast: &Cast) {
    let now = clock::stamp(cast.now);
    let start = appointment.text("start").and_then(|text| clock::parse(text));
    match (dice.below(5), start) {
        (0 | 1, Some(start)) => {
            let by = if dice.chance(0.5) {
                Duration::days(dice.between(1, 14))
            } else {
                Duration::hours(dice.between(1, 5))
            };
            let moved = if dice.chance(0.8) { start + by } else { start - by };
            appointment.set("start", clock::stamp(moved));
        }
        (2, _) => {
            let status = appointment.text("status").map(AsRef::as_ref);
            let place = STATUS_CYCLE.iter().position(|known| Some(*known) == status);
            let next = place.map_or(0, |place| (place + 1) % STATUS_CYCLE.len());
            appointment.set("status", STATUS_CYCLE[next]);
        }
        (3, _) => {
            appointment.set("confirmedAt", now);
            appointment.set("confirmedByClient", true);
            appointment.set("confirmationWarning", "NONE");
        }
        _ => appointment.amend("notes", &now),
    }
}

/// Appointments of unlisted records, without a client, of a grown status, with huge notes, that end before
/// they start.
fn make_odd(_: &mut Dice, appointments: &mut [Record], world: &World) {
    let unlisted =
        |entity: Entity| world.table(entity).unlisted_ids().first().map(|id| reference(entity, id));
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
