//! Generation of timeline entries: automated, manual and scheduled ones.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::vocabulary;
use crate::{
    config::SimConfig,
    dataset::Dataset,
    datetime,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::{HISTORY_DAYS, huge_text, optional_text, reference, spread},
};

/// Share of automated entries.
const AUTOMATED_SHARE: f64 = 0.92;
/// Shares of entries with a piano, which give 21 % of all entries.
const PIANO_SHARE_AUTOMATED: f64 = 0.1587;
const PIANO_SHARE_MANUAL: f64 = 0.80;
/// Shares of entries with a user, which give 54 % of all entries.
const USER_SHARE_AUTOMATED: f64 = 0.5026;
const USER_SHARE_MANUAL: f64 = 0.97;
/// Share of entries dated in the future.
const SCHEDULED_SHARE: f64 = 0.01;

/// Records that a timeline entry refers to.
pub(crate) struct EntrySubject {
    pub(crate) client: Arc<str>,
    pub(crate) piano: Option<Arc<str>>,
    /// Author of the entry.
    pub(crate) user: Option<Arc<str>>,
}

/// Ids that timeline entries may refer to.
struct SubjectPool {
    clients: Vec<Arc<str>>,
    /// Ids of pianos with the id of their client.
    pianos: Vec<(Arc<str>, Option<Arc<str>>)>,
    users: Vec<Arc<str>>,
}

/// Generates the timeline entries, including oddities.
pub(super) fn populate(dataset: &mut Dataset, config: &SimConfig) {
    let pool = SubjectPool {
        clients: dataset.listed_ids(Entity::Client),
        pianos: dataset
            .pianos
            .with_ids()
            .map(|(id, piano)| (Arc::clone(id), piano.text("client").cloned()))
            .collect(),
        users: dataset.listed_ids(Entity::User),
    };
    if pool.clients.is_empty() {
        return;
    }
    let mut rng = SeededRng::new(dataset.seed, 4);
    let null_nodes = if config.oddities { spread(config.timeline, 3) } else { Vec::new() };
    let listed = config.timeline - null_nodes.len();
    let mut previous = dataset.now;
    let mut entries: Vec<Record> = Vec::with_capacity(listed);
    for _ in 0..listed {
        // Entries with the same second are common, as one event writes several.
        let tied = rng.chance(0.05);
        let occurred_at = if tied { previous } else { entry_time(&mut rng, dataset.now) };
        previous = occurred_at;
        entries.push(entry(&mut rng, &pool, occurred_at, occurred_at > dataset.now));
    }
    if config.oddities {
        add_oddities(&mut entries, dataset);
    }
    dataset.timeline.load(entries);
    dataset.timeline.add_null_nodes(null_nodes);
}

fn entry_time(rng: &mut SeededRng, now: DateTime<Utc>) -> DateTime<Utc> {
    let offset_s = if rng.chance(SCHEDULED_SHARE) {
        rng.between(60, 90 * 86_400)
    } else {
        -rng.between(60, HISTORY_DAYS * 86_400)
    };
    now + Duration::seconds(offset_s)
}

fn entry(rng: &mut SeededRng, pool: &SubjectPool, occurred_at: DateTime<Utc>, scheduled: bool) -> Record {
    let automated = scheduled || rng.chance(AUTOMATED_SHARE);
    let (piano_share, user_share) = if automated {
        (PIANO_SHARE_AUTOMATED, USER_SHARE_AUTOMATED)
    } else {
        (PIANO_SHARE_MANUAL, USER_SHARE_MANUAL)
    };
    let piano = (!pool.pianos.is_empty() && rng.chance(piano_share))
        .then(|| &pool.pianos[rng.below(pool.pianos.len())]);
    let owner = piano.and_then(|(_, owner)| owner.clone());
    let subject = EntrySubject {
        client: owner.unwrap_or_else(|| Arc::clone(&pool.clients[rng.below(pool.clients.len())])),
        piano: piano.map(|(id, _)| Arc::clone(id)),
        user: (!pool.users.is_empty() && rng.chance(user_share))
            .then(|| Arc::clone(&pool.users[rng.below(pool.users.len())])),
    };
    if scheduled {
        scheduled_entry(rng, &subject, occurred_at)
    } else if automated {
        automated_entry(rng, &subject, occurred_at)
    } else {
        service_entry(rng, &subject, occurred_at)
    }
}

fn base_entry(rng: &mut SeededRng, subject: &EntrySubject, occurred_at: DateTime<Utc>, kind: &str) -> Record {
    Record::new()
        .with("id", rng.hex_id("tme_"))
        .with("type", kind)
        .with("occurredAt", datetime::format(occurred_at))
        .with("client", reference(Entity::Client, &subject.client))
        .with("piano", subject.piano.as_ref().map(|id| reference(Entity::Piano, id)))
        .with("user", subject.user.as_ref().map(|id| reference(Entity::User, id)))
}

