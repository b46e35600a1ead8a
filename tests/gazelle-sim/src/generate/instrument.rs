//! Makes the pianos with their measurements.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{
    HISTORY_DAYS, earlier, huge_text, listed_ids, perhaps, perhaps_flag, reference, spread, tags,
    vocabulary as words,
};
use crate::{
    SimConfig, clock,
    dice::Dice,
    record::{Datum, Entity, Record},
    world::World,
};

/// What a0 to a7 are called in pitch and dip.
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

/// Whose a piano is.
pub(crate) struct PianoOwner<'a>(pub(crate) Option<&'a Arc<str>>);

/// Lists the pianos, odd ones among them.
pub(super) fn populate(world: &mut World, config: &SimConfig, unlisted: usize) {
    let mut dice = Dice::new(world.seed, 3);
    let owners = listed_ids(world, Entity::Client);
    let null_nodes = if config.oddities { spread(config.pianos, 2) } else { Vec::new() };
    let listed = config.pianos - null_nodes.len();
    let present = world.clock;
    let mut pianos: Vec<Record> = (0..listed + unlisted)
        .map(|_| {
            let created = earlier(&mut dice, present - Duration::days(1), HISTORY_DAYS);
            let owned = !owners.is_empty() && dice.chance(0.97);
            let owner = owned.then(|| &owners[dice.below(owners.len())]);
            let mut piano = piano(&mut dice, created, &PianoOwner(owner));
            let count = dice.below(5);
            add_measurements(&mut dice, &mut piano, present, count);
            piano
        })
        .collect();
    for mut piano in pianos.split_off(listed) {
        piano.set("allPianoMeasurements", Datum::Null);
        world.pianos.add_unlisted(piano);
    }
    if config.oddities {
        make_odd(&mut pianos, world);
        transfer_some(&mut dice, &mut pianos, &owners);
    }
    world.pianos.fill(pianos);
    world.pianos.add_null_nodes(null_nodes);
}

/// Pianos without an id, of a grown type, with huge notes, of an unlisted client, without a client;
/// measurements without an id.
fn make_odd(pianos: &mut [Record], world: &World) {
    let unlisted = world.clients.unlisted_ids();
    for (index, position) in spread(pianos.len(), 12).into_iter().enumerate() {
        let piano = &mut pianos[position];
        match index {
            0 | 7 => {
                piano.set("id", Datum::Null);
                // Nothing can be moved away from a record without an id: it belongs to nobody.
                piano.set("client", Datum::Null);
                piano.set("allPianoMeasurements", Datum::Null);
            }
            1 | 8 => piano.set("type", "PLAYER_GRAND"),
            2 => piano.set("notes", huge_text()),
            3 => piano.set("client", unlisted.first().map(|id| reference(Entity::Client, id))),
            4 | 9 => piano.set("client", Datum::Null),
            5 | 6 | 10 => {
                let mut nameless = Record::new();
                for (pitch, _) in NOTES {
                    nameless.set(pitch, 440_i64);
                }
                nameless.set("humidity", 41_i64);
                nameless.set("pianoId", piano.id().cloned());
                let measurements = piano.objects("allPianoMeasurements").cloned().map(Datum::Object);
                let measurements = measurements.chain([nameless.into()]).collect::<Vec<_>>();
                piano.set("allPianoMeasurements", measurements);
            }
            _ => piano.set("year", Datum::Null),
        }
    }
}

/// Turns some pianos into copies of earlier ones that went to another client.
fn transfer_some(dice: &mut Dice, pianos: &mut [Record], owners: &[Arc<str>]) {
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
        copy_measurements(dice, old, new, pianos);
    }
}

fn copy_measurements(dice: &mut Dice, old: usize, new: usize, pianos: &mut [Record]) {
    let Some(id) = pianos[new].id().cloned() else {
        return;
    };
    let copies: Vec<Datum> = pianos[old]
        .objects("allPianoMeasurements")
        .map(|measurement| {
            let mut copy = Record::clone(measurement);
            copy.set("id", dice.id("mea_"));
            copy.set("pianoId", Arc::clone(&id));
            copy.into()
        })
        .collect();
    pianos[new].set("allPianoMeasurements", copies);
}

