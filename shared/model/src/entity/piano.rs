//! Pianos, with their nested measurements.

use super::definition::{DeletionPolicy, Entity, PlaceholderNotice, Query, Shape, Source, Title};
use crate::column::{Column, ColumnType};
use crate::matching::{Matching, Relation, piano};
use crate::rule::{Effect, RowDraft, Rule};

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
        // The only order in which an edit moves no record to another page during a run.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[],
    rules: &[Rule::new("a piano was built between 1700 and 2100", Effect::Repairs(clear_impossible_year))],
    placeholder: &[("make", "Inconnu"), ("model", "({id})")],
    placeholder_notice: PlaceholderNotice::AfterListing,
    deletion_policy: DeletionPolicy::LookupById { root: "piano", argument: "id" },
    duplicate_ids: None,
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
    Column::new("client_id", ColumnType::Text, &["client", "id"]).references("clients"),
    Column::new("make", ColumnType::Text, &["make"]),
    Column::new("model", ColumnType::Text, &["model"]),
    Column::new("serial_number", ColumnType::Text, &["serialNumber"]),
    Column::new("type", ColumnType::Text, &["type"]),
    Column::new("year", ColumnType::Int, &["year"]),
    Column::new("location", ColumnType::Text, &["location"]),
    Column::new("notes", ColumnType::Text, &["notes"]).protected(),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("size", ColumnType::Text, &["size"]),
    Column::new("use_type", ColumnType::Text, &["useType"]),
    Column::new("case_color", ColumnType::Text, &["caseColor"]),
    Column::new("case_finish", ColumnType::Text, &["caseFinish"]),
    Column::new("tags", ColumnType::TextArray, &["tags"]).protected(),
    Column::new("dampp_chaser_installed", ColumnType::Bool, &["damppChaserInstalled"]).protected(),
    Column::new("dampp_chaser_humidistat_model", ColumnType::Text, &["damppChaserHumidistatModel"])
        .protected(),
    Column::new("dampp_chaser_mfg_date", ColumnType::Date, &["damppChaserMfgDate"]).protected(),
    Column::new("player_installed", ColumnType::Bool, &["playerInstalled"]),
    Column::new("has_ivory", ColumnType::Bool, &["hasIvory"]),
    Column::new("needs_repair_or_rebuilding", ColumnType::Bool, &["needsRepairOrRebuilding"]),
    Column::new("total_loss", ColumnType::Bool, &["totalLoss"]),
    Column::new("rental", ColumnType::Bool, &["rental"]),
    Column::new("consignment", ColumnType::Bool, &["consignment"]),
    Column::new("service_interval_months", ColumnType::Int, &["serviceIntervalMonths"]),
    Column::new("calculated_last_service", ColumnType::Date, &["calculatedLastService"]),
    Column::new("calculated_next_service", ColumnType::Date, &["calculatedNextService"]),
    Column::new("event_last_service", ColumnType::Date, &["eventLastService"]),
    Column::new("manual_last_service", ColumnType::Date, &["manualLastService"]),
    Column::new("next_service_override", ColumnType::Date, &["nextServiceOverride"]),
    Column::new("lifecycle_state", ColumnType::Text, &["lifecycleState"]),
    Column::new("reference_id", ColumnType::Text, &["referenceId"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

/// Clears a year outside 1700 to 2100: the first piano was built about 1700, and 0 or 19600 is a typing error.
fn clear_impossible_year(draft: &mut RowDraft<'_>) {
    if draft.number("year").is_some_and(|year| !(1_700.0..=2_100.0).contains(&year)) {
        let note = format!("impossible year {} left empty", draft.get("year").unwrap_or_default());
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
    fn impossible_year_is_cleared_with_a_note() {
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
