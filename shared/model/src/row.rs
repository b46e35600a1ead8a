//! A record on its way to its table: columns, cells, and why a record may be refused.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::entity::Part;

/// A record as it was staged.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The source's JSON.
    pub raw: &'a Value,
    /// For a record that came inside another one: that one's id.
    pub parent_id: Option<&'a str>,
}

/// A column of a production table and the field of the record that fills it.
#[derive(Debug)]
pub struct Column {
    /// The column's name.
    pub name: &'static str,
    /// The field inside the record, outermost first; empty for a column that a transform derives.
    pub path: &'static [&'static str],
    /// What it holds.
    pub kind: Kind,
    /// Kept by hand in production: an empty value from the API never overwrites it.
    pub protected: bool,
    /// The entity that it refers to.
    pub references: Option<&'static str>,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; the empty text is stored as null.
    Text,
    /// 32-bit integer.
    Int,
    /// True, false or unknown.
    Bool,
    /// An instant, UTC.
    Timestamp,
    /// A calendar day.
    Date,
    /// A list of texts, never null.
    TextArray,
    /// A decimal number, exact.
    Number,
    /// An amount of money. The source states whole minor units; a rule puts it into units of its currency.
    Money,
    /// The time of a day.
    Time,
    /// A JSON document.
    Json,
}

impl Kind {
    /// The SQL type.
    #[must_use]
    pub const fn sql_type(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Int => "int",
            Self::Bool => "boolean",
            Self::Timestamp => "timestamptz",
            Self::Date => "date",
            Self::TextArray => "text[]",
            Self::Number | Self::Money => "numeric",
            Self::Time => "time",
            Self::Json => "jsonb",
        }
    }
}

impl Column {
    /// A column filled from the field at `path`.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind, path: &'static [&'static str]) -> Self {
        Self { name, path, kind, protected: false, references: None }
    }

    /// A column that the entity's transform derives.
    #[must_use]
    pub const fn derived(name: &'static str, kind: Kind) -> Self {
        Self::new(name, kind, &[])
    }

    /// A column that holds the id of the record in which this one came.
    #[must_use]
    pub const fn parent(name: &'static str) -> Self {
        Self::new(name, Kind::Text, PARENT)
    }

    /// The same column, kept when the API has nothing to say.
    #[must_use]
    pub const fn protected(mut self) -> Self {
        self.protected = true;
        self
    }

    /// The same column, as a reference to a record of `entity`.
    #[must_use]
    pub const fn references(mut self, entity: &'static str) -> Self {
        self.references = Some(entity);
        self
    }
}

/// The path of a column that is filled with the parent's id.
const PARENT: &[&str] = &["$parent"];

/// Why a record cannot become a row, whatever is tried. The record stays in staging with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The element of the list is `null`.
    #[error("the node is null")]
    NullNode,
    /// The element is neither null nor an object.
    #[error("the node is not an object")]
    NotAnObject,
    /// The id is absent, null, empty, no text, or longer than any index takes.
    #[error("the id is missing or not usable")]
    NoId,
    /// A field without which the record has no place in its table.
    #[error("{field} is missing or unreadable")]
    Required {
        /// The field of the record.
        field: &'static str,
    },
    /// The database's `jsonb` cannot hold the record; its bytes are kept in the wrapper.
    #[error("the record holds what jsonb cannot: {reason}")]
    Unrepresentable {
        /// What the database said when it refused.
        reason: String,
    },
}

impl Rejection {
    /// Whether the source's own oddities explain it: a null element, a record without an id. Anything
    /// else is a record that someone will miss.
    #[must_use]
    pub const fn is_ordinary(&self) -> bool {
        matches!(self, Self::NullNode | Self::NotAnObject | Self::NoId)
    }
}

/// A record as a row: its id and one cell per column of its entity, in their order.
///
/// A cell is the text form that PostgreSQL casts to the column's type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The Gazelle id.
    pub id: String,
    /// The cells, in the order of the entity's columns.
    pub cells: Vec<Option<String>>,
    /// What lies inside the record, in the order of the entity's parts.
    pub parts: Vec<Lines>,
    /// Fields that could not be read and were left empty, and what was repaired.
    pub notes: Vec<String>,
}

/// A list inside a record, as rows of its own table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lines {
    /// The elements that are records.
    pub lines: Vec<Line>,
    /// Whether these are all: what a list that is missing or cut short lacks, proves nothing.
    pub is_whole: bool,
}

/// An element of a list inside a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its place in the list, from 1.
    pub line: i32,
    /// One cell per column of its part, in their order.
    pub cells: Vec<Option<String>>,
}

/// The key of the object that stands in for a record which `jsonb` refuses.
pub const WRAPPER_KEY: &str = "$unrepresentable";

impl Row {
    /// Reads every mapped column from the record. Derived columns are left empty.
    ///
    /// # Errors
    /// The record is no object, has no id, or is a wrapper.
    pub fn read(record: Record<'_>, columns: &[Column], parts: &[Part]) -> Result<Self, Rejection> {
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
        let cells = cells(raw, parent_id, columns, "", &mut notes);
        let parts = parts.iter().map(|part| lines(raw, part, &mut notes)).collect();
        Ok(Self { id, cells, parts, notes })
    }

