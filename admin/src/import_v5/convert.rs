//! Conversion of a row of V5 into a record in the shape of Gazelle's own responses. Pure.

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, Utc};
use db::v5::{V5Row, V5Table};
use model::column::ColumnType;
use model::local_day;
use model::row::{Record, Rejection, Row, is_usable_id};
use serde_json::{Map, Value};

use crate::import_v5::reason::Reason;

/// Key under which a record keeps the whole row of V5, so that nothing is lost for which V6 has no column.
const V5_ROW_KEY: &str = "v5";
/// Key under which a client keeps its rows of `gazelle_contacts`.
const CONTACTS_KEY: &str = "v5Contacts";

/// Converted row of V5.
#[derive(Debug)]
pub(super) struct ConvertedRow {
    /// Record in Gazelle's shape, as JSON.
    pub(super) json: String,
    /// Row that V6 will make of the record, or the reason why it will make none. The record is kept all the same.
    pub(super) row: Result<Row, Reason>,
    /// Number of contacts in the record.
    pub(super) contacts: u64,
}

/// Converts a row. `previous_id` is the id of the row before it, in the order of ids.
pub(super) fn convert_row(table: &V5Table, old: &V5Row, previous_id: Option<&str>) -> ConvertedRow {
    let refused = |reason| ConvertedRow { json: splice(&Map::new(), old), row: Err(reason), contacts: 0 };
    let id = match old.id.as_deref() {
        None | Some("") => return refused(Reason::NoKey),
        id if id == previous_id => return refused(Reason::Repeated),
        Some(id) if !is_usable_id(id) => return refused(Reason::UnusableKey),
        Some(id) => id,
    };
    let (Ok(row), Ok(references), Ok(contacts)) = (
        serde_json::from_str::<Map<String, Value>>(&old.json),
        serde_json::from_str::<Map<String, Value>>(old.references.as_deref().unwrap_or("{}")),
        serde_json::from_str::<Vec<Map<String, Value>>>(old.nested.as_deref().unwrap_or("[]")),
    ) else {
        return refused(Reason::Unreadable);
    };
    let mut fields = Value::Object(Map::from_iter([("id".to_owned(), id.into())]));
    for column in table.entity.columns.iter().filter(|column| !column.path.is_empty()) {
        let value = if column.references.is_some() {
            references.get(column.name)
        } else {
            table.sources(column.name).filter_map(|source| row.get(source)).find(|value| !is_empty(value))
        };
        if let Some(value) = value.filter(|value| !is_empty(value)) {
            put(&mut fields, column.path, converted(value, column.column_type));
        }
    }
    if let Some(contact) = contacts.first() {
        fill_contact(table, &mut fields, contact);
    }
    let row = table.entity.transform(Record { raw: &fields, parent_id: None });
    let row = row.map_err(|rejection| match rejection {
        Rejection::Required { field } => Reason::Required(field),
        _ => Reason::Unreadable,
    });
    let contacts = contacts.len() as u64;
    match (row, fields) {
        (Ok(row), Value::Object(fields)) => {
            ConvertedRow { json: splice(&fields, old), row: Ok(row), contacts }
        }
        // With its id it would fail in V6, and a person would be asked to correct data that nobody can correct.
        (row, _) => {
            ConvertedRow { json: splice(&Map::new(), old), row: row.and(Err(Reason::Unreadable)), contacts }
        }
    }
}