/// A piano, still without measurements.
pub(crate) fn piano(dice: &mut Dice, created: DateTime<Utc>, owner: &PianoOwner<'_>) -> Record {
    let chaser = dice.chance(0.2);
    let last_service = dice.chance(0.7).then(|| created.date_naive() + Duration::days(dice.between(0, 300)));
    let humidistat = chaser.then(|| dice.pick(&["H-3", "H-4", "MC300"]));
    let location = dice.pick(words::ROOMS);
    let notes = dice.pick(words::PIANO_NOTES);
    let mut piano = Record::new()
        .with("id", dice.id("ins_"))
        .with("client", owner.0.map(|id| reference(Entity::Client, id)))
        .with("make", dice.pick(words::PIANO_MAKES))
        .with("model", if dice.chance(0.8) { Some(dice.pick(words::PIANO_MODELS)) } else { None })
        .with("type", dice.pick(words::PIANO_TYPES))
        .with("year", dice.chance(0.7).then(|| dice.between(1880, 2024)))
        .with("location", perhaps(dice, 0.7, location))
        .with("notes", perhaps(dice, 0.4, notes))
        .with("status", dice.pick(&["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE", "UNDER_RESTORATION"]))
        .with("size", perhaps(dice, 0.3, "5'8\""))
        .with("caseColor", dice.pick(words::COLORS))
        .with("caseFinish", dice.chance(0.6).then(|| dice.pick(words::FINISHES)))
        .with("useType", dice.chance(0.5).then(|| dice.pick(words::USES)))
        .with("tags", tags(dice))
        .with("damppChaserInstalled", chaser)
        .with("damppChaserHumidistatModel", humidistat)
        .with("damppChaserMfgDate", chaser.then_some("2021-02-28"));
    let serial = dice.below(900_000).to_string();
    piano.set("serialNumber", perhaps(dice, 0.8, serial));
    for (flag, probability) in [
        ("playerInstalled", 0.05),
        ("hasIvory", 0.1),
        ("needsRepairOrRebuilding", 0.1),
        ("totalLoss", 0.02),
        ("rental", 0.05),
        ("consignment", 0.03),
    ] {
        piano.set(flag, perhaps_flag(dice, probability));
    }
    let interval = dice.chance(0.8).then(|| dice.between(3, 24));
    piano.set("serviceIntervalMonths", interval);
    piano.set("calculatedLastService", last_service.map(|day| day.to_string()));
    piano.set("calculatedNextService", last_service.map(|day| (day + Duration::days(182)).to_string()));
    piano.set("eventLastService", last_service.filter(|_| dice.chance(0.8)).map(|day| day.to_string()));
    piano.set("manualLastService", last_service.filter(|_| dice.chance(0.1)).map(|day| day.to_string()));
    piano.set("nextServiceOverride", dice.chance(0.05).then_some("2031-01-01"));
    piano.set("lifecycleState", dice.chance(0.5).then(|| dice.pick(words::LIFECYCLE_STATES)));
    piano.set("referenceId", dice.chance(0.1).then(|| format!("P-{}", dice.below(10_000))));
    piano.set("createdAt", clock::stamp(created));
    piano.set("updatedAt", clock::stamp(created + Duration::hours(dice.between(0, 20))));
    piano
}

fn add_measurements(dice: &mut Dice, piano: &mut Record, present: DateTime<Utc>, count: usize) {
    let Some(id) = piano.id().cloned() else {
        return;
    };
    let measurements: Vec<Datum> = (0..count)
        .map(|_| {
            let taken = earlier(dice, present, HISTORY_DAYS);
            measurement(dice, &id, taken).into()
        })
        .collect();
    piano.set("allPianoMeasurements", measurements);
}

/// A measurement of a piano.
pub(crate) fn measurement(dice: &mut Dice, piano_id: &Arc<str>, taken: DateTime<Utc>) -> Record {
    let mut measurement = Record::new()
        .with("id", dice.id("mea_"))
        .with("pianoId", Arc::clone(piano_id))
        .with("takenOn", clock::local_day(taken).to_string())
        .with("temperature", dice.chance(0.9).then(|| dice.between(15, 28)))
        .with("humidity", dice.chance(0.95).then(|| dice.between(12, 72)))
        .with("createdAt", clock::stamp(taken))
        .with("updatedAt", clock::stamp(taken));
    for (pitch, dip) in NOTES {
        measurement.set(pitch, dice.chance(0.8).then(|| dice.between(-30, 30)));
        measurement.set(dip, dice.chance(0.2).then(|| dice.between(900, 1100)));
    }
    for sustain in SUSTAINS {
        measurement.set(sustain, dice.chance(0.3).then(|| dice.between(0, 40)));
    }
    measurement
}
