//! Where the values of a mirror's columns come from.

use chrono::Duration;
use serde_json::{Map, Value as Json};

use crate::{
    clock,
    record::{Datum, Record},
};

/// Where the value of a column comes from.
pub(crate) enum Source {
    /// The field at the end of a path; of a reference, the id.
    Path(&'static [&'static str]),
    /// The company, else the person.
    DisplayName,
    /// The local day of a moment.
    LocalDay(&'static str),
    /// The local time of a moment: `14:30:00`.
    LocalTime(&'static str),
    /// The moment so many minutes (the second field) after another (the first).
    End(&'static str, &'static str),
    /// An amount in minor units as a number of major ones, by the record's currency, else its parent's.
    Money(&'static str),
    /// A list or a nested record as JSON; of a reference, the id.
    Whole(&'static str),
}
use Source::{DisplayName, End, LocalDay, LocalTime, Money, Path, Whole};

/// A column: its name and its source.
pub(crate) type Column = (&'static str, Source);

/// A list inside a record that the mirror keeps in a table of its own.
pub(crate) struct Part {
    /// The name of the table.
    pub(crate) name: &'static str,
    /// The column that holds the id of the record.
    pub(crate) parent_column: &'static str,
    /// The field that holds the list.
    pub(crate) list: &'static str,
    /// The columns besides that one and `line`.
    pub(crate) columns: &'static [Column],
}

impl Part {
    /// The rows of a record's list, in its order.
    pub(crate) fn rows(&self, record: &Record) -> Vec<Map<String, Json>> {
        let line = |(index, element): (usize, &std::sync::Arc<Record>)| {
            let mut row = row(self.columns, element, Some(record));
            let parent = record.id().map_or(Json::Null, |id| id.as_ref().into());
            row.insert(self.parent_column.to_owned(), parent);
            row.insert("line".to_owned(), (index + 1).into());
            row
        };
        record.objects(self.list).enumerate().map(line).collect()
    }
}

/// The row of a record.
pub(super) fn row(columns: &[Column], record: &Record, parent: Option<&Record>) -> Map<String, Json> {
    columns.iter().map(|(name, source)| ((*name).to_owned(), value(source, record, parent))).collect()
}

fn value(source: &Source, record: &Record, parent: Option<&Record>) -> Json {
    let moment = |field: &str| record.text(field).and_then(|text| clock::parse(text));
    let text = |text: Option<String>| text.map_or(Json::Null, Json::String);
    match source {
        Path(path) => record.path(path).map_or(Json::Null, flat),
        DisplayName => text(display_name(record)),
        LocalDay(field) => text(moment(field).map(|moment| clock::local_day(moment).to_string())),
        LocalTime(field) => {
            text(moment(field).map(|moment| clock::local_time(moment).format("%H:%M:%S").to_string()))
        }
        End(start, minutes) => {
            let minutes = record.int(minutes).filter(|minutes| *minutes >= 0).map(Duration::minutes);
            text(moment(start).zip(minutes).map(|(start, minutes)| clock::stamp(start + minutes)))
        }
        Money(field) => money(record, parent, field).map_or(Json::Null, Json::from),
        Whole(field) => record.get(field).map_or(Json::Null, whole),
    }
}

fn money(record: &Record, parent: Option<&Record>, field: &str) -> Option<f64> {
    let currency = record.object("currency").or_else(|| parent?.object("currency"))?;
    // Both are Int in GraphQL, which has 32 bits.
    let whole = |number: i64| i32::try_from(number).ok().map(f64::from);
    let divisor = whole(currency.int("divisor")?).filter(|divisor| *divisor > 0.0)?;
    Some(whole(record.int(field)?)? / divisor)
}

fn flat(datum: &Datum) -> Json {
    match datum {
        Datum::Null | Datum::Object(_) => Json::Null,
        Datum::Flag(flag) => (*flag).into(),
        Datum::Int(number) => (*number).into(),
        Datum::Text(text) | Datum::Reference(_, text) => text.as_ref().into(),
        Datum::Json(value) => Json::clone(value),
        Datum::List(items) => items.iter().map(flat).collect(),
    }
}

fn whole(datum: &Datum) -> Json {
    match datum {
        Datum::List(items) => items.iter().map(whole).collect(),
        Datum::Object(record) => {
            record.fields().map(|(name, value)| (name.to_owned(), whole(value))).collect::<Map<_, _>>().into()
        }
        other => flat(other),
    }
}

fn display_name(client: &Record) -> Option<String> {
    let part = |path: &[&str]| match client.path(path) {
        Some(Datum::Text(text)) if !text.trim().is_empty() => Some(text.trim().to_owned()),
        _ => None,
    };
    part(&["companyName"]).or_else(|| {
        let names = [part(&["defaultContact", "firstName"]), part(&["defaultContact", "lastName"])];
        let joined = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        (!joined.is_empty()).then_some(joined)
    })
}
