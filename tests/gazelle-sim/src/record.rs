//! One record of the simulated Gazelle: its set fields by GraphQL name, the unset ones being null.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::model::Model;

/// A kind of record that other records refer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entity {
    /// `PrivateUser`
    User,
    /// `PrivateClient`
    Client,
    /// `PrivatePiano`
    Piano,
    /// `PrivateTimelineEntry`
    TimelineEntry,
    /// What a model tells of.
    Modelled(&'static Model),
}

/// The value of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    /// No value; a record never stores it, a list may.
    Null,
    /// A Boolean.
    Flag(bool),
    /// An Int.
    Int(i64),
    /// Every scalar that travels as a JSON string, dates and enum values included.
    Text(Arc<str>),
    /// Every scalar that travels otherwise: a Float, a JSON object.
    Json(Arc<Json>),
    /// A list, of which elements may be null.
    List(Vec<Datum>),
    /// A nested record that belongs to its parent.
    Object(Arc<Record>),
    /// A record of its own, named by its id.
    Reference(Entity, Arc<str>),
}

/// The set fields of a record.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    fields: Vec<(&'static str, Datum)>,
}

impl Record {
    /// A record without any field.
    pub(crate) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// This record with a field more; a null leaves it out.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Datum>) -> Self {
        let value = value.into();
        if value != Datum::Null {
            self.fields.push((name, value));
        }
        self
    }

    /// Replaces a field; a null removes it.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Datum>) {
        let value = value.into();
        self.fields.retain(|(field, _)| *field != name);
        if value != Datum::Null {
            self.fields.push((name, value));
        }
    }

    /// The value of a field, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<&Datum> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// The set fields.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &Datum)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    /// The text of a field; of a reference, the id.
    pub(crate) fn text(&self, name: &str) -> Option<&Arc<str>> {
        match self.get(name)? {
            Datum::Text(text) | Datum::Reference(_, text) => Some(text),
            _ => None,
        }
    }

    /// The id, which may be null in Gazelle.
    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.text("id")
    }

    /// The number of a field.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Datum::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether a flag is set and true.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.get(name) == Some(&Datum::Flag(true))
    }

    /// Adds a correction to a text; an empty or missing one becomes the correction.
    pub(crate) fn amend(&mut self, name: &'static str, now: &str) {
        let correction = format!("(corrigé {now})");
        let text = match self.text(name) {
            Some(text) if !text.is_empty() => format!("{text} {correction}"),
            _ => correction,
        };
        self.set(name, text);
    }

    /// The nested record under a field.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<Record>> {
        match self.get(name)? {
            Datum::Object(record) => Some(record),
            _ => None,
        }
    }

    /// The nested records of a list field.
    pub(crate) fn objects(&self, name: &str) -> impl Iterator<Item = &Arc<Record>> {
        let list = match self.get(name) {
            Some(Datum::List(list)) => list.as_slice(),
            _ => &[],
        };
        list.iter().filter_map(|item| match item {
            Datum::Object(record) => Some(record),
            _ => None,
        })
    }

    /// The value at the end of a path of nested records.
    pub(crate) fn path(&self, path: &[&str]) -> Option<&Datum> {
        let (last, parents) = path.split_last()?;
        parents.iter().try_fold(self, |record, name| record.object(name).map(AsRef::as_ref))?.get(last)
    }
}

impl From<&str> for Datum {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Datum {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<Arc<str>> for Datum {
    fn from(text: Arc<str>) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Datum {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<i64> for Datum {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<Record> for Datum {
    fn from(record: Record) -> Self {
        Self::Object(Arc::new(record))
    }
}

impl From<Arc<Record>> for Datum {
    fn from(record: Arc<Record>) -> Self {
        Self::Object(record)
    }
}

impl From<Json> for Datum {
    fn from(value: Json) -> Self {
        Self::Json(Arc::new(value))
    }
}

impl From<Vec<Datum>> for Datum {
    fn from(list: Vec<Datum>) -> Self {
        Self::List(list)
    }
}

impl<T: Into<Datum>> From<Option<T>> for Datum {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
