//! Timeline entries: what happened to a client or a piano, and what the system sent about it.

use serde_json::Value;

use super::{Absence, Entity, Query, Shape, Source, TimeFilter, Twins};
use crate::local_day;
use crate::row::{Column, Kind, Record, Rejection, Row, date_text, instant};

pub(super) static TIMELINE_ENTRY: Entity = Entity {
    name: "timeline",
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
            window: Some(TimeFilter { argument: "occurredAtGet", field: "occurredAt" }),
        },
    }),
    columns: COLUMNS,
    partitioned_by: Some("occurred_at"),
    transform,
    placeholder: &[],
    // There is no field that answers one entry by its id.
    absence: Absence::ShownTwice,
    twins: Some(Twins { prefix: "tme_", day: "occurred_on", texts: &["summary", "comment"] }),
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
];

fn transform(record: Record<'_>) -> Result<Row, Rejection> {
    let mut row = Row::read(record, COLUMNS)?;
    let occurred_at = record.raw.get("occurredAt").and_then(Value::as_str).and_then(instant);
    let occurred_at = occurred_at.ok_or(Rejection::Required { field: "occurredAt" })?;
    row.set(COLUMNS, "occurred_on", Some(date_text(local_day::of(occurred_at))));
    Ok(row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_evening_entry_belongs_to_its_day_in_montreal() {
        let raw = json!({"id": "tme_1", "occurredAt": "2025-07-02T02:00:00Z"});
        let row = transform(Record { raw: &raw, parent_id: None })
            .map(|row| row.get(COLUMNS, "occurred_on").map(str::to_owned));
        assert_eq!(row, Ok(Some("2025-07-01".to_owned())));
    }

    #[test]
    fn an_entry_without_a_readable_date_is_refused_by_name() {
        for at in [json!(null), json!("soon"), json!(5)] {
            let raw = json!({"id": "tme_1", "occurredAt": at});
            let refused = transform(Record { raw: &raw, parent_id: None });
            assert_eq!(refused, Err(Rejection::Required { field: "occurredAt" }));
        }
    }
}
