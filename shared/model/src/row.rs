//! Records as rows: one cell per column, the rows of child tables, and the reasons for which a record is refused.

use std::collections::BTreeSet;

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
    /// Fields that hold a value which could not be read, each once: the index of the column, or the path of a field
    /// inside a list.
    pub unreadable: BTreeSet<Unreadable>,
}

/// Field of a record whose value could not be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unreadable {
    /// Column of the entity, by its index.
    Column(usize),
    /// Column of a child table, by the indices of both.
    ChildColumn(usize, usize),
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

/// Key of the object that keeps the text of a record which `jsonb` cannot hold: beside the fields of the repaired
/// record, or alone where no repair is certain.
pub const WRAPPER_KEY: &str = "$unrepresentable";

/// Note on a record that was repaired before it was stored.
pub const REPAIRED_NOTE: &str = "the record was repaired; its text as received is kept in raw_data";

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
        let wrapper = fields.get(WRAPPER_KEY);
        if let Some(wrapper) = wrapper.filter(|_| fields.len() == 1) {
            let reason = wrapper.get("reason").and_then(Value::as_str).unwrap_or("unknown").to_owned();
            return Err(Rejection::Unrepresentable { reason });
        }
        let id = id_of(fields.get("id")).ok_or(Rejection::NoId)?;
        let mut notes = Vec::new();
        if wrapper.is_some() {
            notes.push(REPAIRED_NOTE.to_owned());
        }
        let mut unreadable = BTreeSet::new();
        let mut read = read_cells(raw, parent_id, columns, "", &mut notes);
        unreadable.extend(read.unreadable.drain(..).map(Unreadable::Column));
        let cells = read.cells;
        let mut child_rows = Vec::with_capacity(child_tables.len());
        for (index, table) in child_tables.iter().enumerate() {
            let (list, columns) = read_child_rows(raw, table, &mut notes);
            unreadable.extend(columns.into_iter().map(|column| Unreadable::ChildColumn(index, column)));
            child_rows.push(list);
        }
        Ok(Self { id, cells, child_rows, notes, unreadable })
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

/// Cells of a record, or of an element of a list inside it.
struct ReadCells {
    cells: Vec<Option<String>>,
    /// Indices of the columns whose value could not be read.
    unreadable: Vec<usize>,
}

/// Reads one cell per column; leaves an unreadable one empty, with a note. `prefix` precedes the field's path in notes.
fn read_cells(
    raw: &Value,
    parent_id: Option<&str>,
    columns: &[Column],
    prefix: &str,
    notes: &mut Vec<String>,
) -> ReadCells {
    let mut unreadable = Vec::new();
    let mut read = |(index, column): (usize, &Column)| {
        if column.path == PARENT_ID_PATH {
            return parent_id.map(str::to_owned);
        }
        let value = if column.path.is_empty() { &Value::Null } else { field(raw, column.path) };
        let cell = if is_empty(value) { None } else { cell_text(value, column.column_type) };
        let cell = cell.filter(|id| column.references.is_none() || is_usable_id(id));
        if cell.is_none() && !is_empty(value) {
            unreadable.push(index);
            if notes.len() < NOTES_MAX {
                let sql_type = column.column_type.sql_type();
                notes.push(format!("{prefix}{} is not a valid {sql_type}", column.path.join(".")));
            }
        }
        cell.or_else(|| (column.column_type == ColumnType::TextArray).then(|| "{}".to_owned()))
    };
    let cells = columns.iter().enumerate().map(&mut read).collect();
    ReadCells { cells, unreadable }
}

/// Returns the elements of the list in that field: of an array, or of a connection's `nodes`.
#[must_use]
pub fn elements<'a>(raw: &'a Value, field: &str) -> &'a [Value] {
    let list = raw.get(field).unwrap_or(&Value::Null);
    list.as_array().or_else(|| list.get("nodes")?.as_array()).map_or(&[], Vec::as_slice)
}

/// Reads the list of a child table; returns it with the indices of the columns that could not be read in an element.
///
/// An element that is not an object, or in which no column has a value, says nothing of its line: a row that is there
/// stays as it is, and so do those of the lines after the list, because the source has not answered in full.
fn read_child_rows(raw: &Value, table: &ChildTable, notes: &mut Vec<String>) -> (ChildRows, BTreeSet<usize>) {
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
    let mut unreadable = BTreeSet::new();
    let mut has_unknown_element = false;
    let mapped = table.columns.iter().filter(|column| !column.path.is_empty());
    for (element, line) in elements.iter().take(CHILD_ROWS_MAX).zip(1..) {
        let prefix = format!("{}[{line}].", table.field);
        if element.is_object() {
            let read = read_cells(element, None, table.columns, &prefix, notes);
            unreadable.extend(read.unreadable);
            rows.push(ChildRow { line, cells: read.cells });
        }
        if mapped.clone().any(|column| !is_empty(field(element, column.path))) {
            continue;
        }
        has_unknown_element = true;
        if notes.len() < NOTES_MAX {
            let problem = if element.is_object() { "has no known field" } else { "is not an object" };
            notes.push(format!("{}[{line}] {problem}", table.field));
        }
    }
    let is_complete = is_list && !is_truncated && !exceeds_limit && !has_unknown_element;
    (ChildRows { rows, is_complete }, unreadable)
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

/// Returns a usable id, also from a whole number, which is read as its digits.
fn id_of(value: Option<&Value>) -> Option<String> {
    let id = match value? {
        Value::String(id) => id.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    is_usable_id(&id).then_some(id)
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
                unreadable: [0, 1, 2].map(Unreadable::Column).into(),
            })
        );
    }

    #[test]
    fn repaired_record_is_read_and_a_bare_wrapper_is_not() {
        let wrapper = json!({"reason": "\u{fffd}", "json": "{}"});
        let row = read(&json!({"id": "x", "year": 1900, WRAPPER_KEY: wrapper})).ok();
        assert_eq!(
            row.map(|row| (row.cells[1].clone(), row.notes)),
            Some((Some("1900".to_owned()), vec![REPAIRED_NOTE.to_owned()]))
        );
        assert!(matches!(read(&json!({WRAPPER_KEY: wrapper})), Err(Rejection::Unrepresentable { .. })));
    }

    #[test]
    fn text_array_keeps_quotes_and_backslashes() {
        let raw = json!({"id": "x", "tags": ["a\"b", "c\\d", "é, {f}", null]});
        let row = read(&raw).map(|row| row.cells[3].clone());
        assert_eq!(row, Ok(Some(r#"{"a\"b","c\\d","é, {f}"}"#.to_owned())));
    }

    #[test]
    fn record_without_usable_id_is_rejected() {
        for raw in [json!({}), json!({"id": null}), json!({"id": ""}), json!({"id": 7.5}), json!({"id": {}})]
        {
            assert_eq!(read(&raw), Err(Rejection::NoId), "{raw}");
        }
        assert_eq!(read(&json!({"id": 7})).map(|row| row.id), Ok("7".to_owned()));
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
            // An element that is null, or that says nothing, may be a line that is there.
            (json!({"nodes": [null, {"n": 7}], "pageInfo": {"hasNextPage": false}}), (one(2), false, 1)),
            (json!([{"n": null}, {"n": 7}]), (vec![(1, None), (2, Some("7".to_owned()))], false, 1)),
            (json!([{"n": 7}, {}, []]), (vec![(1, Some("7".to_owned())), (2, None)], false, 2)),
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
