//! Records of the simulated Gazelle: field values by GraphQL name; a field that is not set is null.

use std::sync::Arc;

use serde_json::Value as Json;

use crate::entity::Entity;

/// Value of one field.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Datum {
    /// Null; stored in lists only, never in a record.
    Null,
    Bool(bool),
    Int(i64),
    /// Scalar serialized as a JSON string, including dates and enum values.
    Text(Arc<str>),
    /// Any other scalar: a Float or a JSON object.
    Json(Arc<Json>),
    /// List whose elements may be null.
    List(Vec<Datum>),
    /// Nested record that belongs to its parent.
    Object(Arc<Record>),
    /// Reference to an independent record by its id.
    Reference(Entity, Arc<str>),
}

/// Fields of a record that are not null.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Record {
    fields: Vec<(&'static str, Datum)>,
}

impl Record {
    /// Creates a record without fields.
    pub(crate) const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// Adds a field to the record; a null is left out.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Datum>) -> Self {
        let value = value.into();
        if value != Datum::Null {
            self.fields.push((name, value));
        }
        self
    }

    /// Sets a field; a null removes it.
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Datum>) {
        let value = value.into();
        self.fields.retain(|(field, _)| *field != name);
        if value != Datum::Null {
            self.fields.push((name, value));
        }
    }

    /// Returns the value of a field, if it is not null.
    pub(crate) fn get(&self, name: &str) -> Option<&Datum> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Returns the fields that are not null.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&'static str, &Datum)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    /// Returns the text of a field, or the id of a reference.
    pub(crate) fn text(&self, name: &str) -> Option<&Arc<str>> {
        match self.get(name)? {
            Datum::Text(text) | Datum::Reference(_, text) => Some(text),
            _ => None,
        }
    }

    /// Returns the id, which Gazelle sometimes serves as null.
    pub(crate) fn id(&self) -> Option<&Arc<str>> {
        self.text("id")
    }

    /// Returns the number in a field.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.get(name)? {
            Datum::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns true if a Boolean field is true; null counts as false.
    pub(crate) fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some(&Datum::Bool(true))
    }

    /// Appends a correction note to a text; an empty or null text becomes the note.
    pub(crate) fn append_correction(&mut self, name: &'static str, now: &str) {
        let correction = format!("(corrigé {now})");
        let text = match self.text(name) {
            Some(text) if !text.is_empty() => format!("{text} {correction}"),
            _ => correction,
        };
        self.set(name, text);
    }

    /// Returns the nested record in a field.
    pub(crate) fn object(&self, name: &str) -> Option<&Arc<Record>> {
        match self.get(name)? {
            Datum::Object(record) => Some(record),
            _ => None,
        }
    }

    /// Returns the nested records in a list field.
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

    /// Appends a nested record to a list field.
    pub(crate) fn push_object(&mut self, name: &'static str, record: Record) {
        let list: Vec<Datum> =
            self.objects(name).cloned().map(Datum::Object).chain([record.into()]).collect();
        self.set(name, list);
    }

    /// Returns the value at the end of a path of nested records.
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
    fn from(value: bool) -> Self {
        Self::Bool(value)
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
