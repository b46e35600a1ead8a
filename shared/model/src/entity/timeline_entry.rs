//! Timeline entries: what happened to a client or a piano, and what the system sent about it.

use serde_json::{Value, json};

use super::{Absence, Bound, Entity, Query, Reach, Shape, Source, TimeFilter, Title, Twins};
use crate::local_day;
use crate::reading::{Quantity, readings};
use crate::row::{Column, Kind, Rejection, date_text, instant};
use crate::rule::{Draft, Effect, Rule, number_text};

pub(super) static TIMELINE_ENTRY: Entity = Entity {
    name: "timeline",
    title: Title { french: "Historique", english: "Timeline" },
    table: "timeline_entries",
    staging_table: "stg_timeline_entries",
    source: Source::Query(Query {
        root: "allTimelineEntries",
        // Ids alone of what it refers to: a renamed client must not change every entry.
        selection: "id occurredAt type summary comment duration relatedType relatedId alertType \
                    emailStatus emailFailureReason smsStatus client { id } piano { id } user { id } \
                    appointment { id } invoice { id } estimate { id }",
        shape: Shape::Connection {
            arguments: "",
            // There is no upper bound at the source.
            window: Some(TimeFilter {
                input: None,
                since: "occurredAtGet",
                until: None,
                bound: Bound::Instant,
                field: "occurredAt",
                reach: Reach::SinceLastRun,
            }),
        },
    }),
    columns: COLUMNS,
    partitioned_by: Some("occurred_at"),
    parts: &[],
    rules: RULES,
    placeholder: &[],
    // There is no field that answers one entry by its id.
    absence: Absence::ShownTwice,
    twins: Some(Twins {
        prefix: "tme_",
        about: &["client_id", "piano_id"],
        day: "occurred_on",
        texts: &["summary", "comment"],
    }),
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", Kind::Text, &["client", "id"]).references("clients"),
    Column::new("piano_id", Kind::Text, &["piano", "id"]).references("pianos"),
    Column::new("user_id", Kind::Text, &["user", "id"]).references("users"),
    Column::new("entry_type", Kind::Text, &["type"]),
    Column::new("occurred_at", Kind::Timestamp, &["occurredAt"]),
    Column::derived("occurred_on", Kind::Date),
    Column::new("summary", Kind::Text, &["summary"]),
    Column::new("comment", Kind::Text, &["comment"]),
    Column::new("duration", Kind::Int, &["duration"]),
    Column::new("related_type", Kind::Text, &["relatedType"]),
    Column::new("related_id", Kind::Text, &["relatedId"]),
    Column::new("alert_type", Kind::Text, &["alertType"]),
    Column::new("email_status", Kind::Text, &["emailStatus"]),
    Column::new("email_failure_reason", Kind::Text, &["emailFailureReason"]),
    Column::new("sms_status", Kind::Text, &["smsStatus"]),
    Column::new("appointment_id", Kind::Text, &["appointment", "id"]),
    Column::new("invoice_id", Kind::Text, &["invoice", "id"]),
    Column::new("estimate_id", Kind::Text, &["estimate", "id"]),
    Column::derived("nature", Kind::Text),
    Column::derived("temperature_celsius", Kind::Number),
    Column::derived("humidity_percent", Kind::Number),
    Column::derived("pitch_hertz", Kind::Number),
    Column::derived("readings", Kind::Json),
];

const RULES: &[Rule] = &[
    Rule::new("an entry has a date", Effect::Refuses(require_date)),
    Rule::new("an entry belongs to its day in Montréal", Effect::Derives(derive_day)),
    Rule::new("an entry is technical, human or automated by its type", Effect::Derives(derive_nature)),
    Rule::new("readings stand in the texts of technicians", Effect::Derives(derive_readings)),
];

fn require_date(draft: &Draft<'_>) -> Result<(), Rejection> {
    occurred_at(draft).map(|_| ()).ok_or(Rejection::Required { field: "occurredAt" })
}

fn occurred_at(draft: &Draft<'_>) -> Option<chrono::DateTime<chrono::Utc>> {
    draft.record.raw.get("occurredAt").and_then(Value::as_str).and_then(instant)
}

fn derive_day(draft: &mut Draft<'_>) {
    let day = occurred_at(draft).map(|at| date_text(local_day::of(at)));
    draft.set("occurred_on", day);
}

fn derive_nature(draft: &mut Draft<'_>) {
    let nature = draft.get("entry_type").and_then(nature).map(str::to_owned);
    draft.set("nature", nature);
}

