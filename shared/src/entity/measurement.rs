//! Measurements of a piano: climate, pitch and sustain. They come inside their piano.

use super::{Absence, Entity, Source};
use crate::row::{Column, Kind, Record, Rejection, Row};

pub(super) static MEASUREMENT: Entity = Entity {
    name: "measurements",
    table: "measurements",
    staging_table: "stg_measurements",
    source: Source::Nested { parent: "pianos", field: "allPianoMeasurements" },
    columns: COLUMNS,
    partitioned_by: None,
    transform,
    placeholder: &[],
    absence: Absence::AskedFor { root: "pianoMeasurement" },
    twins: None,
};

const fn int(name: &'static str, path: &'static [&'static str]) -> Column {
    Column::new(name, Kind::Int, path)
}

const COLUMNS: &[Column] = &[
    Column::parent("piano_id").references("pianos"),
    Column::new("taken_on", Kind::Date, &["takenOn"]),
    int("temperature", &["temperature"]),
    int("humidity", &["humidity"]),
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
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

fn transform(record: Record<'_>) -> Result<Row, Rejection> {
    Row::read(record, COLUMNS)
}
