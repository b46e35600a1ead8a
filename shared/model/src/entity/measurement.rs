//! Measurements of a piano: climate, pitch and sustain. They are nested in the piano.

use super::definition::{DeletionPolicy, Entity, PlaceholderNotice, Source, Title};
use crate::cell::number_text;
use crate::column::{Column, ColumnType};
use crate::reading::celsius_of_unmarked;
use crate::rule::{Effect, RowDraft, Rule};

pub(super) static MEASUREMENT: Entity = Entity {
    name: "measurements",
    title: Title { french: "Mesures", english: "Measurements" },
    table: "measurements",
    staging_table: "stg_measurements",
    source: Source::Nested { parent: "pianos", field: "allPianoMeasurements" },
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[],
    rules: RULES,
    placeholder: &[],
    placeholder_notice: PlaceholderNotice::AfterListing,
    deletion_policy: DeletionPolicy::LookupById { root: "pianoMeasurement", argument: "id" },
    duplicate_ids: None,
    matching: None,
};

const fn int(name: &'static str, path: &'static [&'static str]) -> Column {
    Column::new(name, ColumnType::Int, path)
}

const COLUMNS: &[Column] = &[
    Column::parent("piano_id").references("pianos"),
    Column::new("taken_on", ColumnType::Date, &["takenOn"]),
    int("temperature", &["temperature"]),
    int("humidity", &["humidity"]),
    Column::derived("temperature_celsius", ColumnType::Number),
    Column::derived("humidity_percent", ColumnType::Number),
    Column::derived("pitch_hertz", ColumnType::Number),
    int("a0_pitch", &["a0Pitch"]),
    int("a1_pitch", &["a1Pitch"]),
    int("a2_pitch", &["a2Pitch"]),
    int("a3_pitch", &["a3Pitch"]),
    int("a4_pitch", &["a4Pitch"]),
    int("a5_pitch", &["a5Pitch"]),
    int("a6_pitch", &["a6Pitch"]),
    int("a7_pitch", &["a7Pitch"]),
    int("a0_dip", &["a0Dip"]),
    int("a1_dip", &["a1Dip"]),
    int("a2_dip", &["a2Dip"]),
    int("a3_dip", &["a3Dip"]),
    int("a4_dip", &["a4Dip"]),
    int("a5_dip", &["a5Dip"]),
    int("a6_dip", &["a6Dip"]),
    int("a7_dip", &["a7Dip"]),
    int("c7_sustain_played", &["c7SustainPlayed"]),
    int("c7_sustain_plucked", &["c7SustainPlucked"]),
    int("d6_sustain_played", &["d6SustainPlayed"]),
    int("d6_sustain_plucked", &["d6SustainPlucked"]),
    int("g6_sustain_played", &["g6SustainPlayed"]),
    int("g6_sustain_plucked", &["g6SustainPlucked"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

/// Rules that add a unit: the source states none, so its numbers stay as they are in their own columns.
const RULES: &[Rule] = &[
    Rule::new("a temperature above 45 is Fahrenheit", Effect::Repairs(derive_celsius)),
    Rule::new("a humidity lies between 1 and 100 percent", Effect::Repairs(derive_percent)),
    Rule::new("the pitch of A4 lies between 380 and 480 hertz", Effect::Repairs(derive_hertz)),
];

fn derive_celsius(draft: &mut RowDraft<'_>) {
    let Some(stated) = draft.number("temperature") else { return };
    let celsius = celsius_of_unmarked(stated);
    if (-30.0..=50.0).contains(&celsius) {
        draft.set("temperature_celsius", Some(number_text(celsius)));
        if stated > celsius {
            draft.note("temperature taken for Fahrenheit");
        }
    } else {
        draft.note(format!("temperature {stated} is outside the range of a room"));
    }
}

fn derive_percent(draft: &mut RowDraft<'_>) {
    keep_between(draft, "humidity", "humidity_percent", 1.0..=100.0);
}

fn derive_hertz(draft: &mut RowDraft<'_>) {
    keep_between(draft, "a4_pitch", "pitch_hertz", 380.0..=480.0);
}

fn keep_between(draft: &mut RowDraft<'_>, source: &str, derived: &str, range: std::ops::RangeInclusive<f64>) {
    match draft.number(source) {
        Some(value) if range.contains(&value) => draft.set(derived, Some(number_text(value))),
        Some(value) => draft.note(format!("{source} {value} is out of range")),
        None => (),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::row::Record;

    #[test]
    fn measurement_has_units_and_notes_impossible_values() {
        for (stated, expected, notes) in [
            ((21, 39, 440), [Some("21"), Some("39"), Some("440")], 0),
            ((68, 40, 442), [Some("20"), Some("40"), Some("442")], 1),
            ((999, 140, 4_400), [None, None, None], 3),
        ] {
            let raw = json!({"id": "x", "temperature": stated.0, "humidity": stated.1, "a4Pitch": stated.2});
            let row = MEASUREMENT.transform(Record { raw: &raw, parent_id: None });
            let derived = ["temperature_celsius", "humidity_percent", "pitch_hertz"];
            let read = row.as_ref().map(|row| (derived.map(|name| row.get(COLUMNS, name)), row.notes.len()));
            assert_eq!(read, Ok((expected, notes)), "{stated:?}");
        }
    }
}