    /// The cell of the column of that name.
    #[must_use]
    pub fn get(&self, columns: &[Column], name: &str) -> Option<&str> {
        let place = columns.iter().position(|column| column.name == name)?;
        self.cells.get(place)?.as_deref()
    }

    /// Fills the column of that name.
    pub fn set(&mut self, columns: &[Column], name: &str, value: Option<String>) {
        if let Some(cell) =
            columns.iter().position(|column| column.name == name).and_then(|place| self.cells.get_mut(place))
        {
            *cell = value;
        }
    }
}

/// What a record can be noted for; a list of nonsense would have thousands.
const NOTES_MAX: usize = 50;

/// One cell per column; what cannot be read is left empty, with a note. `place` stands before the field's path in it.
fn cells(
    raw: &Value,
    parent_id: Option<&str>,
    columns: &[Column],
    place: &str,
    notes: &mut Vec<String>,
) -> Vec<Option<String>> {
    let mut read = |column: &Column| {
        if column.path == PARENT {
            return parent_id.map(str::to_owned);
        }
        let value = if column.path.is_empty() { &Value::Null } else { field(raw, column.path) };
        let cell = if is_empty(value) { None } else { cell(value, column.kind) };
        let cell = cell.filter(|id| column.references.is_none() || is_usable_id(id));
        if cell.is_none() && !is_empty(value) && notes.len() < NOTES_MAX {
            notes.push(format!("{place}{} is no {}", column.path.join("."), column.kind.sql_type()));
        }
        cell.or_else(|| (column.kind == Kind::TextArray).then(|| "{}".to_owned()))
    };
    columns.iter().map(&mut read).collect()
}

/// The elements of the list in that field: of an array, or of a connection's nodes.
#[must_use]
pub fn elements<'a>(raw: &'a Value, field: &str) -> &'a [Value] {
    let list = raw.get(field).unwrap_or(&Value::Null);
    list.as_array().or_else(|| list.get("nodes")?.as_array()).map_or(&[], Vec::as_slice)
}

fn lines(raw: &Value, part: &Part, notes: &mut Vec<String>) -> Lines {
    let list = raw.get(part.field).unwrap_or(&Value::Null);
    let is_list = list.is_array() || list.get("nodes").is_some_and(Value::is_array);
    if !is_list && !list.is_null() {
        notes.push(format!("{} is no list", part.field));
    }
    let elements = elements(raw, part.field);
    let is_cut_short = field(list, &["pageInfo", "hasNextPage"]).as_bool() == Some(true);
    if is_cut_short {
        notes.push(format!("{} goes on where the source stopped", part.field));
    }
    let is_endless = elements.len() > LINES_MAX;
    if is_endless {
        notes.push(format!("{} has {} elements, of which {LINES_MAX} are kept", part.field, elements.len()));
    }
    let mut lines = Vec::new();
    for (element, line) in elements.iter().take(LINES_MAX).zip(1..) {
        let place = format!("{}[{line}].", part.field);
        if element.is_object() {
            lines.push(Line { line, cells: cells(element, None, part.columns, &place, notes) });
        } else if notes.len() < NOTES_MAX {
            notes.push(format!("{}[{line}] is no object", part.field));
        }
    }
    Lines { lines, is_whole: is_list && !is_cut_short && !is_endless }
}

/// Rows of one list at most: ten times what is asked for, so that a source that does not count fills no memory.
const LINES_MAX: usize = 10_000;

/// Known ids have 20 to 24 bytes; an index of PostgreSQL takes about 2,700.
const ID_BYTES_MAX: usize = 512;

/// Whether a text can be an id. Ids are opaque: their shape is never checked.
#[must_use]
pub fn is_usable_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.contains('\0')
}

fn id_of(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|id| is_usable_id(id)).map(str::to_owned)
}

/// The value at that path; null where there is none.
#[must_use]
pub fn field<'a>(raw: &'a Value, path: &[&str]) -> &'a Value {
    path.iter().try_fold(raw, |value, name| value.get(name)).unwrap_or(&Value::Null)
}

fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

/// `None` where the value does not fit the kind.
fn cell(value: &Value, kind: Kind) -> Option<String> {
    Some(match kind {
        Kind::Text => match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        },
        Kind::Int => i32::try_from(value.as_i64()?).ok()?.to_string(),
        Kind::Money => value.as_i64()?.to_string(),
        Kind::Bool => value.as_bool()?.to_string(),
        Kind::Timestamp => instant_text(instant(value.as_str()?)?),
        Kind::Date => date_text(NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?),
        Kind::TextArray => {
            let items = value.as_array()?.iter().filter(|item| !item.is_null());
            array_literal(items.map(Value::as_str).collect::<Option<Vec<_>>>()?)
        }
        Kind::Number => value.as_number()?.to_string(),
        Kind::Time => NaiveTime::parse_from_str(value.as_str()?, "%H:%M:%S").ok()?.to_string(),
        Kind::Json => value.to_string(),
    })
}