/// Generates an entry as Gazelle writes it automatically.
fn automated_entry(rng: &mut SeededRng, subject: &EntrySubject, occurred_at: DateTime<Utc>) -> Record {
    let kind = rng.choose(vocabulary::AUTOMATED_TYPES);
    let summary = rng.choose(vocabulary::AUTOMATED_SUMMARIES);
    let mut entry = base_entry(rng, subject, occurred_at, kind)
        .with("summary", optional_text(rng, 0.9, summary))
        .with("comment", optional_text(rng, 0.1, summary));
    match kind {
        "CONTACT_EMAIL_AUTOMATED" => {
            let status = rng.choose(&["DELIVERED", "OPENED", "CLICKED", "BOUNCED"]);
            entry.set("emailStatus", status);
            entry.set("emailFailureReason", (status == "BOUNCED").then_some("550 5.1.1 \"no such user\""));
        }
        "CONTACT_SMS_AUTOMATED" => entry.set("smsStatus", rng.choose(&["SENT", "DELIVERED", "UNDELIVERED"])),
        "SYSTEM_NOTIFICATION" => entry.set("alertType", rng.choose(&["INFO", "WARNING", "ERROR"])),
        "APPOINTMENT_LOG" => relate(&mut entry, "appointment", "Event", rng.id("evt_"), subject),
        "INVOICE_LOG" => relate(&mut entry, "invoice", "Invoice", rng.id("inv_"), subject),
        "ESTIMATE_LOG" => relate(&mut entry, "estimate", "Estimate", rng.id("est_"), subject),
        _ => {}
    }
    entry
}

/// Generates an entry as a technician writes it after a visit.
pub(crate) fn service_entry(
    rng: &mut SeededRng,
    subject: &EntrySubject,
    occurred_at: DateTime<Utc>,
) -> Record {
    let kind = rng.choose(vocabulary::MANUAL_TYPES);
    let summary = rng.choose(vocabulary::MANUAL_SUMMARIES);
    let comment = rng.choose(vocabulary::SERVICE_NOTES);
    let mut entry = base_entry(rng, subject, occurred_at, kind);
    if kind == "PIANO_MEASUREMENT" {
        let (degrees, percent) = (rng.between(17, 26), rng.between(15, 70));
        entry.set("summary", format!("Piano measurement taken: {degrees}°C, {percent}%"));
    } else {
        entry.set("summary", optional_text(rng, 0.6, summary));
        entry.set("comment", optional_text(rng, 0.85, comment));
        entry.set("duration", rng.chance(0.5).then(|| 15 * rng.between(1, 16)));
    }
    if kind == "APPOINTMENT" {
        relate(&mut entry, "appointment", "Event", rng.id("evt_"), subject);
    }
    entry
}

/// Generates an entry for a future message or visit.
pub(crate) fn scheduled_entry(
    rng: &mut SeededRng,
    subject: &EntrySubject,
    occurred_at: DateTime<Utc>,
) -> Record {
    let kind = rng.choose(vocabulary::SCHEDULED_TYPES);
    let mut entry = base_entry(rng, subject, occurred_at, kind).with("summary", "Message programmé");
    if kind == "APPOINTMENT" {
        relate(&mut entry, "appointment", "Event", rng.id("evt_"), subject);
    }
    entry
}

/// Links an entry to an appointment, an invoice or an estimate.
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

/// Adds oddities to some entries: unlisted users, clients and pianos, a new type, huge or empty texts.
fn add_oddities(entries: &mut [Record], dataset: &Dataset) {
    let users = dataset.users.unlisted_ids();
    let clients = dataset.clients.unlisted_ids();
    let pianos = dataset.pianos.unlisted_ids();
    for (index, position) in spread(entries.len(), 40).into_iter().enumerate() {
        let entry = &mut entries[position];
        let unlisted = usize::from(index >= 8);
        match index % 8 {
            0 => entry.set("user", users.get(unlisted).map(|id| reference(Entity::User, id))),
            1 => entry.set("client", clients.get(unlisted).map(|id| reference(Entity::Client, id))),
            2 => entry.set("piano", pianos.get(unlisted).map(|id| reference(Entity::Piano, id))),
            3 => entry.set("type", "VOICE_NOTE"),
            4 if index == 4 => entry.set("comment", huge_text()),
            5 => entry.set("comment", "a\"b\\c\nd\te\u{00a0}é 🎹👩🏽‍🔧 \u{202e}fin"),
            6 => entry.set("comment", ""),
            7 => entry.set("summary", Datum::Null),
            _ => {}
        }
    }
}
