//! Cuts one page out of a listing, as a Relay connection.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{Refusal, compile::Step};
use crate::{
    record::{Datum, Entity, Record},
    table::Slot,
    world::World,
};

/// The places of a listing in the asked order.
pub(super) enum Listing<'a> {
    /// As the table has them.
    Forward(&'a [Slot]),
    /// From the end.
    Backward(&'a [Slot]),
    /// Some of them.
    Picked(Vec<&'a Slot>),
    /// The nodes of a parent record.
    Nodes(Vec<Datum>),
}

impl Listing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Forward(slots) | Self::Backward(slots) => slots.len(),
            Self::Picked(slots) => slots.len(),
            Self::Nodes(nodes) => nodes.len(),
        }
    }

    fn node(&self, index: usize) -> Datum {
        let slot = match self {
            Self::Forward(slots) => &slots[index],
            Self::Backward(slots) => &slots[slots.len() - 1 - index],
            Self::Picked(slots) => slots[index],
            Self::Nodes(nodes) => return nodes[index].clone(),
        };
        slot.record.as_ref().map(Arc::clone).into()
    }
}

/// The paging arguments, the page size cut down to the maximum.
pub(super) struct Paging {
    first: Option<usize>,
    last: Option<usize>,
    after: Option<usize>,
    before: Option<usize>,
    size_max: usize,
}

impl Paging {
    /// Reads the paging arguments of a field.
    pub(super) fn of(arguments: &Map<String, Json>, size_max: usize) -> Result<Self, Refusal> {
        let size = |name: &str| match arguments.get(name).and_then(Json::as_i64) {
            None => Ok(None),
            Some(size) => usize::try_from(size)
                .map(|size| Some(size.min(size_max)))
                .map_err(|_| Refusal::new(&format!("'{name}' must not be negative"), "invalidPageSize")),
        };
        let cursor = |name: &str| match arguments.get(name).and_then(Json::as_str) {
            None | Some("") => Ok(None),
            Some(text) => offset_of(text)
                .map(Some)
                .ok_or_else(|| Refusal::new(&format!("Invalid cursor for '{name}'"), "invalidCursor")),
        };
        Ok(Self {
            first: size("first")?,
            last: size("last")?,
            after: cursor("after")?,
            before: cursor("before")?,
            size_max,
        })
    }

    /// The range of a listing of `total` places that is asked for.
    fn range(&self, total: usize) -> (usize, usize) {
        let mut start = self.after.unwrap_or(0).min(total);
        let mut end = self.before.map_or(total, |before| before.saturating_sub(1)).clamp(start, total);
        match (self.first, self.last) {
            (None, Some(last)) => start = start.max(end.saturating_sub(last)),
            (first, last) => {
                end = end.min(start + first.unwrap_or(self.size_max));
                start = last.map_or(start, |last| start.max(end.saturating_sub(last)));
            }
        }
        (start, end)
    }
}

/// A cursor says how many places lie before and at it, as the real ones do: insertions shift the pages.
/// It looks opaque and holds characters that a careless client would damage.
pub(super) fn cursor(offset: usize) -> String {
    format!("sim/{offset:x}+==")
}

fn offset_of(cursor: &str) -> Option<usize> {
    let digits = cursor.strip_prefix("sim/")?.strip_suffix("+==")?;
    usize::from_str_radix(digits, 16).ok()
}

/// The asked page of a listing, with what its step selects.
pub(super) fn connection(listing: &Listing<'_>, paging: &Paging, step: &Step) -> Datum {
    let selects = |field: &str| step.children.iter().any(|child| child.field == field);
    let total = listing.len();
    let (start, end) = paging.range(total);
    let mut connection = Record::new();
    if selects("nodes") {
        connection.set("nodes", (start..end).map(|index| listing.node(index)).collect::<Vec<_>>());
    }
    if selects("edges") {
        let edge = |index: usize| {
            Record::new().with("cursor", cursor(index + 1)).with("node", listing.node(index)).into()
        };
        connection.set("edges", (start..end).map(edge).collect::<Vec<Datum>>());
    }
    let filled = end > start;
    let info = Record::new()
        .with("hasNextPage", end < total)
        .with("hasPreviousPage", start > 0)
        .with("startCursor", filled.then(|| cursor(start + 1)))
        .with("endCursor", filled.then(|| cursor(end)));
    connection.set("pageInfo", info);
    connection.set("totalCount", i64::try_from(total).unwrap_or(i64::MAX));
    connection.into()
}

/// The nodes of a connection inside a record: the list it has in that field, else none.
pub(super) fn nested_nodes<'a>(world: &'a World, parent: &Record, step: &Step) -> Listing<'a> {
    let only =
        |field: &str| Listing::Nodes(parent.object(field).cloned().map(Datum::Object).into_iter().collect());
    match (step.parent_type.as_str(), step.field.as_str()) {
        ("PrivateClient", "allPianos") => pianos_of(world, parent, step),
        ("PrivateClient", "allContacts") => only("defaultContact"),
        ("PrivateContact", "allEmails") => only("defaultEmail"),
        ("PrivateContact", "allPhones") => only("defaultPhone"),
        ("PrivateContact", "allLocations") => only("defaultLocation"),
        (_, field) => Listing::Nodes(match parent.get(field) {
            Some(Datum::List(nodes)) => nodes.clone(),
            _ => Vec::new(),
        }),
    }
}

fn pianos_of<'a>(world: &'a World, client: &Record, step: &Step) -> Listing<'a> {
    let statuses = step.arguments.get("status").and_then(Json::as_array);
    let is_asked = |piano: &Record| {
        statuses.is_none_or(|statuses| {
            statuses.iter().any(|status| status.as_str() == piano.text("status").map(AsRef::as_ref))
        })
    };
    let is_owned = |piano: &Record| match piano.get("client") {
        Some(Datum::Reference(Entity::Client, id)) => Some(id) == client.id(),
        _ => false,
    };
    Listing::Picked(
        world
            .pianos
            .slots()
            .iter()
            .filter(|slot| slot.record.as_ref().is_some_and(|piano| is_owned(piano) && is_asked(piano)))
            .collect(),
    )
}
