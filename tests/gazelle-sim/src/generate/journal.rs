//! Makes the timeline: what was sent, done, written and planned.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{HISTORY_DAYS, huge_text, listed_ids, perhaps, reference, spread, vocabulary as words};
use crate::{
    SimConfig, clock,
    dice::Dice,
    record::{Datum, Entity, Record},
    world::World,
};

/// 92 of 100 entries are automated ones.
const AUTOMATED_SHARE: f64 = 0.92;
/// Together with the share above, 21 of 100 entries have a piano …
const PIANO_OF_AUTOMATED: f64 = 0.1587;
const PIANO_OF_MANUAL: f64 = 0.80;
/// … and 54 of 100 a user.
const USER_OF_AUTOMATED: f64 = 0.5026;
const USER_OF_MANUAL: f64 = 0.97;
/// The share of entries dated in the future.
const SCHEDULED_SHARE: f64 = 0.01;

/// What a timeline entry is about.
pub(crate) struct EntrySubject {
    /// The client, which every entry has.
    pub(crate) client: Arc<str>,
    /// The piano.
    pub(crate) piano: Option<Arc<str>>,
    /// Who wrote it.
    pub(crate) user: Option<Arc<str>>,
}

/// Whom and what entries can be about.
struct Cast {
    clients: Vec<Arc<str>>,
    pianos: Vec<(Arc<str>, Option<Arc<str>>)>,
    users: Vec<Arc<str>>,
}

/// Lists the timeline entries, odd ones among them.
pub(super) fn populate(world: &mut World, config: &SimConfig) {
    let cast = Cast {
        clients: listed_ids(world, Entity::Client),
        pianos: world
            .pianos
            .identified()
            .map(|(id, piano)| (Arc::clone(id), piano.text("client").cloned()))
            .collect(),
        users: listed_ids(world, Entity::User),
    };
    if cast.clients.is_empty() {
        return;
    }
    let mut dice = Dice::new(world.seed, 4);
    let null_nodes = if config.oddities { spread(config.timeline, 3) } else { Vec::new() };
    let listed = config.timeline - null_nodes.len();
    let mut previous = world.clock;
    let mut entries: Vec<Record> = Vec::with_capacity(listed);
    for _ in 0..listed {
        // Entries of the same second are common: one event writes several.
        let tied = dice.chance(0.05);
        let occurred = if tied { previous } else { moment(&mut dice, world.clock) };
        previous = occurred;
        entries.push(entry(&mut dice, &cast, occurred, occurred > world.clock));
    }
    if config.oddities {
        make_odd(&mut entries, world);
    }
    world.timeline.fill(entries);
    world.timeline.add_null_nodes(null_nodes);
}

fn moment(dice: &mut Dice, present: DateTime<Utc>) -> DateTime<Utc> {
    let offset_s = if dice.chance(SCHEDULED_SHARE) {
        dice.between(60, 90 * 86_400)
    } else {
        -dice.between(60, HISTORY_DAYS * 86_400)
    };
    present + Duration::seconds(offset_s)
}

fn entry(dice: &mut Dice, cast: &Cast, occurred: DateTime<Utc>, scheduled: bool) -> Record {
    let automated = scheduled || dice.chance(AUTOMATED_SHARE);
    let (piano_share, user_share) =
        if automated { (PIANO_OF_AUTOMATED, USER_OF_AUTOMATED) } else { (PIANO_OF_MANUAL, USER_OF_MANUAL) };
    let piano = (!cast.pianos.is_empty() && dice.chance(piano_share))
        .then(|| &cast.pianos[dice.below(cast.pianos.len())]);
    let owner = piano.and_then(|(_, owner)| owner.clone());
    let subject = EntrySubject {
        client: owner.unwrap_or_else(|| Arc::clone(&cast.clients[dice.below(cast.clients.len())])),
        piano: piano.map(|(id, _)| Arc::clone(id)),
        user: (!cast.users.is_empty() && dice.chance(user_share))
            .then(|| Arc::clone(&cast.users[dice.below(cast.users.len())])),
    };
    if scheduled {
        scheduled_entry(dice, &subject, occurred)
    } else if automated {
        automated_entry(dice, &subject, occurred)
    } else {
        service_entry(dice, &subject, occurred)
    }
}

fn bare_entry(dice: &mut Dice, subject: &EntrySubject, occurred: DateTime<Utc>, kind: &str) -> Record {
    Record::new()
        .with("id", dice.hex_id("tme_"))
        .with("type", kind)
        .with("occurredAt", clock::stamp(occurred))
        .with("client", reference(Entity::Client, &subject.client))
        .with("piano", subject.piano.as_ref().map(|id| reference(Entity::Piano, id)))
        .with("user", subject.user.as_ref().map(|id| reference(Entity::User, id)))
}

