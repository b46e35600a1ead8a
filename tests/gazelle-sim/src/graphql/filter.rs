//! Narrows a listing as the API's filters do; a filter that is not simulated is refused, not ignored.

use std::{collections::HashSet, sync::Arc};

use chrono::{Duration, NaiveDate};
use serde_json::{Map, Value as Json};

use super::Refusal;
use crate::{
    clock,
    model::Filter,
    record::{Datum, Entity, Record},
    table::Slot,
    world::World,
};

/// One condition on a record.
pub(super) enum Condition {
    /// The moment lies on this local day or later.
    DayGet(&'static str, NaiveDate),
    /// The moment lies on this local day or earlier.
    DayLet(&'static str, NaiveDate),
    /// The flag is this; one that is not set is false.
    Flag(&'static str, bool),
    /// A record of the list has in this field one of these texts.
    AnyOf(&'static str, &'static str, Vec<String>),
    /// The text at the path is one of these.
    OneOf(&'static [&'static str], Vec<String>),
    /// One of the fields contains this text, whatever the case.
    Contains(&'static [&'static str], String),
    /// The record is one of these.
    IdIn(HashSet<Arc<str>>),
}

impl Condition {
    fn holds(&self, record: &Record) -> bool {
        match self {
            Self::DayGet(field, day) => day_of(record, field).is_some_and(|dated| dated >= *day),
            Self::DayLet(field, day) => day_of(record, field).is_some_and(|dated| dated <= *day),
            Self::Flag(field, flag) => record.is_set(field) == *flag,
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

fn day_of(record: &Record, field: &str) -> Option<NaiveDate> {
    record.text(field).and_then(|text| clock::parse(text)).map(clock::local_day)
}

/// The places whose record meets every condition; a null node meets none.
pub(super) fn pick<'a>(slots: &'a [Slot], conditions: &[Condition]) -> Vec<&'a Slot> {
    slots
        .iter()
        .filter(|slot| {
            slot.record
                .as_ref()
                .is_some_and(|record| conditions.iter().all(|condition| condition.holds(record)))
        })
        .collect()
}

/// The conditions in a `filters` argument.
pub(super) fn conditions(
    world: &World,
    entity: Entity,
    arguments: &Map<String, Json>,
) -> Result<Vec<Condition>, Refusal> {
    let Some(filters) = arguments.get("filters").and_then(Json::as_object) else {
        return Ok(Vec::new());
    };
    filters
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| condition(world, entity, name, value))
        .collect()
}

fn condition(world: &World, entity: Entity, name: &str, value: &Json) -> Result<Condition, Refusal> {
    let day = || value.as_str().and_then(clock::day).unwrap_or_default();
    let refusal = || Refusal::new(&format!("The filter '{name}' is not simulated"), "notSimulated");
    if let Entity::Modelled(model) = entity {
        let (_, filter) = model.filters.iter().find(|(known, _)| *known == name).ok_or_else(refusal)?;
        return Ok(match filter {
            Filter::OneOf(path) => Condition::OneOf(path, texts(value)),
            Filter::Flag(field) => Condition::Flag(field, value.as_bool().unwrap_or_default()),
            Filter::DayGet(field) => Condition::DayGet(field, day()),
            Filter::DayLet(field) => Condition::DayLet(field, day()),
            Filter::AnyOf(list, field) => Condition::AnyOf(list, field, texts(value)),
        });
    }
    Ok(match (name, entity) {
        ("createdGet", _) => Condition::DayGet("createdAt", day()),
        ("createdLet", _) => Condition::DayLet("createdAt", day()),
        ("hasTimelineActivityGet", _) => Condition::IdIn(active_since(world, entity, day())),
        ("status", _) => Condition::OneOf(&["status"], texts(value)),
        ("clientType", Entity::Client) => Condition::OneOf(&["clientType"], texts(value)),
        ("type", Entity::Piano) => Condition::OneOf(&["type"], texts(value)),
        ("make", Entity::Piano) => Condition::OneOf(&["make"], texts(value)),
        ("serialNumber", Entity::Piano) => Condition::OneOf(&["serialNumber"], texts(value)),
        ("clientId", Entity::Piano) => Condition::OneOf(&["client"], texts(value)),
        _ => return Err(refusal()),
    })
}

/// The conditions in the arguments of `allTimelineEntries`, `occurredAtGet` aside.
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

/// A text, or a list of them.
fn texts(value: &Json) -> Vec<String> {
    let items = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    items.iter().filter_map(Json::as_str).map(str::to_owned).collect()
}

/// The clients or pianos that timeline entries of this local day or later name.
fn active_since(world: &World, entity: Entity, day: NaiveDate) -> HashSet<Arc<str>> {
    let field = if entity == Entity::Client { "client" } else { "piano" };
    // Local midnight is never more than a day away from midnight UTC.
    let from = day.and_hms_opt(0, 0, 0).unwrap_or_default().and_utc() - Duration::days(1);
    world
        .timeline
        .slots_since(from.timestamp())
        .iter()
        .filter_map(|slot| slot.record.as_ref())
        .filter(|entry| {
            entry
                .text("occurredAt")
                .and_then(|text| clock::parse(text))
                .is_some_and(|moment| clock::local_day(moment) >= day)
        })
        .filter_map(|entry| entry.text(field).cloned())
        .collect()
}
