//! Generation of pianos with their measurements.

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
    values::{HISTORY_DAYS, earlier, huge_text, optional_bool, optional_text, reference, spread, tags},
};

/// Fields for the pitch and the dip of the notes A0 to A7.
const NOTES: [(&str, &str); 8] = [
    ("a0Pitch", "a0Dip"),
    ("a1Pitch", "a1Dip"),
    ("a2Pitch", "a2Dip"),
    ("a3Pitch", "a3Dip"),
    ("a4Pitch", "a4Dip"),
    ("a5Pitch", "a5Dip"),
    ("a6Pitch", "a6Dip"),
    ("a7Pitch", "a7Dip"),
];
const SUSTAINS: [&str; 6] = [
    "c7SustainPlayed", "c7SustainPlucked", "d6SustainPlayed", "d6SustainPlucked", "g6SustainPlayed",
    "g6SustainPlucked",
];

/// Generates the pianos, including unlisted ones and oddities.
pub(super) fn populate(dataset: &mut Dataset, config: &SimConfig, unlisted: usize) {
    let mut rng = SeededRng::new(dataset.seed, 3);
    let owners = dataset.listed_ids(Entity::Client);
    let null_nodes = if config.oddities { spread(config.pianos, 2) } else { Vec::new() };
    let listed = config.pianos - null_nodes.len();
    let now = dataset.now;
    let mut pianos: Vec<Record> = (0..listed + unlisted)
        .map(|_| {
            let created = earlier(&mut rng, now - Duration::days(1), HISTORY_DAYS);
            let owned = !owners.is_empty() && rng.chance(0.97);
            let owner = owned.then(|| &owners[rng.below(owners.len())]);
            let mut piano = piano(&mut rng, created, owner);
            let count = rng.below(5);
            add_measurements(&mut rng, &mut piano, now, count);
            piano
        })
        .collect();
    for mut piano in pianos.split_off(listed) {
        piano.set("allPianoMeasurements", Datum::Null);
        dataset.pianos.add_unlisted(piano);
    }
    if config.oddities {
        add_oddities(&mut pianos, dataset);
        transfer_some(&mut rng, &mut pianos, &owners);
    }
    dataset.pianos.load(pianos);
    dataset.pianos.add_null_nodes(null_nodes);
}

/// Adds oddities to some pianos: no id, a new type, huge notes, an unlisted client, no client, measurements
/// without an id.
fn add_oddities(pianos: &mut [Record], dataset: &Dataset) {
    let unlisted = dataset.clients.unlisted_ids();
    for (index, position) in spread(pianos.len(), 12).into_iter().enumerate() {
        let piano = &mut pianos[position];
        match index {
            0 | 7 => {
                piano.set("id", Datum::Null);
                // Changes address records by id, so a record without one must not refer to others.
                piano.set("client", Datum::Null);
                piano.set("allPianoMeasurements", Datum::Null);
            }
            1 | 8 => piano.set("type", "PLAYER_GRAND"),
            2 => piano.set("notes", huge_text()),
            3 => piano.set("client", unlisted.first().map(|id| reference(Entity::Client, id))),
            4 | 9 => piano.set("client", Datum::Null),
            5 | 6 | 10 => {
                let mut without_id = Record::new();
                for (pitch, _) in NOTES {
                    without_id.set(pitch, 440_i64);
                }
                without_id.set("humidity", 41_i64);
                without_id.set("pianoId", piano.id().cloned());
                piano.push_object("allPianoMeasurements", without_id);
            }
            _ => piano.set("year", Datum::Null),
        }
    }
}

/// Turns some pianos into the new records of pianos transferred to another client.
fn transfer_some(rng: &mut SeededRng, pianos: &mut [Record], owners: &[Arc<str>]) {
    let positions: Vec<usize> =
        spread(pianos.len(), 10).into_iter().map(|position| position.saturating_sub(2)).collect();
    for pair in positions.chunks_exact(2) {
        let (old, new) = (pair[0], pair[1]);
        for field in ["make", "serialNumber", "model", "year", "type"] {
            let value = pianos[old].get(field).cloned();
            pianos[new].set(field, value);
        }
        pianos[new].set("serialNumber", format!("T{}", 100_000 + old));
        pianos[old].set("serialNumber", format!("T{}", 100_000 + old));
        pianos[old].set("status", "INACTIVE");
        pianos[new].set("status", "ACTIVE");
        let old_owner = pianos[old].text("client").cloned();
        if pianos[new].text("client") == old_owner.as_ref()
            && let Some(other) = owners.iter().find(|owner| Some(*owner) != old_owner.as_ref())
        {
            pianos[new].set("client", reference(Entity::Client, other));
        }
        copy_measurements(rng, old, new, pianos);
    }
}

fn copy_measurements(rng: &mut SeededRng, old: usize, new: usize, pianos: &mut [Record]) {
    let Some(id) = pianos[new].id().cloned() else {
        return;
    };
    let copies: Vec<Datum> = pianos[old]
        .objects("allPianoMeasurements")
        .map(|measurement| {
            let mut copy = Record::clone(measurement);
            copy.set("id", rng.id("mea_"));
            copy.set("pianoId", Arc::clone(&id));
            copy.into()
        })
        .collect();
    pianos[new].set("allPianoMeasurements", copies);
}

