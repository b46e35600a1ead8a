//! Pages of a listing, as Relay connections.

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::{error::GraphqlError, plan::FieldPlan};
use crate::{
    dataset::Dataset,
    entity::Entity,
    record::{Datum, Record},
    table::Slot,
};

/// Slots or nodes of a listing in the requested order.
pub(super) enum Listing<'a> {
    /// Slots in table order.
    Forward(&'a [Slot]),
    /// Slots in reverse table order.
    Backward(&'a [Slot]),
    /// Filtered or sorted slots.
    Selected(Vec<&'a Slot>),
    /// Nodes of a parent record.
    Nodes(Vec<Datum>),
}

impl Listing<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Forward(slots) | Self::Backward(slots) => slots.len(),
            Self::Selected(slots) => slots.len(),
            Self::Nodes(nodes) => nodes.len(),
        }
    }

    fn node(&self, index: usize) -> Datum {
        let slot = match self {
            Self::Forward(slots) => &slots[index],
            Self::Backward(slots) => &slots[slots.len() - 1 - index],
            Self::Selected(slots) => slots[index],
            Self::Nodes(nodes) => return nodes[index].clone(),
        };
        slot.record.as_ref().map(Arc::clone).into()
    }
}

/// Paging arguments, with page sizes limited to the maximum.
pub(super) struct PageArguments {
    first: Option<usize>,
    last: Option<usize>,
    after: Option<usize>,
    before: Option<usize>,
    size_max: usize,
}

impl PageArguments {
    /// Reads the paging arguments of a field.
    pub(super) fn parse(arguments: &Map<String, Json>, size_max: usize) -> Result<Self, GraphqlError> {
        let size = |name: &str| match arguments.get(name).and_then(Json::as_i64) {
            None => Ok(None),
            Some(size) => usize::try_from(size)
                .map(|size| Some(size.min(size_max)))
                .map_err(|_| GraphqlError::new(&format!("'{name}' must not be negative"), "invalidPageSize")),
        };
        let cursor = |name: &str| match arguments.get(name).and_then(Json::as_str) {
            None | Some("") => Ok(None),
            Some(text) => offset_of(text)
                .map(Some)
                .ok_or_else(|| GraphqlError::new(&format!("Invalid cursor for '{name}'"), "invalidCursor")),
        };
        Ok(Self {
            first: size("first")?,
            last: size("last")?,
            after: cursor("after")?,
            before: cursor("before")?,
            size_max,
        })
    }

    /// Returns the requested range of a listing of `total` slots.
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

/// Formats a cursor: the number of slots up to it, as in the real API, so that insertions shift the pages.
/// It contains characters that a client must escape.
pub(super) fn cursor(offset: usize) -> String {
    format!("sim/{offset:x}+==")
}

fn offset_of(cursor: &str) -> Option<usize> {
    let digits = cursor.strip_prefix("sim/")?.strip_suffix("+==")?;
    usize::from_str_radix(digits, 16).ok()
}

/// Builds the requested page of a listing, with the fields that the plan selects.
pub(super) fn connection(listing: &Listing<'_>, paging: &PageArguments, plan: &FieldPlan) -> Datum {
    let selects = |field: &str| plan.children.iter().any(|child| child.name == field);
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
    let is_filled = end > start;
    let info = Record::new()
        .with("hasNextPage", end < total)
        .with("hasPreviousPage", start > 0)
        .with("startCursor", is_filled.then(|| cursor(start + 1)))
        .with("endCursor", is_filled.then(|| cursor(end)));
    connection.set("pageInfo", info);
    connection.set("totalCount", i64::try_from(total).unwrap_or(i64::MAX));
    connection.into()
}

/// Returns the nodes of a connection inside a record: the list in its field, or none.
pub(super) fn nested_nodes<'a>(dataset: &'a Dataset, parent: &Record, plan: &FieldPlan) -> Listing<'a> {
    let single =
        |field: &str| Listing::Nodes(parent.object(field).cloned().map(Datum::Object).into_iter().collect());
    match (plan.parent_type.as_str(), plan.name.as_str()) {
        ("PrivateClient", "allPianos") => pianos_of(dataset, parent, plan),
        ("PrivateClient", "allContacts") => single("defaultContact"),
        ("PrivateContact", "allEmails") => single("defaultEmail"),
        ("PrivateContact", "allPhones") => single("defaultPhone"),
        ("PrivateContact", "allLocations") => single("defaultLocation"),
        (_, field) => Listing::Nodes(match parent.get(field) {
            Some(Datum::List(nodes)) => nodes.clone(),
            _ => Vec::new(),
        }),
    }
}

fn pianos_of<'a>(dataset: &'a Dataset, client: &Record, plan: &FieldPlan) -> Listing<'a> {
    let statuses = plan.arguments.get("status").and_then(Json::as_array);
    let has_requested_status = |piano: &Record| {
        statuses.is_none_or(|statuses| {
            statuses.iter().any(|status| status.as_str() == piano.text("status").map(AsRef::as_ref))
        })
    };
    let is_owned = |piano: &Record| match piano.get("client") {
        Some(Datum::Reference(Entity::Client, id)) => Some(id) == client.id(),
        _ => false,
    };
    Listing::Selected(
        dataset
            .pianos
            .slots()
            .iter()
            .filter(|slot| {
                slot.record.as_ref().is_some_and(|piano| is_owned(piano) && has_requested_status(piano))
            })
            .collect(),
    )
}
