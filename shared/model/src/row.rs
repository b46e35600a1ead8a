//! Records as rows: one cell per column, the rows of child tables, and the reasons for which a record is refused.

use serde_json::Value;

use crate::cell::cell_text;
use crate::column::{ChildTable, Column, ColumnType, PARENT_ID_PATH, column_index};

/// Record as it was staged.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// JSON of the source.
    pub raw: &'a Value,
    /// Id of the parent record, for a record nested in another one.
    pub parent_id: Option<&'a str>,
}

/// Permanent reason for which a record cannot become a row. The record stays in staging with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The element of the list is `null`.
    #[error("the node is null")]
    NullNode,
    /// The element is neither null nor an object.
    #[error("the node is not an object")]
    NotAnObject,
    /// The id is absent, null, empty, not a text, or longer than any index accepts.
    #[error("the id is missing or not usable")]
    NoId,
    /// A mandatory field of the record is absent or cannot be read.
    #[error("{field} is missing or unreadable")]
    Required {
        /// Field of the record.
        field: &'static str,
    },
    /// The database's `jsonb` cannot hold the record; its bytes are kept in the wrapper.
    #[error("the record holds what jsonb cannot: {reason}")]
    Unrepresentable {
        /// Text of the database's refusal.
        reason: String,
    },
}

impl Rejection {
    /// Reports whether known oddities of the source explain the rejection: a null element, a record without an id.
    /// Any other rejected record is one that someone will miss.
    #[must_use]
    pub const fn is_ordinary(&self) -> bool {
        matches!(self, Self::NullNode | Self::NotAnObject | Self::NoId)
    }
}

/// Record as a row: its id and one cell per column of its entity, in their order.
///
/// A cell is the text form that PostgreSQL casts to the column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Gazelle id of the record.
    pub id: String,
    /// Cells in the order of the entity's columns.
    pub cells: Vec<Option<String>>,
    /// Lists inside the record, in the order of the entity's child tables.
    pub child_rows: Vec<ChildRows>,
    /// Notes on fields that could not be read and were left empty, and on repaired values.
    pub notes: Vec<String>,
}

/// List inside a record, as rows of a child table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildRows {
    /// One row for each element that is an object.
    pub rows: Vec<ChildRow>,
    /// States that the list is complete. An element absent from a missing or truncated list may still exist.
    pub is_complete: bool,
}

/// Element of a list inside a record, as a row of a child table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildRow {
    /// Position in the list, from 1.
    pub line: i32,
    /// Cells in the order of the child table's columns.
    pub cells: Vec<Option<String>>,
}

/// Key of the wrapper object that replaces a record which `jsonb` cannot hold.
pub const WRAPPER_KEY: &str = "$unrepresentable";

impl Row {
    /// Reads every mapped column from the record. Derived columns are left empty.
    ///
    /// # Errors
    /// The record is not an object, has no id, or is a wrapper.
    pub fn read(
        record: Record<'_>,
        columns: &[Column],
        child_tables: &[ChildTable],
    ) -> Result<Self, Rejection> {
        let Record { raw, parent_id } = record;
        let fields = match raw {
            Value::Null => return Err(Rejection::NullNode),
            Value::Object(fields) => fields,
            _ => return Err(Rejection::NotAnObject),
        };
        if let Some(wrapper) = fields.get(WRAPPER_KEY) {
            let reason = wrapper.get("reason").and_then(Value::as_str).unwrap_or("unknown").to_owned();
            return Err(Rejection::Unrepresentable { reason });
        }
        let id = id_of(fields.get("id")).ok_or(Rejection::NoId)?;
        let mut notes = Vec::new();
        let cells = read_cells(raw, parent_id, columns, "", &mut notes);
        let child_rows = child_tables.iter().map(|table| read_child_rows(raw, table, &mut notes)).collect();
        Ok(Self { id, cells, child_rows, notes })
    }

    /// Returns the cell of the column with that name.
    #[must_use]
    pub fn get(&self, columns: &[Column], name: &str) -> Option<&str> {
        self.cells.get(column_index(columns, name)?)?.as_deref()
    }

    /// Sets the cell of the column with that name; does nothing where there is no such column.
    pub fn set(&mut self, columns: &[Column], name: &str, value: Option<String>) {
        if let Some(cell) = column_index(columns, name).and_then(|index| self.cells.get_mut(index)) {
            *cell = value;
        }
    }
}

/// Upper bound for the notes on unreadable fields of one record; a list of garbage would have thousands.
const NOTES_MAX: usize = 50;

/// Reads one cell per column; leaves an unreadable one empty, with a note. `prefix` precedes the field's path in notes.
fn read_cells(
    raw: &Value,
    parent_id: Option<&str>,
    columns: &[Column],
    prefix: &str,
    notes: &mut Vec<String>,
) -> Vec<Option<String>> {
    let mut read = |column: &Column| {
        if column.path == PARENT_ID_PATH {
            return parent_id.map(str::to_owned);
        }
        let value = if column.path.is_empty() { &Value::Null } else { field(raw, column.path) };
        let cell = if is_empty(value) { None } else { cell_text(value, column.column_type) };
        let cell = cell.filter(|id| column.references.is_none() || is_usable_id(id));
        if cell.is_none() && !is_empty(value) && notes.len() < NOTES_MAX {
            let sql_type = column.column_type.sql_type();
            notes.push(format!("{prefix}{} is not a valid {sql_type}", column.path.join(".")));
        }
        cell.or_else(|| (column.column_type == ColumnType::TextArray).then(|| "{}".to_owned()))
    };
    columns.iter().map(&mut read).collect()
}