/// `technical`: work on a piano. `automated`: what the system sent or logged by itself. `human`: people's own
/// words and papers. None for a type that we have never seen.
fn nature(entry_type: &str) -> Option<&'static str> {
    match entry_type {
        "SERVICE_ENTRY_MANUAL" | "SERVICE_ENTRY_AUTOMATED" | "PIANO_MEASUREMENT" => Some("technical"),
        "ERROR_MESSAGE" | "SYSTEM_MESSAGE" | "SYSTEM_NOTIFICATION" | "INVOICE_SYNC" => Some("automated"),
        "USER_COMMENT" | "APPOINTMENT" | "INVOICE" | "INVOICE_PAYMENT" | "ESTIMATE" => Some("human"),
        _ if entry_type.ends_with("_AUTOMATED")
            || entry_type.ends_with("_LOG")
            || entry_type.starts_with("SCHEDULED_MESSAGE_") =>
        {
            Some("automated")
        }
        _ if entry_type.starts_with("CONTACT_") => Some("human"),
        _ => None,
    }
}

/// The first temperature and humidity, and the last pitch: that in which the piano was left. `readings` has all
/// of them, each with its place: `{"quantity", "value", "field", "start", "end"}`, bytes of that field.
fn derive_readings(draft: &mut Draft<'_>) {
    if draft.get("nature") == Some("automated") {
        return;
    }
    let mut all = Vec::new();
    for field in ["summary", "comment"] {
        all.extend(
            draft.get(field).map(readings).unwrap_or_default().into_iter().map(|reading| (field, reading)),
        );
    }
    if all.is_empty() {
        return;
    }
    let value = |found: Option<&(&str, crate::reading::Reading)>| {
        found.map(|(_, reading)| number_text(reading.value))
    };
    let is = |quantity: Quantity| {
        move |(_, reading): &&(&str, crate::reading::Reading)| reading.quantity == quantity
    };
    let temperature = value(all.iter().find(is(Quantity::Temperature)));
    let humidity = value(all.iter().find(is(Quantity::Humidity)));
    let pitch = value(all.iter().rfind(is(Quantity::Pitch)));
    let list: Vec<Value> = all
        .iter()
        .map(|(field, reading)| {
            json!({
                "quantity": reading.quantity.as_str(), "value": reading.value, "field": field,
                "start": reading.span.start, "end": reading.span.end,
            })
        })
        .collect();
    draft.set("temperature_celsius", temperature);
    draft.set("humidity_percent", humidity);
    draft.set("pitch_hertz", pitch);
    draft.set("readings", Some(Value::from(list).to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Record;

    #[test]
    fn an_evening_entry_belongs_to_its_day_in_montreal() {
        let raw = json!({"id": "tme_1", "occurredAt": "2025-07-02T02:00:00Z"});
        let row = TIMELINE_ENTRY
            .transform(Record { raw: &raw, parent_id: None })
            .map(|row| row.get(COLUMNS, "occurred_on").map(str::to_owned));
        assert_eq!(row, Ok(Some("2025-07-01".to_owned())));
    }

    #[test]
    fn an_entry_without_a_readable_date_is_refused_by_name() {
        for at in [json!(null), json!("soon"), json!(5)] {
            let raw = json!({"id": "tme_1", "occurredAt": at});
            let refused = TIMELINE_ENTRY.transform(Record { raw: &raw, parent_id: None });
            assert_eq!(refused, Err(Rejection::Required { field: "occurredAt" }));
        }
    }

    #[test]
    fn the_readings_of_a_note_are_columns_and_keep_their_place_in_it() {
        let raw = json!({"id": "tme_1", "occurredAt": "2025-07-02T02:00:00Z", "type": "SERVICE_ENTRY_MANUAL",
            "summary": "Accord", "comment": "Reçu à 435 Hz, laissé à 440Hz. 68F, 40%. Rabais 10 %."});
        let row = TIMELINE_ENTRY.transform(Record { raw: &raw, parent_id: None }).ok();
        let get = |name| row.as_ref().and_then(|row| row.get(COLUMNS, name));
        assert_eq!(
            (get("temperature_celsius"), get("humidity_percent"), get("pitch_hertz"), get("nature")),
            (Some("20"), Some("40"), Some("440"), Some("technical"))
        );
        let list: Value =
            get("readings").and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default();
        let comment = raw["comment"].as_str().unwrap_or_default();
        let at =
            |name: &str, place: usize| usize::try_from(list[place][name].as_u64().unwrap_or(0)).unwrap_or(0);
        let sources: Vec<&str> =
            (0..4).filter_map(|place| comment.get(at("start", place)..at("end", place))).collect();
        assert_eq!(sources, ["435 Hz", "440Hz", "68F", "40%"]);
    }

    #[test]
    fn a_type_that_no_one_has_seen_has_no_nature_and_a_message_of_the_system_is_noise() {
        let natures =
            ["CONTACT_SMS_AUTOMATED", "APPOINTMENT_LOG", "CONTACT_PHONE_MANUAL_TALKED", "TELEPATHY"]
                .map(nature);
        assert_eq!(natures, [Some("automated"), Some("automated"), Some("human"), None]);
    }
}
