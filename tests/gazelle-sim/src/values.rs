//! Generators of single field values, shared by all entities.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use crate::{
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
};

/// Age of the oldest data, in days.
pub(crate) const HISTORY_DAYS: i64 = 3 * 365;

const TAGS: &[&str] =
    &["PLS", "Humidité", "institution", "VIP", "à rappeler", "Dampp-Chaser", "concert 🎼", "école"];

/// Returns `positions` positions spread evenly over `count` records, at most one in twenty records.
pub(crate) fn spread(count: usize, positions: usize) -> Vec<usize> {
    let positions = positions.min(count / 20);
    (0..positions).map(|index| (2 * index + 1) * count / (2 * positions)).collect()
}

/// Returns the text with the given probability; otherwise null or, sometimes, an empty text.
pub(crate) fn optional_text(rng: &mut SeededRng, probability: f64, text: impl Into<Datum>) -> Datum {
    if rng.chance(probability) {
        text.into()
    } else if rng.chance(0.3) {
        "".into()
    } else {
        Datum::Null
    }
}

/// Returns true with the given probability; null for one in five.
pub(crate) fn optional_bool(rng: &mut SeededRng, probability: f64) -> Option<bool> {
    if rng.chance(0.2) { None } else { Some(rng.chance(probability)) }
}

/// Returns a time up to `days` before `time`.
pub(crate) fn earlier(rng: &mut SeededRng, time: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    time - Duration::seconds(rng.between(0, days * 86_400))
}

/// Returns up to three distinct tags.
pub(crate) fn tags(rng: &mut SeededRng) -> Datum {
    let mut tags: Vec<Datum> = Vec::new();
    for _ in 0..rng.below(4) {
        let tag = Datum::from(rng.choose(TAGS));
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    Datum::List(tags)
}

/// Creates a reference to the record with this id.
pub(crate) fn reference(entity: Entity, id: &Arc<str>) -> Datum {
    Datum::Reference(entity, Arc::clone(id))
}

/// Creates the `CoreLocalization` of a locale.
pub(crate) fn localization(locale: &str) -> Record {
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

/// Returns a text of about 200 kB, such as a pasted report.
pub(crate) fn huge_text() -> String {
    "Rapport d'expertise — « voir l'annexe » : cordes, chevilles, sommier. \n".repeat(2_700)
}