/// Returns the elements of the list in that field: of an array, or of a connection's `nodes`.
#[must_use]
pub fn elements<'a>(raw: &'a Value, field: &str) -> &'a [Value] {
    let list = raw.get(field).unwrap_or(&Value::Null);
    list.as_array().or_else(|| list.get("nodes")?.as_array()).map_or(&[], Vec::as_slice)
}

fn read_child_rows(raw: &Value, table: &ChildTable, notes: &mut Vec<String>) -> ChildRows {
    let list = raw.get(table.field).unwrap_or(&Value::Null);
    let is_list = list.is_array() || list.get("nodes").is_some_and(Value::is_array);
    if !is_list && !list.is_null() {
        notes.push(format!("{} is not a list", table.field));
    }
    let elements = elements(raw, table.field);
    let is_truncated = field(list, &["pageInfo", "hasNextPage"]).as_bool() == Some(true);
    if is_truncated {
        notes.push(format!("{} is truncated by the source", table.field));
    }
    let exceeds_limit = elements.len() > CHILD_ROWS_MAX;
    if exceeds_limit {
        let count = elements.len();
        notes.push(format!("{} has {count} elements, of which {CHILD_ROWS_MAX} are kept", table.field));
    }
    let mut rows = Vec::new();
    for (element, line) in elements.iter().take(CHILD_ROWS_MAX).zip(1..) {
        let prefix = format!("{}[{line}].", table.field);
        if element.is_object() {
            rows.push(ChildRow { line, cells: read_cells(element, None, table.columns, &prefix, notes) });
        } else if notes.len() < NOTES_MAX {
            notes.push(format!("{}[{line}] is not an object", table.field));
        }
    }
    ChildRows { rows, is_complete: is_list && !is_truncated && !exceeds_limit }
}

/// Upper bound for the rows of one list: ten times what a query requests, so that a source which ignores `first` does
/// not exhaust the memory.
const CHILD_ROWS_MAX: usize = 10_000;

/// Upper bound for the length of an id. Known ids have 20 to 24 bytes; an index entry of PostgreSQL holds about 2,700.
const ID_BYTES_MAX: usize = 512;

/// Reports whether a text can be an id. Ids are opaque: their format is never checked.
#[must_use]
pub fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains('\0')
}

fn id_of(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|id| is_usable_id(id)).map(str::to_owned)
}

/// Returns the value at that path; null where the path does not exist.
#[must_use]
pub fn field<'a>(raw: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().try_fold(raw, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("name", ColumnType::Text, &["contact", "name"]),
        Column::new("year", ColumnType::Int, &["year"]),
        Column::new("at", ColumnType::Timestamp, &["at"]),
        Column::new("tags", ColumnType::TextArray, &["tags"]),
    ];

    fn read(raw: &Value) -> Result<Row, Rejection> {
        Row::read(Record { raw, parent_id: None }, COLUMNS, &[])
    }

    #[test]
    fn unreadable_field_is_left_empty_and_noted() {
        let raw = json!({"id": "x", "contact": {"name": ["no"]}, "year": 3_000_000_000_i64, "at": "soon"});
        let row = read(&raw);
        assert_eq!(
            row,
            Ok(Row {
                id: "x".to_owned(),
                cells: vec![None, None, None, Some("{}".to_owned())],
                child_rows: Vec::new(),
                notes: vec![
                    "contact.name is not a valid text".to_owned(),
                    "year is not a valid int".to_owned(),
                    "at is not a valid timestamptz".to_owned()
                ],
            })
        );
    }

    #[test]
    fn text_array_keeps_quotes_and_backslashes() {
        let raw = json!({"id": "x", "tags": ["a\"b", "c\\d", "é, {f}", null]});
        let row = read(&raw).map(|row| row.cells[3].clone());
        assert_eq!(row, Ok(Some(r#"{"a\"b","c\\d","é, {f}"}"#.to_owned())));
    }

    #[test]
    fn record_without_usable_id_is_rejected() {
        for raw in [json!({}), json!({"id": null}), json!({"id": ""}), json!({"id": 7})] {
            assert_eq!(read(&raw), Err(Rejection::NoId), "{raw}");
        }
        assert_eq!(read(&Value::Null), Err(Rejection::NullNode));
        assert_eq!(read(&json!([1])), Err(Rejection::NotAnObject));
    }

    #[test]
    fn nested_list_becomes_child_rows_and_reports_completeness() {
        const CHILD_TABLES: &[ChildTable] = &[ChildTable {
            table: "items",
            parent: "record_id",
            field: "allItems",
            columns: &[Column::new("n", ColumnType::Int, &["n"])],
        }];
        let read = |list: Value| {
            let raw = json!({"id": "x", "allItems": list});
            let row = Row::read(Record { raw: &raw, parent_id: None }, &[], CHILD_TABLES).ok();
            row.map(|mut row| {
                let list = row.child_rows.remove(0);
                let rows: Vec<_> =
                    list.rows.into_iter().map(|row| (row.line, row.cells[0].clone())).collect();
                (rows, list.is_complete, row.notes.len())
            })
        };
        let one = |line| vec![(line, Some("7".to_owned()))];
        for (list, expected) in [
            (json!([{"n": 7}]), (one(1), true, 0)),
            (json!({"nodes": [null, {"n": 7}], "pageInfo": {"hasNextPage": false}}), (one(2), true, 1)),
            (json!({"nodes": [{"n": 7}], "pageInfo": {"hasNextPage": true}}), (one(1), false, 1)),
            (json!({"nodes": []}), (vec![], true, 0)),
            (json!([{"n": "seven"}]), (vec![(1, None)], true, 1)),
            (Value::Null, (vec![], false, 0)),
            (json!({"nodes": null}), (vec![], false, 1)),
            (json!("none"), (vec![], false, 1)),
        ] {
            assert_eq!(read(list.clone()), Some(expected), "{list}");
        }
    }
}