/// Converts a contact whose client V5 does not hold: the record has no id, so that it is kept and never promoted.
pub(super) fn convert_orphan(old: &V5Row) -> String {
    format!(r#"{{"id":null,"{CONTACTS_KEY}":[{}]}}"#, old.json)
}

/// Returns the JSON of the fields, followed by the row and its contacts, byte for byte.
fn splice(fields: &Map<String, Value>, old: &V5Row) -> String {
    let no_fields = Map::from_iter([("id".to_owned(), Value::Null)]);
    let fields =
        serde_json::to_string(if fields.is_empty() { &no_fields } else { fields }).unwrap_or_default();
    let open = fields.strip_suffix('}').unwrap_or_default();
    let contacts =
        old.nested.as_ref().map(|nested| format!(r#","{CONTACTS_KEY}":{nested}"#)).unwrap_or_default();
    format!(r#"{open},"{V5_ROW_KEY}":{}{contacts}}}"#, old.json)
}

/// Fills the missing name, e-mail and phone of a client from its first contact. First and last name are filled
/// together, because halves of the names of two people are nobody's name.
fn fill_contact(table: &V5Table, fields: &mut Value, contact: &Map<String, Value>) {
    let path =
        |name: &str| table.entity.columns.iter().find(|column| column.name == name).map(|column| column.path);
    for group in [&["first_name", "last_name"][..], &["email"], &["phone"]] {
        let paths: Vec<_> = group.iter().filter_map(|name| Some((*name, path(name)?))).collect();
        if paths.iter().any(|(_, path)| !is_empty(model::row::field(fields, path))) {
            continue;
        }
        for (name, path) in paths {
            if let Some(value) = contact.get(name).filter(|value| !is_empty(value)) {
                put(fields, path, converted(value, ColumnType::Text));
            }
        }
    }
}

/// Inserts a value at a path of nested objects.
fn put(fields: &mut Value, path: &[&str], value: Value) {
    let Some((first, rest)) = path.split_first() else { return };
    let Value::Object(object) = fields else { return };
    if rest.is_empty() {
        object.insert((*first).to_owned(), value);
    } else {
        put(object.entry((*first).to_owned()).or_insert_with(|| Value::Object(Map::new())), rest, value);
    }
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// Returns a value in the form that Gazelle gives to its type, or unchanged if it cannot be converted.
fn converted(value: &Value, column_type: ColumnType) -> Value {
    let text = value.as_str().map(str::trim);
    let converted = match column_type {
        ColumnType::Int => text.and_then(|text| text.parse::<i64>().ok()).map(Value::from).or_else(|| {
            // A floating-point column shows 1965 as 1965.0.
            let whole = value.as_f64().filter(|number| number.fract() == 0.0)?;
            format!("{whole:.0}").parse::<i64>().ok().map(Value::from)
        }),
        ColumnType::Number => text.and_then(|text| text.parse::<f64>().ok()).map(Value::from),
        ColumnType::Bool => match text.unwrap_or_default().to_ascii_lowercase().as_str() {
            "true" | "t" | "1" | "yes" | "oui" => Some(Value::Bool(true)),
            "false" | "f" | "0" | "no" | "non" => Some(Value::Bool(false)),
            _ => value
                .as_i64()
                .filter(|number| (0..=1).contains(number))
                .map(|number| Value::Bool(number == 1)),
        },
        ColumnType::Timestamp => {
            text.and_then(instant).map(|at| at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into())
        }
        ColumnType::Date => {
            text.and_then(|text| text.get(..10)).and_then(day).map(|day| day.to_string().into())
        }
        ColumnType::TextArray => list(value),
        ColumnType::Text => match value {
            Value::Bool(flag) => Some(flag.to_string().into()),
            Value::Array(_) | Value::Object(_) => Some(value.to_string().into()),
            _ => None,
        },
        // No table of V5 has a column of these types.
        ColumnType::Money | ColumnType::Time | ColumnType::Json => None,
    };
    converted.unwrap_or_else(|| value.clone())
}

/// Parses an instant. A time without a time zone is UTC, as V5 wrote it; a day stands for its beginning in Montréal.
fn instant(text: &str) -> Option<DateTime<Utc>> {
    let zoned = DateTime::parse_from_rfc3339(text)
        .or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z"))
        .map(|at| at.with_timezone(&Utc));
    let bare = |format| NaiveDateTime::parse_from_str(text, format).map(|at| at.and_utc());
    zoned
        .or_else(|_| bare("%Y-%m-%dT%H:%M:%S%.f"))
        .or_else(|_| bare("%Y-%m-%d %H:%M:%S%.f"))
        .ok()
        .or_else(|| local_day::start(day(text)?, local_day::ZONE))
}

fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// Parses a list of texts: a JSON list, a text with one in the form of JSON or PostgreSQL, or texts separated by
/// commas.
fn list(value: &Value) -> Option<Value> {
    let text = match value {
        Value::Array(items) => return Some(items.iter().filter_map(item).collect()),
        Value::String(text) => text.trim(),
        _ => return None,
    };
    if text.starts_with('[')
        && let Ok(Value::Array(items)) = serde_json::from_str(text)
    {
        return Some(items.iter().filter_map(item).collect());
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
    let items = inner.split(',').map(|item| item.trim().trim_matches('"')).filter(|item| !item.is_empty());
    Some(items.map(Value::from).collect())
}

fn item(value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::String(_) => Some(value.clone()),
        other => Some(other.to_string().into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::import_v5::tables::tables;

    fn convert(table: &str, row: &Value, nested: Option<Value>) -> ConvertedRow {
        let tables = tables();
        let Some(table) = tables.iter().find(|known| known.v5.name == table) else { panic!("{table}") };
        let old = V5Row {
            id: row["external_id"].as_str().map(str::to_owned),
            json: row.to_string(),
            references: Some(json!({"client_id": "cli_1"}).to_string()),
            nested: nested.map(|nested| nested.to_string()),
            is_duplicate: false,
        };
        convert_row(&table.v5, &old, Some("before"))
    }

    fn read(converted: &ConvertedRow) -> Value {
        serde_json::from_str(&converted.json).unwrap_or_default()
    }

    #[test]
    fn v5_row_becomes_a_gazelle_record() {
        let row = json!({"external_id": "tle_1", "client_id": 7, "title": "Accord", "description": "440 Hz",
            "occurred_at": "2024-01-02T03:04:05", "entry_type": "INVOICE", "secret_score": 12.50});
        let record = read(&convert("gazelle_timeline_entries", &row, None));
        let expected = json!({"id": "tle_1", "client": {"id": "cli_1"}, "summary": "Accord", "comment": "440 Hz",
            "occurredAt": "2024-01-02T03:04:05Z", "type": "INVOICE", "v5": row});
        assert_eq!(record, expected);
    }

    #[test]
    fn contact_fills_missing_client_fields() {
        let contact =
            json!({"first_name": "Zoé", "last_name": "Lebrun", "email": "z@example.org", "phone": "1"});
        let row = json!({"external_id": "cli_1", "company_name": "Alma", "email": "a@example.org", "last_name": "B"});
        let converted = convert("gazelle_clients", &row, Some(json!([contact, {"first_name": "Max"}])));
        let record = read(&converted);
        let expected = json!({"lastName": "B", "defaultEmail": {"email": "a@example.org"},
            "defaultPhone": {"phoneNumber": "1"}});
        assert_eq!((&record["defaultContact"], converted.contacts), (&expected, 2));
        assert_eq!(record["v5Contacts"][1]["first_name"], "Max");
    }

    #[test]
    fn values_of_other_types_are_converted() {
        for (value, kind, expected) in [
            (json!("1965"), ColumnType::Int, json!(1965)),
            (json!(1965.0), ColumnType::Int, json!(1965)),
            (json!("vers 1965"), ColumnType::Int, json!("vers 1965")),
            (json!("t"), ColumnType::Bool, json!(true)),
            (json!(0), ColumnType::Bool, json!(false)),
            (json!("{a,\"b c\"}"), ColumnType::TextArray, json!(["a", "b c"])),
            (json!("[\"a\", null, 3]"), ColumnType::TextArray, json!(["a", "3"])),
            (json!("a, b"), ColumnType::TextArray, json!(["a", "b"])),
            (json!("2024-05-01T10:00:00"), ColumnType::Date, json!("2024-05-01")),
            (json!("2024-05-01 10:00:00+00"), ColumnType::Timestamp, json!("2024-05-01T10:00:00Z")),
            (json!("2024-05-01"), ColumnType::Timestamp, json!("2024-05-01T04:00:00Z")),
            (json!("infinity"), ColumnType::Timestamp, json!("infinity")),
        ] {
            assert_eq!(converted(&value, kind), expected, "{value} as {kind:?}");
        }
    }

    #[test]
    fn impossible_row_is_kept_without_an_id() {
        for (row, reason) in [
            (json!({"external_id": null, "title": "a"}), Reason::NoKey),
            (json!({"external_id": "before", "title": "a"}), Reason::Repeated),
            (json!({"external_id": "x".repeat(600)}), Reason::UnusableKey),
            (json!({"external_id": "tle_1", "occurred_at": "infinity"}), Reason::Required("occurredAt")),
        ] {
            let converted = convert("gazelle_timeline_entries", &row, None);
            assert_eq!(converted.row.as_ref().err(), Some(&reason));
            assert_eq!(read(&converted), json!({"id": null, "v5": row}));
        }
    }
}
