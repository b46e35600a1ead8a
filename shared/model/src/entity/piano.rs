//! Pianos. Each brings its measurements along.

use super::{Absence, Entity, Query, Shape, Source, Title};
use crate::matching::{Matching, Relation, piano};
use crate::row::{Column, Kind};
use crate::rule::{Draft, Effect, Rule};

pub(super) static PIANO: Entity = Entity {
    name: "pianos",
    title: Title { french: "Pianos", english: "Pianos" },
    table: "pianos",
    staging_table: "stg_pianos",
    source: Source::Query(Query {
        root: "allPianos",
        selection: "id client { id } make model serialNumber type year location notes status size \
                    useType caseColor caseFinish tags damppChaserInstalled damppChaserHumidistatModel \
                    damppChaserMfgDate playerInstalled hasIvory needsRepairOrRebuilding totalLoss \
                    rental consignment serviceIntervalMonths calculatedLastService \
                    calculatedNextService eventLastService manualLastService nextServiceOverride \
                    lifecycleState referenceId createdAt updatedAt \
                    allPianoMeasurements { id pianoId takenOn temperature humidity \
                      a0Pitch a1Pitch a2Pitch a3Pitch a4Pitch a5Pitch a6Pitch a7Pitch \
                      a0Dip a1Dip a2Dip a3Dip a4Dip a5Dip a6Dip a7Dip \
                      c7SustainPlayed c7SustainPlucked d6SustainPlayed d6SustainPlucked \
                      g6SustainPlayed g6SustainPlucked createdAt updatedAt }",
        // The only order in which an edit moves nothing while we page.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    parts: &[],
    rules: &[Rule::new("a piano was built between 1700 and 2100", Effect::Repairs(leave_out_absurd_year))],
    placeholder: &[("make", "Inconnu"), ("model", "({id})")],
    absence: Absence::AskedFor { root: "piano", argument: "id" },
    twins: None,
    matching: Some(Matching {
        columns: piano::COLUMNS,
        keys: piano::keys,
        score: piano::score,
        threshold: 0.85,
        margin: 0.0,
        relation: Relation::Predecessor { since: "gazelle_created_at" },
    }),
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", Kind::Text, &["client", "id"]).references("clients"),
    Column::new("make", Kind::Text, &["make"]),
    Column::new("model", Kind::Text, &["model"]),
    Column::new("serial_number", Kind::Text, &["serialNumber"]),
    Column::new("type", Kind::Text, &["type"]),
    Column::new("year", Kind::Int, &["year"]),
    Column::new("location", Kind::Text, &["location"]),
    Column::new("notes", Kind::Text, &["notes"]).protected(),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("size", Kind::Text, &["size"]),
    Column::new("use_type", Kind::Text, &["useType"]),
    Column::new("case_color", Kind::Text, &["caseColor"]),
    Column::new("case_finish", Kind::Text, &["caseFinish"]),
    Column::new("tags", Kind::TextArray, &["tags"]).protected(),
    Column::new("dampp_chaser_installed", Kind::Bool, &["damppChaserInstalled"]).protected(),
    Column::new("dampp_chaser_humidistat_model", Kind::Text, &["damppChaserHumidistatModel"]).protected(),
    Column::new("dampp_chaser_mfg_date", Kind::Date, &["damppChaserMfgDate"]).protected(),
    Column::new("player_installed", Kind::Bool, &["playerInstalled"]),
    Column::new("has_ivory", Kind::Bool, &["hasIvory"]),
    Column::new("needs_repair_or_rebuilding", Kind::Bool, &["needsRepairOrRebuilding"]),
    Column::new("total_loss", Kind::Bool, &["totalLoss"]),
    Column::new("rental", Kind::Bool, &["rental"]),
    Column::new("consignment", Kind::Bool, &["consignment"]),
    Column::new("service_interval_months", Kind::Int, &["serviceIntervalMonths"]),
    Column::new("calculated_last_service", Kind::Date, &["calculatedLastService"]),
    Column::new("calculated_next_service", Kind::Date, &["calculatedNextService"]),
    Column::new("event_last_service", Kind::Date, &["eventLastService"]),
    Column::new("manual_last_service", Kind::Date, &["manualLastService"]),
    Column::new("next_service_override", Kind::Date, &["nextServiceOverride"]),
    Column::new("lifecycle_state", Kind::Text, &["lifecycleState"]),
    Column::new("reference_id", Kind::Text, &["referenceId"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

/// The first piano was built about 1700. A year of 0 or 19600 is a slip.
fn leave_out_absurd_year(draft: &mut Draft<'_>) {
    if draft.number("year").is_some_and(|year| !(1_700.0..=2_100.0).contains(&year)) {
        let note = format!("year {} left out", draft.get("year").unwrap_or_default());
        draft.set("year", None);
        draft.note(note);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::row::Record;

    #[test]
    fn an_absurd_year_is_left_out_with_a_note_and_a_sound_one_stays() {
        for (year, kept, notes) in
            [(1965, Some("1965"), 0), (0, None, 1), (19_650, None, 1), (1_700, Some("1700"), 0)]
        {
            let raw = json!({"id": "x", "year": year});
            let row = PIANO.transform(Record { raw: &raw, parent_id: None });
            let read = row.as_ref().map(|row| (row.get(COLUMNS, "year"), row.notes.len()));
            assert_eq!(read, Ok((kept, notes)), "{year}");
        }
    }
}
