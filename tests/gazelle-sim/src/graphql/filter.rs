//! Filters of listings; an unsupported filter is an error, never ignored.

use std::{collections::HashSet, sync::Arc};

use chrono::{Duration, NaiveDate};
use serde_json::{Map, Value as Json};

use super::error::GraphqlError;
use crate::{
    dataset::Dataset,
    datetime,
    entity::Entity,
    model::{self, definition::Filter},
    record::{Datum, Record},
    table::Slot,
};

/// Condition that a record must meet.
pub(super) enum Condition {
    /// Local day of the timestamp is this one or later.
    DayGet(&'static str, NaiveDate),
    /// Local day of the timestamp is this one or earlier.
    DayLet(&'static str, NaiveDate),
    /// Boolean equals this value; null counts as false.
    Bool(&'static str, bool),
    /// List (first field) has an element with one of these texts in the second field.
    AnyOf(&'static str, &'static str, Vec<String>),
    /// Text at the path is one of these.
    OneOf(&'static [&'static str], Vec<String>),
    /// One of the fields contains this lowercase text, ignoring case.
    Contains(&'static [&'static str], String),
    /// Id of the record is one of these.
    IdIn(HashSet<Arc<str>>),
}

impl Condition {
    fn matches(&self, record: &Record) -> bool {
        match self {
            Self::DayGet(field, day) => local_day(record, field).is_some_and(|date| date >= *day),
            Self::DayLet(field, day) => local_day(record, field).is_some_and(|date| date <= *day),
            Self::Bool(field, expected) => record.is_true(field) == *expected,
            Self::AnyOf(list, field, choices) => record.objects(list).any(|element| {
                element.text(field).is_some_and(|text| choices.iter().any(|choice| **choice == **text))
            }),
            Self::OneOf(path, choices) => match record.path(path) {
                Some(Datum::Text(text) | Datum::Reference(_, text)) => {
                    choices.iter().any(|choice| choice.as_str() == text.as_ref())
                }
                _ => false,
            },
            Self::Contains(fields, needle) => fields
                .iter()
                .filter_map(|field| record.text(field))
                .any(|text| text.to_lowercase().contains(needle)),
            Self::IdIn(ids) => record.id().is_some_and(|id| ids.contains(id)),
        }
    }
}

fn local_day(record: &Record, field: &str) -> Option<NaiveDate> {
    record.text(field).and_then(|text| datetime::parse(text)).map(datetime::local_day)
}

/// Selects the slots whose record meets every condition; a null node meets none.
pub(super) fn select<'a>(slots: &'a [Slot], conditions: &[Condition]) -> Vec<&'a Slot> {
    slots
        .iter()
        .filter(|slot| {
            slot.record
                .as_ref()
                .is_some_and(|record| conditions.iter().all(|condition| condition.matches(record)))
        })
        .collect()
}

/// Parses the conditions in a `filters` argument.
pub(super) fn conditions(
    dataset: &Dataset,
    entity: Entity,
    arguments: &Map<String, Json>,
) -> Result<Vec<Condition>, GraphqlError> {
    let Some(filters) = arguments.get("filters").and_then(Json::as_object) else {
        return Ok(Vec::new());
    };
    filters
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| condition(dataset, entity, name, value))
        .collect()
}

fn condition(dataset: &Dataset, entity: Entity, name: &str, value: &Json) -> Result<Condition, GraphqlError> {
    let day = || value.as_str().and_then(datetime::parse_day).unwrap_or_default();
    let unsupported = || GraphqlError::new(&format!("The filter '{name}' is not simulated"), "notSimulated");
    if let Entity::Modelled(id) = entity {
        let filters = model::find(id).map_or(&[][..], |model| model.filters);
        let (_, filter) = filters.iter().find(|(known, _)| *known == name).ok_or_else(unsupported)?;
        return Ok(match filter {
            Filter::OneOf(path) => Condition::OneOf(path, texts(value)),
            Filter::Bool(field) => Condition::Bool(field, value.as_bool().unwrap_or_default()),
            Filter::DayGet(field) => Condition::DayGet(field, day()),
            Filter::DayLet(field) => Condition::DayLet(field, day()),
            Filter::AnyOf(list, field) => Condition::AnyOf(list, field, texts(value)),
        });
    }
    Ok(match (name, entity) {
        ("createdGet", _) => Condition::DayGet("createdAt", day()),
        ("createdLet", _) => Condition::DayLet("createdAt", day()),
        ("hasTimelineActivityGet", _) => Condition::IdIn(active_since(dataset, entity, day())),
        ("status", _) => Condition::OneOf(&["status"], texts(value)),
        ("clientType", Entity::Client) => Condition::OneOf(&["clientType"], texts(value)),
        ("type", Entity::Piano) => Condition::OneOf(&["type"], texts(value)),
        ("make", Entity::Piano) => Condition::OneOf(&["make"], texts(value)),
        ("serialNumber", Entity::Piano) => Condition::OneOf(&["serialNumber"], texts(value)),
        ("clientId", Entity::Piano) => Condition::OneOf(&["client"], texts(value)),
        _ => return Err(unsupported()),
    })
}

/// Parses the conditions in the arguments of `allTimelineEntries`, except `occurredAtGet`.
pub(super) fn timeline_conditions(arguments: &Map<String, Json>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let paths: [(&str, &'static [&'static str]); 5] = [
        ("types", &["type"]),
        ("clientId", &["client"]),
        ("pianoId", &["piano"]),
        ("invoiceId", &["invoice", "id"]),
        ("estimateId", &["estimate", "id"]),
    ];
    for (name, path) in paths {
        if let Some(value) = arguments.get(name) {
            conditions.push(Condition::OneOf(path, texts(value)));
        }
    }
    if let Some(needle) = arguments.get("search").and_then(Json::as_str).filter(|needle| !needle.is_empty()) {
        conditions.push(Condition::Contains(&["summary", "comment"], needle.to_lowercase()));
    }
    conditions
}

/// Returns the texts of an argument that is a text or a list of texts.
fn texts(value: &Json) -> Vec<String> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// Returns the ids of clients or pianos that timeline entries of this local day or later refer to.
fn active_since(dataset: &Dataset, entity: Entity, day: NaiveDate) -> HashSet<Arc<str>> {
    let field = if entity == Entity::Client { "client" } else { "piano" };
    // Local midnight is less than a day away from midnight UTC.
    let from = day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc() - Duration::days(1);
    dataset
        .timeline
        .slots_since(from.timestamp())
        .iter()
        .filter_map(|slot| slot.record.as_ref())
        .filter(|entry| {
            entry
                .text("occurredAt")
                .and_then(|text| datetime::parse(text))
                .is_some_and(|time| datetime::local_day(time) >= day)
        })
        .filter_map(|entry| entry.text(field).cloned())
        .collect()
}
