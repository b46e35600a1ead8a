//! Makes a world from a seed, as odd as the real one.

mod client;
mod instrument;
mod journal;
mod user;
mod vocabulary;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

pub(crate) use self::{
    client::client,
    instrument::{PianoOwner, measurement, piano},
    journal::{EntrySubject, scheduled_entry, service_entry},
    user::user,
};
use crate::{
    SimConfig,
    dice::Dice,
    model,
    record::{Datum, Entity, Record},
    world::World,
};

/// Timeline entries name two users that `allUsers` does not list; likewise two clients and pianos.
const UNLISTED_PER_ENTITY: usize = 2;

/// The data reaches about this far back.
pub(crate) const HISTORY_DAYS: i64 = 3 * 365;

/// The world a configuration describes. Without clients there is no timeline: each entry needs one.
pub(crate) fn world(config: &SimConfig) -> World {
    let mut world = World::empty(config);
    let unlisted = if config.oddities { UNLISTED_PER_ENTITY } else { 0 };
    user::populate(&mut world, config, unlisted);
    client::populate(&mut world, config, unlisted);
    instrument::populate(&mut world, config, unlisted);
    journal::populate(&mut world, config);
    model::populate(&mut world, config);
    world
}

/// The positions of `wanted` records among `count`, evenly spread; fewer when there is little room.
pub(crate) fn spread(count: usize, wanted: usize) -> Vec<usize> {
    let wanted = wanted.min(count / 20);
    (0..wanted).map(|index| (2 * index + 1) * count / (2 * wanted)).collect()
}

/// A text as Gazelle has it: often set, sometimes null, sometimes empty.
pub(crate) fn perhaps(dice: &mut Dice, set: f64, text: impl Into<Datum>) -> Datum {
    if dice.chance(set) {
        text.into()
    } else if dice.chance(0.3) {
        "".into()
    } else {
        Datum::Null
    }
}

/// A flag that is mostly unset or false.
pub(crate) fn perhaps_flag(dice: &mut Dice, probability: f64) -> Option<bool> {
    if dice.chance(0.2) { None } else { Some(dice.chance(probability)) }
}

/// A moment up to `days` before another.
pub(crate) fn earlier(dice: &mut Dice, moment: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    moment - Duration::seconds(dice.between(0, days * 86_400))
}

/// Up to three tags, each once.
pub(crate) fn tags(dice: &mut Dice) -> Datum {
    let mut tags: Vec<Datum> = Vec::new();
    for _ in 0..dice.below(4) {
        let tag = Datum::from(dice.pick(vocabulary::TAGS));
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Datum::List(tags)
}

/// A reference to the record of this id.
pub(crate) fn reference(entity: Entity, id: &Arc<str>) -> Datum {
    Datum::Reference(entity, Arc::clone(id))
}

/// `CoreLocalization` of a locale.
fn localization(locale: &str) -> Record {
    Record::new()
        .with("id", format!("loc_{locale}"))
        .with("locale", locale)
        .with("dateFormatLocale", locale)
        .with("timeFormatLocale", locale)
        .with("currencyFormat", "AFTER")
        .with("numberFormat", "SPACE_COMMA_THREE")
        .with("firstDayOfWeek", "SUN")
        .with("isClientDefault", locale == "fr_CA")
        .with("isUserDefault", locale == "fr_CA")
}

/// The ids of the listed records of a table.
fn listed_ids(world: &World, entity: Entity) -> Vec<Arc<str>> {
    world.table(entity).identified().map(|(id, _)| Arc::clone(id)).collect()
}

/// A text of about 200 kB, as someone pasted it.
pub(crate) fn huge_text() -> String {
    "Rapport d'expertise — « voir l'annexe » : cordes, chevilles, sommier. \n".repeat(2_700)
}