/// Generates a piano without measurements.
pub(crate) fn piano(rng: &mut SeededRng, created: DateTime<Utc>, owner: Option<&Arc<str>>) -> Record {
    let has_dampp_chaser = rng.chance(0.2);
    let last_service = rng.chance(0.7).then(|| created.date_naive() + Duration::days(rng.between(0, 300)));
    let humidistat = has_dampp_chaser.then(|| rng.choose(&["H-3", "H-4", "MC300"]));
    let location = rng.choose(vocabulary::ROOMS);
    let notes = rng.choose(vocabulary::PIANO_NOTES);
    let mut piano = Record::new()
        .with("id", rng.id("ins_"))
        .with("client", owner.map(|id| reference(Entity::Client, id)))
        .with("make", rng.choose(vocabulary::PIANO_MAKES))
        .with("model", if rng.chance(0.8) { Some(rng.choose(vocabulary::PIANO_MODELS)) } else { None })
        .with("type", rng.choose(vocabulary::PIANO_TYPES))
        .with("year", rng.chance(0.7).then(|| rng.between(1880, 2024)))
        .with("location", optional_text(rng, 0.7, location))
        .with("notes", optional_text(rng, 0.4, notes))
        .with("status", rng.choose(&["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "UNDER_RESTORATION"]))
        .with("size", optional_text(rng, 0.3, "5'8\""))
        .with("caseColor", rng.choose(vocabulary::COLORS))
        .with("caseFinish", rng.chance(0.6).then(|| rng.choose(vocabulary::FINISHES)))
        .with("useType", rng.chance(0.5).then(|| rng.choose(vocabulary::USES)))
        .with("tags", tags(rng))
        .with("damppChaserInstalled", has_dampp_chaser)
        .with("damppChaserHumidistatModel", humidistat)
        .with("damppChaserMfgDate", has_dampp_chaser.then_some("2021-02-28"));
    let serial = rng.below(900_000).to_string();
    piano.set("serialNumber", optional_text(rng, 0.8, serial));
    for (flag, probability) in [
        ("playerInstalled", 0.05),
        ("hasIvory", 0.1),
        ("needsRepairOrRebuilding", 0.1),
        ("totalLoss", 0.02),
        ("rental", 0.05),
        ("consignment", 0.03),
    ] {
        piano.set(flag, optional_bool(rng, probability));
    }
    let interval = rng.chance(0.8).then(|| rng.between(3, 24));
    piano.set("serviceIntervalMonths", interval);
    piano.set("calculatedLastService", last_service.map(|day| day.to_string()));
    piano.set("calculatedNextService", last_service.map(|day| (day + Duration::days(182)).to_string()));
    piano.set("eventLastService", last_service.filter(|_| rng.chance(0.8)).map(|day| day.to_string()));
    piano.set("manualLastService", last_service.filter(|_| rng.chance(0.1)).map(|day| day.to_string()));
    piano.set("nextServiceOverride", rng.chance(0.05).then_some("2031-01-01"));
    piano.set("lifecycleState", rng.chance(0.5).then(|| rng.choose(vocabulary::LIFECYCLE_STATES)));
    piano.set("referenceId", rng.chance(0.1).then(|| format!("P-{}", rng.below(10_000))));
    piano.set("createdAt", datetime::format(created));
    piano.set("updatedAt", datetime::format(created + Duration::hours(rng.between(0, 20))));
    piano
}

fn add_measurements(rng: &mut SeededRng, piano: &mut Record, now: DateTime<Utc>, count: usize) {
    let Some(id) = piano.id().cloned() else {
        return;
    };
    let measurements: Vec<Datum> = (0..count)
        .map(|_| {
            let taken_at = earlier(rng, now, HISTORY_DAYS);
            measurement(rng, &id, taken_at).into()
        })
        .collect();
    piano.set("allPianoMeasurements", measurements);
}

/// Generates a measurement of a piano.
pub(crate) fn measurement(rng: &mut SeededRng, piano_id: &Arc<str>, taken_at: DateTime<Utc>) -> Record {
    let mut measurement = Record::new()
        .with("id", rng.id("mea_"))
        .with("pianoId", Arc::clone(piano_id))
        .with("takenOn", datetime::local_day(taken_at).to_string())
        .with("temperature", rng.chance(0.9).then(|| rng.between(15, 28)))
        .with("humidity", rng.chance(0.95).then(|| rng.between(12, 72)))
        .with("createdAt", datetime::format(taken_at))
        .with("updatedAt", datetime::format(taken_at));
    for (pitch, dip) in NOTES {
        measurement.set(pitch, rng.chance(0.8).then(|| rng.between(-30, 30)));
        measurement.set(dip, rng.chance(0.2).then(|| rng.between(900, 1100)));
    }
    for sustain in SUSTAINS {
        measurement.set(sustain, rng.chance(0.3).then(|| rng.between(0, 40)));
    }
    measurement
}
