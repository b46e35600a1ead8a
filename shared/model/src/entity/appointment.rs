//! Appointments: what stands in the calendar, with the pianos it is about.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Absence, Bound, Entity, Part, Query, Reach, Shape, Source, TimeFilter, Title};
use crate::local_day;
use crate::row::{Column, Kind, date_text, instant, instant_text};
use crate::rule::{Draft, Effect, Rule};

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
                bound: Bound::Day,
                field: "start",
                reach: Reach::Around { back: 30, ahead: 90 },
            }),
        },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    parts: &[Part {
        table: "appointment_pianos",
        parent: "appointment_id",
        field: "allEventPianos",
        columns: &[
            Column::new("piano_id", Kind::Text, &["piano", "id"]).references("pianos"),
            Column::new("is_tuning", Kind::Bool, &["isTuning"]),
        ],
    }],
    rules: RULES,
    placeholder: &[],
    // Whether a cancelled one is still listed is unknown; one that was moved out of the period is not. Asked for by its
    // id, it says so.
    absence: Absence::AskedFor { root: "event", argument: "eventId" },
    twins: None,
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", Kind::Text, &["client", "id"]).references("clients"),
    Column::new("user_id", Kind::Text, &["user", "id"]).references("users"),
    Column::new("created_by_id", Kind::Text, &["createdBy", "id"]).references("users"),
    Column::new("type", Kind::Text, &["type"]),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("title", Kind::Text, &["title"]),
    Column::new("notes", Kind::Text, &["notes"]),
    Column::new("starts_at", Kind::Timestamp, &["start"]),
    Column::derived("ends_at", Kind::Timestamp),
    Column::derived("starts_on", Kind::Date),
    Column::derived("local_time", Kind::Time),
    // Minutes, as the buffer is.
    Column::new("duration", Kind::Int, &["duration"]),
    Column::new("buffer", Kind::Int, &["buffer"]),
    Column::new("is_all_day", Kind::Bool, &["isAllDay"]),
    Column::new("timezone", Kind::Text, &["timezone"]),
    Column::new("confirmed_at", Kind::Timestamp, &["confirmedAt"]),
    Column::new("confirmed_by_client", Kind::Bool, &["confirmedByClient"]),
    Column::new("confirmation_warning", Kind::Text, &["confirmationWarning"]),
    Column::new("address_line", Kind::Text, &["addressLine"]),
    Column::new("city", Kind::Text, &["location", "municipality"]),
    Column::new("postal_code", Kind::Text, &["location", "postalCode"]),
    Column::new("travel_mode", Kind::Text, &["travelMode"]),
    Column::new("lifecycle_state", Kind::Text, &["lifecycleState"]),
    Column::new("source", Kind::Text, &["source"]),
    Column::new("recurrence_id", Kind::Text, &["recurrenceId"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("an appointment belongs to its day and time in Montréal", Effect::Derives(derive_local)),
    Rule::new("an appointment lasts no time or some", Effect::Repairs(derive_end)),
];

fn start(draft: &Draft<'_>) -> Option<DateTime<Utc>> {
    draft.record.raw.get("start").and_then(Value::as_str).and_then(instant)
}

fn derive_local(draft: &mut Draft<'_>) {
    let start = start(draft);
    draft.set("starts_on", start.map(|at| date_text(local_day::of(at))));
    draft
        .set("local_time", start.map(|at| at.with_timezone(&local_day::ZONE).format("%H:%M:%S").to_string()));
}

fn derive_end(draft: &mut Draft<'_>) {
    let minutes = draft.own().whole_number("duration");
    match (start(draft), minutes) {
        (_, Some(minutes)) if minutes < 0 => draft.note("duration is below zero: ends_at left out"),
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
    fn an_evening_appointment_has_its_day_and_time_in_montreal_and_an_end() {
        for (start, duration, expected, notes) in [
            // 22:00 in summer, and 20:30 in winter.
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
    fn a_frequent_run_lists_thirty_days_back_and_ninety_ahead_and_a_day_more_at_each_end() {
        let filter = APPOINTMENT.time_filter();
        let evening = instant("2026-11-24T03:00:00Z").unwrap_or_default();
        let window = filter.and_then(|filter| filter.frequent_window(evening, evening, 1));
        let said = filter.zip(window).map(|(filter, window)| filter.variables(window)).unwrap_or_default();
        // In Montréal it is still the 23rd.
        let expected = [("since", "2026-10-23"), ("until", "2027-02-22")];
        assert_eq!(said, expected.map(|(name, day)| (name, day.to_owned())));
    }
}
