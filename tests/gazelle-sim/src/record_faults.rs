//! Faults that last: records that are never served, restricted views, capped counts and changed value types.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Faults applied to every otherwise correct response; the default changes nothing.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RecordFaults {
    /// Ids whose presence makes a response fail with status 502, in a listing and by id.
    unservable: BTreeSet<String>,
    /// Ids that a lookup answers with null and an error.
    unanswered: BTreeSet<String>,
    /// Ids served as null, in a listing, where they are counted, and by id.
    restricted: BTreeSet<String>,
    /// Upper bound for `totalCount`.
    count_cap: Option<u64>,
    /// Serves numbers of records as text.
    text_numbers: bool,
    /// Serves instants of records with seven fractional digits.
    long_instants: bool,
    /// Adds malformed entries to `errors` beside complete data.
    malformed_errors: bool,
}

/// Response after the faults.
pub(crate) enum Served {
    /// Body of the response.
    Body(String),
    /// The response fails: it would contain an unservable record.
    BadGateway,
}

impl RecordFaults {
    fn is_none(&self) -> bool {
        self.unservable.is_empty()
            && self.unanswered.is_empty()
            && self.restricted.is_empty()
            && self.count_cap.is_none()
            && !(self.text_numbers || self.long_instants || self.malformed_errors)
    }

    /// Applies the faults to the text of a response.
    pub(crate) fn apply(&self, text: String) -> Served {
        if self.is_none() {
            return Served::Body(text);
        }
        let Ok(mut response) = serde_json::from_str::<Value>(&text) else { return Served::Body(text) };
        let mut errors = Vec::new();
        if let Some(data) = response.get_mut("data").and_then(Value::as_object_mut) {
            for (alias, root) in data {
                if contains(root, &self.unservable) {
                    return Served::BadGateway;
                }
                self.apply_to_root(alias, root, &mut errors);
            }
        }
        if self.malformed_errors {
            errors.extend([json!({"message": null}), Value::Null, json!("partial outage")]);
        }
        if !errors.is_empty()
            && let Some(response) = response.as_object_mut()
        {
            let all = response.entry("errors").or_insert_with(|| json!([]));
            if let Some(all) = all.as_array_mut() {
                all.extend(errors);
            }
        }
        Served::Body(response.to_string())
    }

    fn apply_to_root(&self, alias: &str, root: &mut Value, errors: &mut Vec<Value>) {
        if is_record_of(root, &self.unanswered) {
            *root = Value::Null;
            errors.push(json!({
                "message": "Une erreur interne est survenue",
                "path": [alias],
                "extensions": {"code": "INTERNAL_SERVER_ERROR"},
            }));
        }
        match root {
            Value::Array(records) => self.apply_to_records(records),
            Value::Object(connection) if connection.contains_key("nodes") => {
                self.cap_count(connection);
                if let Some(Value::Array(records)) = connection.get_mut("nodes") {
                    self.apply_to_records(records);
                }
            }
            record => self.apply_to_record(record),
        }
    }

    fn apply_to_records(&self, records: &mut [Value]) {
        for record in records {
            self.apply_to_record(record);
        }
    }

    fn apply_to_record(&self, record: &mut Value) {
        if is_record_of(record, &self.restricted) {
            *record = Value::Null;
        }
        self.change_types(record);
    }

    fn cap_count(&self, connection: &mut Map<String, Value>) {
        if let (Some(cap), Some(count)) = (self.count_cap, connection.get_mut("totalCount")) {
            *count = json!(count.as_u64().unwrap_or(cap).min(cap));
        }
    }

    fn change_types(&self, value: &mut Value) {
        match value {
            Value::Number(number) if self.text_numbers => *value = Value::String(number.to_string()),
            Value::String(text) if self.long_instants && is_instant(text) => {
                text.insert_str(text.len() - 1, ".0000000");
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.change_types(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.change_types(field)),
            _ => {}
        }
    }
}

fn is_record_of(value: &Value, ids: &BTreeSet<String>) -> bool {
    value.get("id").and_then(Value::as_str).is_some_and(|id| ids.contains(id))
}

/// Returns whether a root field's value lists, or is, one of these records.
fn contains(root: &Value, ids: &BTreeSet<String>) -> bool {
    let records = root.as_array().or_else(|| root.get("nodes").and_then(Value::as_array));
    is_record_of(root, ids) || records.is_some_and(|all| all.iter().any(|record| is_record_of(record, ids)))
}

/// Returns whether a text is an instant in whole seconds, such as `2025-01-31T23:59:59Z`.
fn is_instant(text: &str) -> bool {
    text.len() == "2025-01-31T23:59:59Z".len()
        && text.ends_with('Z')
        && text.as_bytes()[10] == b'T'
        && text[..text.len() - 1]
            .bytes()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':' | b'T'))
}