/// What Gazelle writes by itself.
fn automated_entry(dice: &mut Dice, subject: &EntrySubject, occurred: DateTime<Utc>) -> Record {
    let kind = dice.pick(words::AUTOMATED_TYPES);
    let summary = dice.pick(words::AUTOMATED_SUMMARIES);
    let mut entry = bare_entry(dice, subject, occurred, kind)
        .with("summary", perhaps(dice, 0.9, summary))
        .with("comment", perhaps(dice, 0.1, summary));
    match kind {
        "CONTACT_EMAIL_AUTOMATED" => {
            let status = dice.pick(&["DELIVERED", "OPENED", "CLICKED", "BOUNCED"]);
            entry.set("emailStatus", status);
            entry.set("emailFailureReason", (status == "BOUNCED").then_some("550 5.1.1 \"no such user\""));
        }
        "CONTACT_SMS_AUTOMATED" => entry.set("smsStatus", dice.pick(&["SENT", "DELIVERED", "UNDELIVERED"])),
        "SYSTEM_NOTIFICATION" => entry.set("alertType", dice.pick(&["INFO", "WARNING", "ERROR"])),
        "APPOINTMENT_LOG" => relate(&mut entry, "appointment", "Event", dice.id("evt_"), subject),
        "INVOICE_LOG" => relate(&mut entry, "invoice", "Invoice", dice.id("inv_"), subject),
        "ESTIMATE_LOG" => relate(&mut entry, "estimate", "Estimate", dice.id("est_"), subject),
        _ => {}
    }
    entry
}

/// What a technician writes after a visit.
pub(crate) fn service_entry(dice: &mut Dice, subject: &EntrySubject, occurred: DateTime<Utc>) -> Record {
    let kind = dice.pick(words::MANUAL_TYPES);
    let summary = dice.pick(words::MANUAL_SUMMARIES);
    let comment = dice.pick(words::SERVICE_NOTES);
    let mut entry = bare_entry(dice, subject, occurred, kind);
    if kind == "PIANO_MEASUREMENT" {
        let (degrees, percent) = (dice.between(17, 26), dice.between(15, 70));
        entry.set("summary", format!("Piano measurement taken: {degrees}°C, {percent}%"));
    } else {
        entry.set("summary", perhaps(dice, 0.6, summary));
        entry.set("comment", perhaps(dice, 0.85, comment));
        entry.set("duration", dice.chance(0.5).then(|| 15 * dice.between(1, 16)));
    }
    if kind == "APPOINTMENT" {
        relate(&mut entry, "appointment", "Event", dice.id("evt_"), subject);
    }
    entry
}

/// What is planned: a message or a visit to come.
pub(crate) fn scheduled_entry(dice: &mut Dice, subject: &EntrySubject, occurred: DateTime<Utc>) -> Record {
    let kind = dice.pick(words::SCHEDULED_TYPES);
    let mut entry = bare_entry(dice, subject, occurred, kind).with("summary", "Message programmé");
    if kind == "APPOINTMENT" {
        relate(&mut entry, "appointment", "Event", dice.id("evt_"), subject);
    }
    entry
}

/// Ties an entry to an appointment, an invoice or an estimate.
fn relate(entry: &mut Record, field: &'static str, related_type: &str, id: String, subject: &EntrySubject) {
    let currency = Record::new()
        .with("id", "CAD")
        .with("code", "CAD")
        .with("label", "Dollar canadien")
        .with("symbol", "$")
        .with("decimalDigits", 2_i64)
        .with("divisor", 100_i64);
    let related = Record::new()
        .with("id", id.as_str())
        .with("client", reference(Entity::Client, &subject.client))
        .with("currency", (field == "invoice").then_some(currency));
    entry.set(field, related);
    entry.set("relatedType", related_type);
    entry.set("relatedId", id);
}

/// Entries by unlisted users, about unlisted clients and pianos, of a grown type, with huge comments.
fn make_odd(entries: &mut [Record], world: &World) {
    let users = world.users.unlisted_ids();
    let clients = world.clients.unlisted_ids();
    let pianos = world.pianos.unlisted_ids();
    for (index, position) in spread(entries.len(), 40).into_iter().enumerate() {
        let entry = &mut entries[position];
        let second = usize::from(index >= 8);
        match index % 8 {
            0 => entry.set("user", users.get(second).map(|id| reference(Entity::User, id))),
            1 => entry.set("client", clients.get(second).map(|id| reference(Entity::Client, id))),
            2 => entry.set("piano", pianos.get(second).map(|id| reference(Entity::Piano, id))),
            3 => entry.set("type", "VOICE_NOTE"),
            4 if index == 4 => entry.set("comment", huge_text()),
            5 => entry.set("comment", "a\"b\\c\nd\te\u{00a0}é 🎹👩🏽‍🔧 \u{202e}fin"),
            6 => entry.set("comment", ""),
            7 => entry.set("summary", Datum::Null),
            _ => {}
        }
    }
}
