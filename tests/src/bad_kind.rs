//! Kinds of bad records, each of which is repaired or fails alone.

use serde_json::{Value, json};

/// Kind of a bad record.
#[derive(Debug, Clone, Copy)]
pub struct BadKind {
    /// Description of the defect.
    pub what: &'static str,
    /// Expected outcome and start of the reason; none for a valid record.
    pub end: Option<(&'static str, &'static str)>,
    spoiler: fn(&str) -> String,
    refusal: Option<&'static str>,
}

impl BadKind {
    /// Every kind, the valid one first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let kind = |what, end, spoiler| Self { what, end, spoiler, refusal: None };
        vec![
            kind("nothing is wrong", None, str::to_owned),
            kind("null", Some(("skipped", "the node is null")), |_| "null".to_owned()),
            kind("no id", Some(("skipped", "the id is missing")), |record| with(record, "id", json!(null))),
            kind("no date", Some(("failed", "occurredAt is missing")), |record| {
                with(record, "occurredAt", json!(null))
            }),
            kind("what jsonb refuses", Some(("promoted", "")), |record| {
                record.replacen("Rappel", r"Rappel\u0000", 1)
            }),
            kind("nested too deep", Some(("promoted", "")), |record| {
                let deep = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
                record.replacen(r#""alertType":null"#, &format!(r#""alertType":{deep}"#), 1)
            }),
            Self {
                what: "what a constraint refuses",
                end: Some(("failed", "SQLSTATE 23514")),
                spoiler: |record| with(record, "type", json!("REFUSED")),
                refusal: Some(
                    "alter table throughput.timeline_entries add constraint refuses check (entry_type <> 'REFUSED')",
                ),
            },
        ]
    }

    /// Returns the record with the defect.
    #[must_use]
    pub fn spoil(&self, record: &str) -> String {
        (self.spoiler)(record)
    }

    /// Returns whether the kind has a defect.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        self.end.is_some()
    }

    /// Returns whether the record becomes no row.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.end.is_some_and(|(outcome, _)| outcome != "promoted")
    }

    /// Returns the statement that makes the database refuse it, in the schema `throughput`.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        self.refusal
    }
}

fn with(record: &str, field: &str, value: Value) -> String {
    let mut record: Value = serde_json::from_str(record).expect("a record");
    record[field] = value;
    record.to_string()
}
