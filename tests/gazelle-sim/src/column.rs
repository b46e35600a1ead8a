//! Columns of the mirror's tables and the source of their values.

use std::sync::Arc;

use chrono::Duration;
use serde_json::{Map, Value as Json};

use crate::{
    datetime,
    record::{Datum, Record},
};

/// Source of a column's value in a record.
pub(crate) enum ColumnSource {
    /// Field at the end of a path; a reference gives its id.
    Path(&'static [&'static str]),
    /// Name of the company or, without one, of the person.
    DisplayName,
    /// Local day of a timestamp.
    LocalDay(&'static str),
    /// Local time of a timestamp: `14:30:00`.
    LocalTime(&'static str),
    /// Timestamp (first field) plus a duration in minutes (second field).
    EndTime(&'static str, &'static str),
    /// Amount in minor units, converted to major units by the currency of the record or of its parent.
    Money(&'static str),
    /// List or nested record as JSON; a reference gives its id.
    Nested(&'static str),
}
/// Name and source of a column.
pub(crate) type Column = (&'static str, ColumnSource);

/// Table in which the mirror keeps a list inside records, one row per element.
pub(crate) struct ChildTable {
    pub(crate) name: &'static str,
    /// Column with the id of the parent record.
    pub(crate) parent_column: &'static str,
    /// Field that contains the list.
    pub(crate) list: &'static str,
    /// Columns other than `parent_column` and `line`.
    pub(crate) columns: &'static [Column],
}

impl ChildTable {
    /// Returns the rows of a record's list, in list order.
    pub(crate) fn rows(&self, record: &Record) -> Vec<Map<String, Json>> {
        let to_row = |(index, element): (usize, &Arc<Record>)| {
            let mut row = row(self.columns, element, Some(record));
            let parent = record.id().map_or(Json::Null, |id| id.as_ref().into());
            row.insert(self.parent_column.to_owned(), parent);
            row.insert("line".to_owned(), (index + 1).into());
            row
        };
        record.objects(self.list).enumerate().map(to_row).collect()
    }
}

/// Builds the row of a record, or of an element of `parent`.
pub(crate) fn row(columns: &[Column], record: &Record, parent: Option<&Record>) -> Map<String, Json> {
    columns.iter().map(|(name, source)| ((*name).to_owned(), value(source, record, parent))).collect()
}

fn value(source: &ColumnSource, record: &Record, parent: Option<&Record>) -> Json {
    let timestamp = |field: &str| record.text(field).and_then(|text| datetime::parse(text));
    let text = |text: Option<String>| text.map_or(Json::Null, Json::String);
    match source {
        ColumnSource::Path(path) => record.path(path).map_or(Json::Null, scalar),
        ColumnSource::DisplayName => text(display_name(record)),
        ColumnSource::LocalDay(field) => text(timestamp(field).map(|at| datetime::local_day(at).to_string())),
        ColumnSource::LocalTime(field) => {
            text(timestamp(field).map(|at| datetime::local_time(at).format("%H:%M:%S").to_string()))
        }
        ColumnSource::EndTime(start, minutes) => {
            let minutes = record.int(minutes).filter(|minutes| *minutes >= 0).map(Duration::minutes);
            text(timestamp(start).zip(minutes).map(|(start, minutes)| datetime::format(start + minutes)))
        }
        ColumnSource::Money(field) => money(record, parent, field).map_or(Json::Null, Json::from),
        ColumnSource::Nested(field) => record.get(field).map_or(Json::Null, nested),
    }
}

fn money(record: &Record, parent: Option<&Record>, field: &str) -> Option<f64> {
    let currency = record.object("currency").or_else(|| parent?.object("currency"))?;
    // Both are GraphQL Ints, which have 32 bits.
    let to_float = |number: i64| i32::try_from(number).ok().map(f64::from);
    let divisor = to_float(currency.int("divisor")?).filter(|divisor| *divisor > 0.0)?;
    Some(to_float(record.int(field)?)? / divisor)
}

fn scalar(datum: &Datum) -> Json {
    match datum {
        Datum::Null | Datum::Object(_) => Json::Null,
        Datum::Bool(value) => (*value).into(),
        Datum::Int(number) => (*number).into(),
        Datum::Text(text) | Datum::Reference(_, text) => text.as_ref().into(),
        Datum::Json(value) => Json::clone(value),
        Datum::List(items) => items.iter().map(scalar).collect(),
    }
}

fn nested(datum: &Datum) -> Json {
    match datum {
        Datum::List(items) => items.iter().map(nested).collect(),
        Datum::Object(record) => record
            .fields()
            .map(|(name, value)| (name.to_owned(), nested(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => scalar(other),
    }
}

fn display_name(client: &Record) -> Option<String> {
    let non_blank = |path: &[&str]| match client.path(path) {
        Some(Datum::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    };
    non_blank(&["companyName"]).or_else(|| {
        let names = [non_blank(&["defaultContact", "firstName"]), non_blank(&["defaultContact", "lastName"])];
        let joined = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!joined.is_empty()).then_some(joined)
    })
}