/// The instant of an ISO 8601 text. The `Z` is meant: Gazelle's times are true UTC.
#[must_use]
pub fn instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc))
}

/// PostgreSQL's text form of an instant.
#[must_use]
pub fn instant_text(instant: DateTime<Utc>) -> String {
    if (1..=9999).contains(&instant.year()) {
        return instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    }
    let (date, era) = date_text(instant.date_naive())
        .split_once(' ')
        .map_or_else(|| (date_text(instant.date_naive()), ""), |(date, _)| (date.to_owned(), " BC"));
    format!("{date} {}+00{era}", instant.format("%H:%M:%S%.f"))
}

/// PostgreSQL's text form of a day. It knows no year 0: the year before 1 is 1 BC.
#[must_use]
pub fn date_text(day: NaiveDate) -> String {
    let (year, era) = if day.year() > 0 { (day.year(), "") } else { (1 - day.year(), " BC") };
    format!("{year:04}-{:02}-{:02}{era}", day.month(), day.day())
}

/// PostgreSQL's text form of an array of texts.
fn array_literal(items: Vec<&str>) -> String {
    let quoted: Vec<String> = items
        .into_iter()
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] = &[
        Column::new("name", Kind::Text, &["contact", "name"]),
        Column::new("year", Kind::Int, &["year"]),
        Column::new("at", Kind::Timestamp, &["at"]),
        Column::new("tags", Kind::TextArray, &["tags"]),
    ];

    fn read(raw: &Value) -> Result<Row, Rejection> {
        Row::read(Record { raw, parent_id: None }, COLUMNS, &[])
    }

    #[test]
    fn a_field_of_the_wrong_type_is_left_empty_and_noted() {
        let raw = json!({"id": "x", "contact": {"name": ["no"]}, "year": 3_000_000_000_i64, "at": "soon"});
        let row = read(&raw);
        assert_eq!(
            row,
            Ok(Row {
                id: "x".to_owned(),
                cells: vec![None, None, None, Some("{}".to_owned())],
                parts: Vec::new(),
                notes: vec![
                    "contact.name is no text".to_owned(),
                    "year is no int".to_owned(),
                    "at is no timestamptz".to_owned()
                ],
            })
        );
    }

    #[test]
    fn quotes_and_backslashes_survive_in_a_list_of_texts() {
        let raw = json!({"id": "x", "tags": ["a\"b", "c\\d", "é, {f}", null]});
        let row = read(&raw).map(|row| row.cells[3].clone());
        assert_eq!(row, Ok(Some(r#"{"a\"b","c\\d","é, {f}"}"#.to_owned())));
    }

    #[test]
    fn a_record_without_a_usable_id_is_refused_by_name() {
        for raw in [json!({}), json!({"id": null}), json!({"id": ""}), json!({"id": 7})] {
            assert_eq!(read(&raw), Err(Rejection::NoId), "{raw}");
        }
        assert_eq!(read(&Value::Null), Err(Rejection::NullNode));
        assert_eq!(read(&json!([1])), Err(Rejection::NotAnObject));
    }

    #[test]
    fn the_list_inside_a_record_becomes_lines_and_only_a_whole_one_says_what_is_not_there() {
        const PARTS: &[Part] = &[Part {
            table: "items",
            parent: "record_id",
            field: "allItems",
            columns: &[Column::new("n", Kind::Int, &["n"])],
        }];
        let read = |list: Value| {
            let raw = json!({"id": "x", "allItems": list});
            let row = Row::read(Record { raw: &raw, parent_id: None }, &[], PARTS).ok();
            row.map(|mut row| {
                let part = row.parts.remove(0);
                let lines: Vec<_> =
                    part.lines.into_iter().map(|line| (line.line, line.cells[0].clone())).collect();
                (lines, part.is_whole, row.notes.len())
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

    #[test]
    fn an_absurd_date_is_written_as_postgresql_writes_it() {
        let at = |text| cell(&json!(text), Kind::Timestamp);
        assert_eq!(at("0001-01-01T00:00:00+05:00"), Some("0001-12-31 19:00:00+00 BC".to_owned()));
        assert_eq!(at("9999-12-31T23:00:00-05:00"), Some("10000-01-01 04:00:00+00".to_owned()));
        assert_eq!(cell(&json!("0000-12-31"), Kind::Date), Some("0001-12-31 BC".to_owned()));
        assert_eq!(cell(&json!("2025-02-30"), Kind::Date), None);
    }

    #[test]
    fn the_z_of_an_instant_is_utc_and_an_offset_is_converted() {
        let at = |text| cell(&json!(text), Kind::Timestamp);
        assert_eq!(at("2016-05-11T19:09:15Z"), Some("2016-05-11T19:09:15Z".to_owned()));
        assert_eq!(at("2016-05-11T15:09:15-04:00"), Some("2016-05-11T19:09:15Z".to_owned()));
    }
}
