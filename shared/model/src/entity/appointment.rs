//! Appointments of the calendar, with the pianos that they are about.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::definition::{
    BoundType, DeletionPolicy, Entity, IncrementalReach, PlaceholderNotice, Query, Shape, Source, TimeFilter,
    Title,
};
use crate::cell::{date_text, instant_text, parse_instant};
use crate::column::{ChildTable, Column, ColumnType};
use crate::local_day;
use crate::rule::{Effect, RowDraft, Rule};

pub(super) static APPOINTMENT: Entity = Entity {
    name: "appointments",
    title: Title { french: "Rendez-vous", english: "Appointments" },
    table: "appointments",
    staging_table: "stg_appointments",
    source: Source::Query(Query {
        root: "allEventsBatched",
        selection: "id client { id } user { id } createdBy { id } type status title notes start duration buffer isAllDay \
                    timezone confirmedAt confirmedByClient confirmationWarning addressLine \
                    location { municipality postalCode } travelMode lifecycleState source recurrenceId createdAt \
                    updatedAt allEventPianos(first: $inner) { pageInfo { hasNextPage } nodes { isTuning piano { id } } }",
        shape: Shape::Connection {
            arguments: ", sortBy: [START_ASC]",
            window: Some(TimeFilter {
                input: Some("filters"),
                since: "dateGet",
                until: Some("dateLet"),
                bound: BoundType::Day,
                field: "start",
                reach: IncrementalReach::AroundToday { back: 30, ahead: 90 },
            }),
        },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[ChildTable {
        table: "appointment_pianos",
        parent: "appointment_id",
        field: "allEventPianos",
        columns: &[
            Column::new("piano_id", ColumnType::Text, &["piano", "id"]).references("pianos"),
            Column::new("is_tuning", ColumnType::Bool, &["isTuning"]),
        ],
    }],
    rules: RULES,
    placeholder: &[],
    placeholder_notice: PlaceholderNotice::AfterListing,
    // It is unknown whether a cancelled appointment stays listed, and one that was moved out of the period leaves the
    // listing without being deleted: only a lookup by id tells.
    deletion_policy: DeletionPolicy::LookupById { root: "event", argument: "eventId" },
    duplicate_ids: None,
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", ColumnType::Text, &["client", "id"]).references("clients"),
    Column::new("user_id", ColumnType::Text, &["user", "id"]).references("users"),
    Column::new("created_by_id", ColumnType::Text, &["createdBy", "id"]).references("users"),
    Column::new("type", ColumnType::Text, &["type"]),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("title", ColumnType::Text, &["title"]),
    Column::new("notes", ColumnType::Text, &["notes"]),
    Column::new("starts_at", ColumnType::Timestamp, &["start"]),
    Column::derived("ends_at", ColumnType::Timestamp),
    Column::derived("starts_on", ColumnType::Date),
    Column::derived("local_time", ColumnType::Time),
    // Duration and buffer are in minutes.
    Column::new("duration", ColumnType::Int, &["duration"]),
    Column::new("buffer", ColumnType::Int, &["buffer"]),
    Column::new("is_all_day", ColumnType::Bool, &["isAllDay"]),
    Column::new("timezone", ColumnType::Text, &["timezone"]),
    Column::new("confirmed_at", ColumnType::Timestamp, &["confirmedAt"]),
    Column::new("confirmed_by_client", ColumnType::Bool, &["confirmedByClient"]),
    Column::new("confirmation_warning", ColumnType::Text, &["confirmationWarning"]),
    Column::new("address_line", ColumnType::Text, &["addressLine"]),
    Column::new("city", ColumnType::Text, &["location", "municipality"]),
    Column::new("postal_code", ColumnType::Text, &["location", "postalCode"]),
    Column::new("travel_mode", ColumnType::Text, &["travelMode"]),
    Column::new("lifecycle_state", ColumnType::Text, &["lifecycleState"]),
    Column::new("source", ColumnType::Text, &["source"]),
    Column::new("recurrence_id", ColumnType::Text, &["recurrenceId"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("an appointment belongs to its day and time in Montréal", Effect::Derives(derive_local)),
    Rule::new("an appointment's duration is not negative", Effect::Repairs(derive_end)),
];

fn starts_at(draft: &RowDraft<'_>) -> Option<DateTime<Utc>> {
    draft.record.raw.get("start").and_then(Value::as_str).and_then(parse_instant)
}

fn derive_local(draft: &mut RowDraft<'_>) {
    let start = starts_at(draft);
    draft.set("starts_on", start.map(|at| date_text(local_day::of(at))));
    draft
        .set("local_time", start.map(|at| at.with_timezone(&local_day::ZONE).format("%H:%M:%S").to_string()));
}

fn derive_end(draft: &mut RowDraft<'_>) {
    let minutes = draft.own_cells().whole_number("duration");
    match (starts_at(draft), minutes) {
        (_, Some(minutes)) if minutes < 0 => draft.note("duration is negative; ends_at left empty"),
        (Some(start), Some(minutes)) => {
            let end = start.checked_add_signed(TimeDelta::minutes(minutes));
            draft.set("ends_at", end.map(instant_text));
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::row::Record;

    #[test]
    fn appointment_has_montreal_day_time_and_end() {
        for (start, duration, expected, notes) in [
            // The local times are 22:00 in summer and 20:30 in winter.
            ("2026-07-02T02:00:00Z", json!(90), ["2026-07-01", "22:00:00", "2026-07-02T03:30:00Z"], 0),
            ("2026-01-15T01:30:00Z", json!(0), ["2026-01-14", "20:30:00", "2026-01-15T01:30:00Z"], 0),
            ("2026-01-15T01:30:00Z", json!(-5), ["2026-01-14", "20:30:00", ""], 1),
            ("2026-01-15T01:30:00Z", json!(null), ["2026-01-14", "20:30:00", ""], 0),
            ("someday", json!(60), ["", "", ""], 1),
        ] {
            let raw = json!({"id": "evt_1", "start": start, "duration": duration});
            let row = APPOINTMENT.transform(Record { raw: &raw, parent_id: None }).ok();
            let read = row.as_ref().map(|row| {
                let get = |name| row.get(COLUMNS, name).unwrap_or_default();
                ([get("starts_on"), get("local_time"), get("ends_at")], row.notes.len())
            });
            assert_eq!(read, Some((expected, notes)), "{start} {duration}");
        }
    }

    #[test]
    fn incremental_window_is_31_days_back_to_91_ahead() {
        let filter = APPOINTMENT.time_filter();
        let evening = parse_instant("2026-11-24T03:00:00Z").unwrap_or_default();
        let window = filter.and_then(|filter| filter.incremental_window(evening, evening, 1));
        let variables =
            filter.zip(window).map(|(filter, window)| filter.variables(window)).unwrap_or_default();
        // In Montréal it is still the 23rd.
        let expected = [("since", "2026-10-23"), ("until", "2027-02-22")];
        assert_eq!(variables, expected.map(|(name, day)| (name, day.to_owned())));
    }
}
