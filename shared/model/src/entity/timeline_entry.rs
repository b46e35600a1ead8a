//! Timeline entries: events of a client or a piano, and the messages that the system sent about them.

use serde_json::{Value, json};

use super::definition::{
    BoundType, DeletionPolicy, DuplicateIdRule, Entity, IncrementalReach, PlaceholderNotice, Query, Shape,
    Source, TimeFilter, Title,
};
use crate::cell::{date_text, number_text, parse_instant};
use crate::column::{Column, ColumnType};
use crate::local_day;
use crate::reading::{Quantity, readings};
use crate::row::Rejection;
use crate::rule::{Effect, RowDraft, Rule};

pub(super) static TIMELINE_ENTRY: Entity = Entity {
    name: "timeline",
    title: Title { french: "Historique", english: "Timeline" },
    table: "timeline_entries",
    staging_table: "stg_timeline_entries",
    source: Source::Query(Query {
        root: "allTimelineEntries",
        // References are selected by id alone: a renamed client must not change every entry.
        selection: "id occurredAt type summary comment duration relatedType relatedId alertType \
                    emailStatus emailFailureReason smsStatus client { id } piano { id } user { id } \
                    appointment { id } invoice { id } estimate { id }",
        shape: Shape::Connection {
            arguments: "",
            // The source offers no upper bound.
            window: Some(TimeFilter {
                input: None,
                since: "occurredAtGet",
                until: None,
                bound: BoundType::Instant,
                field: "occurredAt",
                reach: IncrementalReach::SinceLastRun,
            }),
        },
    }),
    columns: COLUMNS,
    partitioned_by: Some("occurred_at"),
    child_tables: &[],
    rules: RULES,
    placeholder: &[],
    placeholder_notice: PlaceholderNotice::AfterListing,
    // The source offers no lookup of one entry by its id.
    deletion_policy: DeletionPolicy::TwoFullSyncs,
    duplicate_ids: Some(DuplicateIdRule {
        prefix: "tme_",
        about: &["client_id", "piano_id"],
        day: "occurred_on",
        texts: &["summary", "comment"],
    }),
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", ColumnType::Text, &["client", "id"]).references("clients"),
    Column::new("piano_id", ColumnType::Text, &["piano", "id"]).references("pianos"),
    Column::new("user_id", ColumnType::Text, &["user", "id"]).references("users"),
    Column::new("entry_type", ColumnType::Text, &["type"]),
    Column::new("occurred_at", ColumnType::Timestamp, &["occurredAt"]),
    Column::derived("occurred_on", ColumnType::Date),
    Column::new("summary", ColumnType::Text, &["summary"]),
    Column::new("comment", ColumnType::Text, &["comment"]),
    Column::new("duration", ColumnType::Int, &["duration"]),
    Column::new("related_type", ColumnType::Text, &["relatedType"]),
    Column::new("related_id", ColumnType::Text, &["relatedId"]),
    Column::new("alert_type", ColumnType::Text, &["alertType"]),
    Column::new("email_status", ColumnType::Text, &["emailStatus"]),
    Column::new("email_failure_reason", ColumnType::Text, &["emailFailureReason"]),
    Column::new("sms_status", ColumnType::Text, &["smsStatus"]),
    Column::new("appointment_id", ColumnType::Text, &["appointment", "id"]),
    Column::new("invoice_id", ColumnType::Text, &["invoice", "id"]),
    Column::new("estimate_id", ColumnType::Text, &["estimate", "id"]),
    Column::derived("nature", ColumnType::Text),
    Column::derived("temperature_celsius", ColumnType::Number),
    Column::derived("humidity_percent", ColumnType::Number),
    Column::derived("pitch_hertz", ColumnType::Number),
    Column::derived("readings", ColumnType::Json),
];

const RULES: &[Rule] = &[
    Rule::new("an entry has a date", Effect::Refuses(require_date)),
    Rule::new("an entry belongs to its day in Montréal", Effect::Derives(derive_day)),
    Rule::new("an entry is technical, human or automated by its type", Effect::Derives(derive_nature)),
    Rule::new("readings stand in the texts of technicians", Effect::Derives(derive_readings)),
];

fn require_date(draft: &RowDraft<'_>) -> Result<(), Rejection> {
    occurred_at(draft).map(|_| ()).ok_or(Rejection::Required { field: "occurredAt" })
}

fn occurred_at(draft: &RowDraft<'_>) -> Option<chrono::DateTime<chrono::Utc>> {
    draft.record.raw.get("occurredAt").and_then(Value::as_str).and_then(parse_instant)
}

fn derive_day(draft: &mut RowDraft<'_>) {
    let day = occurred_at(draft).map(|at| date_text(local_day::of(at)));
    draft.set("occurred_on", day);
}

fn derive_nature(draft: &mut RowDraft<'_>) {
    let nature = draft.get("entry_type").and_then(nature).map(str::to_owned);
    draft.set("nature", nature);
}

/// Returns the nature of an entry: `technical` for work on a piano, `automated` for messages and logs of the system,
/// `human` for people's own texts and papers; none for an unknown type.
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

/// Derives the first temperature and humidity, and the last pitch, which is that in which the piano was left.
/// `readings` lists all of them as `{"quantity", "value", "field", "start", "end"}`, with byte offsets in that field.
fn derive_readings(draft: &mut RowDraft<'_>) {
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
    fn entry_belongs_to_its_day_in_montreal() {
        let raw = json!({"id": "tme_1", "occurredAt": "2025-07-02T02:00:00Z"});
        let row = TIMELINE_ENTRY
            .transform(Record { raw: &raw, parent_id: None })
            .map(|row| row.get(COLUMNS, "occurred_on").map(str::to_owned));
        assert_eq!(row, Ok(Some("2025-07-01".to_owned())));
    }

    #[test]
    fn entry_without_readable_date_is_rejected() {
        for at in [json!(null), json!("soon"), json!(5)] {
            let raw = json!({"id": "tme_1", "occurredAt": at});
            let rejected = TIMELINE_ENTRY.transform(Record { raw: &raw, parent_id: None });
            assert_eq!(rejected, Err(Rejection::Required { field: "occurredAt" }));
        }
    }

    #[test]
    fn readings_fill_columns_and_keep_their_offsets() {
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
            |name: &str, index: usize| usize::try_from(list[index][name].as_u64().unwrap_or(0)).unwrap_or(0);
        let sources: Vec<&str> =
            (0..4).filter_map(|index| comment.get(at("start", index)..at("end", index))).collect();
        assert_eq!(sources, ["435 Hz", "440Hz", "68F", "40%"]);
    }

    #[test]
    fn unknown_type_has_no_nature() {
        let natures =
            ["CONTACT_SMS_AUTOMATED", "APPOINTMENT_LOG", "CONTACT_PHONE_MANUAL_TALKED", "TELEPATHY"]
                .map(nature);
        assert_eq!(natures, [Some("automated"), Some("automated"), Some("human"), None]);
    }
}
