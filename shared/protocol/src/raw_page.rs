//! Raw pages: a response of the source, byte for byte, in an envelope that says what was requested and when.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, Utc};
use model::entity::Entity;
use model::row::is_usable_id;
use model::window::Window;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::listing::parse_listing;
use crate::lookup::{LookupResult, parse_lookup};
use crate::object_key::RunId;
use crate::response::{InvalidPage, RawFields, id_of, id_of_json, text_of};

/// Version of the envelope's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// Raw page as it is stored in S3.
#[derive(Debug, Serialize, Deserialize)]
pub struct RawPage<'a> {
    /// Description of the request.
    pub metadata: Metadata,
    /// Response of Gazelle, byte for byte.
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

/// Description of the request whose response a raw page holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Version of the envelope, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Name of the entity.
    pub entity: String,
    /// Mode of the run, as [`crate::request::ModeName`] writes it.
    pub mode: String,
    /// Id of the run.
    pub run_id: RunId,
    /// Number of the page, from 1.
    pub page: u32,
    /// Cursor after which the page begins; none for the first.
    pub cursor: Option<String>,
    /// Instant at which the response had arrived.
    pub fetched_at: DateTime<Utc>,
    /// URL of the API.
    pub endpoint: String,
    /// Version of the API, which is private and has no version number.
    pub api_version: String,
    /// SHA-256 of the query document, hexadecimal.
    pub query_sha256: String,
    /// Period that was fetched; none for the whole list.
    pub window: Option<Window>,
    /// Ids that were looked up, where the page is a lookup and not a listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Vec<String>>,
    /// Number of elements of the listing, null ones included, or of records that a lookup found.
    pub record_count: u64,
    /// Version of the fetcher.
    pub fetcher_version: String,
}

/// Years in which a page can have been fetched, or a run have started.
pub(crate) const YEARS: RangeInclusive<i32> = 1970..=2199;

/// Upper bound for the length of a run id or of a mode.
const NAME_BYTES_MAX: usize = 100;

/// Reports whether a text can be a run id, a mode or the like: short, and without control characters.
pub(crate) fn is_usable_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && !name.contains(char::is_control)
}

/// Reports whether a count fits the database's columns.
pub(crate) fn is_storable_count(count: u64) -> bool {
    i32::try_from(count).is_ok()
}

/// Reports whether the database can hold both ends of a period.
pub(crate) fn is_storable_window(window: Option<Window>) -> bool {
    let is_storable = |at: DateTime<Utc>| (-4_711..=9_999).contains(&at.year());
    window.is_none_or(|window| is_storable(window.start) && window.end.is_none_or(is_storable))
}

impl Metadata {
    /// Checks every field that is stored. The page is not at fault for a cursor, an endpoint or a version: they are not.
    ///
    /// # Errors
    /// Names the first field whose value no fetcher writes.
    pub fn check(&self) -> Result<(), PageNodesError> {
        let ids_are_usable = self.asked.iter().flatten().all(|id| is_usable_id(id));
        let checks = [
            ("run_id", is_usable_name(self.run_id.as_str())),
            ("mode", is_usable_name(&self.mode)),
            ("page", i32::try_from(self.page).is_ok()),
            ("fetched_at", YEARS.contains(&self.fetched_at.year())),
            ("window", is_storable_window(self.window)),
            ("asked", ids_are_usable),
            ("record_count", is_storable_count(self.record_count)),
        ];
        match checks.into_iter().find(|(_, is_valid)| !is_valid) {
            Some((field, _)) => Err(PageNodesError::Metadata { field }),
            None => Ok(()),
        }
    }
}

/// Error for an object that cannot be split into records.
#[derive(Debug, thiserror::Error)]
pub enum PageNodesError {
    /// The object is not the envelope of a raw page.
    #[error("invalid raw page")]
    Envelope(#[source] serde_json::Error),
    /// A field of the metadata has a value that no fetcher writes.
    #[error("invalid metadata: `{field}` is out of range")]
    Metadata {
        /// Name of the field.
        field: &'static str,
    },
    /// The entity is not in the registry, or has no pages of its own.
    #[error("unknown entity")]
    UnknownEntity,
    /// The payload is neither a listing nor a lookup of the entity.
    #[error(transparent)]
    Payload(InvalidPage),
}

/// Element of a list, as it will be staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    /// Gazelle id, if the element has a usable one.
    pub id: Option<String>,
    /// Id of the parent record, for a nested one.
    pub parent_id: Option<String>,
    /// JSON of the element, byte for byte.
    pub json: &'a str,
    /// Bytes of the element as received, where they are no UTF-8 and `json` has U+FFFD for what is broken.
    pub original: Option<&'a [u8]>,
}

/// Elements of a page: those of the entity itself, and those nested in them.
#[derive(Debug)]
pub struct Nodes<'a> {
    /// Elements of the entity itself.
    pub own: Vec<Node<'a>>,
    /// Elements of each entity nested in it.
    pub children: Vec<(&'static Entity, Vec<Node<'a>>)>,
    /// Number of elements left out: those outside the window, and truncated ones that a lookup fetches whole.
    pub left_out: u64,
    /// Result for each id of a lookup.
    pub lookup_results: Vec<(String, LookupResult)>,
}

/// Reports whether the source returned only the beginning of a list inside the record. Such a record is looked up by
/// its id, with more elements of each list.
fn is_truncated(entity: &Entity, fields: &RawFields<'_>) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InnerList {
        page_info: Option<InnerPageInfo>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct InnerPageInfo {
        has_next_page: bool,
    }
    entity.child_tables.iter().any(|child_table| {
        let list = fields.get(child_table.field).filter(|list| list.get().starts_with('{'));
        let inner = list.and_then(|list| serde_json::from_str::<InnerList>(list.get()).ok());
        inner.and_then(|inner| inner.page_info).is_some_and(|info| info.has_next_page)
    })
}

/// Returns the usable id of an element; none where it has none, or is not an object.
#[must_use]
pub fn id_of_element(element: &RawValue) -> Option<String> {
    id_of_json(element.get())
}

/// Returns the ids of the truncated records, which [`nodes`] leaves out of a listing.
#[must_use]
pub fn truncated_ids(entity: &Entity, elements: &[&RawValue]) -> Vec<String> {
    if !entity.supports_lookup() || entity.child_tables.is_empty() {
        return Vec::new();
    }
    let id_if_truncated = |node: &&RawValue| {
        let fields: RawFields<'_> = serde_json::from_str(node.get()).ok()?;
        let id = id_of(&fields)?;
        is_truncated(entity, &fields).then_some(id)
    };
    elements.iter().filter_map(id_if_truncated).collect()
}

/// Splits a listing into nodes. An element of any shape becomes a node: nothing is rejected here.
#[must_use]
pub fn nodes<'a>(entity: &Entity, window: Option<Window>, elements: &[&'a RawValue]) -> Nodes<'a> {
    let truncated = if entity.supports_lookup() { Truncated::LeaveOut } else { Truncated::Keep };
    split(entity, window, elements, truncated)
}

/// Treatment of records with a truncated list inside.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Truncated {
    /// Left out, because a lookup fetches them whole.
    LeaveOut,
    /// Kept as they are.
    Keep,
}

fn split<'a>(
    entity: &Entity,
    window: Option<Window>,
    elements: &[&'a RawValue],
    truncated: Truncated,
) -> Nodes<'a> {
    let filter = entity.time_filter().zip(window);
    let mut nodes = Nodes {
        own: Vec::with_capacity(elements.len()),
        children: entity.children().map(|(child, _)| (child, Vec::new())).collect(),
        left_out: 0,
        lookup_results: Vec::new(),
    };
    for element in elements {
        let json = element.get();
        let fields: RawFields<'a> = serde_json::from_str(json).unwrap_or_default();
        if let Some((filter, window)) = filter {
            let instant = fields
                .get(filter.field)
                .and_then(|at| text_of(at))
                .and_then(|at| model::cell::parse_instant(&at));
            if instant.is_some_and(|instant| !window.contains(instant)) {
                nodes.left_out += 1;
                continue;
            }
        }
        let id = id_of(&fields);
        if truncated == Truncated::LeaveOut && id.is_some() && is_truncated(entity, &fields) {
            nodes.left_out += 1;
            continue;
        }
        for ((_, list), (_, field)) in nodes.children.iter_mut().zip(entity.children()) {
            let nested: Vec<&'a RawValue> =
                fields.get(field).and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default();
            list.extend(nested.into_iter().map(|nested| Node {
                id: id_of_json(nested.get()),
                parent_id: id.clone(),
                json: nested.get(),
                original: None,
            }));
        }
        nodes.own.push(Node { id, parent_id: None, json, original: None });
    }
    nodes
}

/// Splits a stored raw page of the entity into nodes.
///
/// # Errors
/// The object is not a raw page of the entity.
pub fn nodes_of_page<'a>(entity: &Entity, object: &'a [u8]) -> Result<Nodes<'a>, PageNodesError> {
    let page: RawPage<'a> = serde_json::from_slice(object).map_err(PageNodesError::Envelope)?;
    if let Some(ids) = page.metadata.asked {
        let lookup = parse_lookup(page.payload.get(), &ids).map_err(PageNodesError::Payload)?;
        // The lookup of a nested record has its id alone, so there is nothing to stage.
        let elements = if entity.query().is_some() { lookup.elements } else { Vec::new() };
        let nodes = split(entity, None, &elements, Truncated::Keep);
        return Ok(Nodes { lookup_results: lookup.results, ..nodes });
    }
    let query = entity.query().ok_or(PageNodesError::UnknownEntity)?;
    let listing = parse_listing(query, page.payload.get()).map_err(PageNodesError::Payload)?;
    Ok(nodes(entity, page.metadata.window, &listing.nodes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::PageInfo;
    use model::entity::find;

    fn timeline() -> &'static Entity {
        find("timeline").unwrap_or(model::entity::ALL[3])
    }

    #[test]
    fn metadata_that_no_fetcher_writes_names_its_field() {
        let valid = serde_json::json!({"schema_version": 1, "entity": "clients", "mode": "full", "run_id": "r", "page": 1,
            "cursor": "\u{0}", "fetched_at": "2026-01-31T23:59:01Z", "endpoint": "", "api_version": "",
            "query_sha256": "", "window": null, "record_count": 1, "fetcher_version": "", "asked": ["a"]});
        let check = |metadata: serde_json::Value| {
            let metadata: Metadata =
                serde_json::from_value(metadata).unwrap_or_else(|error| panic!("{error}"));
            metadata.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(valid.clone()), Ok(()));
        for (field, value) in [
            ("fetched_at", "+262142-01-01T00:00:00Z".into()),
            ("fetched_at", "-0044-03-15T00:00:00Z".into()),
            ("fetched_at", "1969-12-31T23:59:59Z".into()),
            ("run_id", "a\u{0}".into()),
            ("run_id", "".into()),
            ("mode", "m".repeat(101).into()),
            ("page", u32::MAX.into()),
            ("record_count", u64::MAX.into()),
            ("asked", serde_json::json!(["a\u{0}"])),
            ("window", serde_json::json!({"start": "-200000-01-01T00:00:00Z", "end": null})),
        ] {
            let mut metadata = valid.clone();
            metadata[field] = value;
            assert_eq!(check(metadata), Err(format!("invalid metadata: `{field}` is out of range")));
        }
    }

    #[test]
    fn element_of_any_shape_becomes_a_node() {
        let response = r#"{"data":{"allTimelineEntries":{"totalCount":5,"pageInfo":{"hasNextPage":true,"endCursor":"x"},
            "nodes":[null,{"id":"a"},{"id":null},7,{"id":"a\u0000"}]}}}"#;
        let query = timeline().query();
        let listing = query.map(|query| parse_listing(query, response));
        let Some(Ok(listing)) = listing else { panic!("{listing:?}") };
        assert_eq!(listing.total_count, Some(5));
        assert_eq!(
            listing.page_info,
            Some(PageInfo { has_next_page: true, end_cursor: Some("x".to_owned()), start_cursor: None })
        );
        let nodes = nodes(timeline(), None, &listing.nodes).own;
        let seen: Vec<_> = nodes.iter().map(|node| (node.id.as_deref(), node.json)).collect();
        let expected = [
            (None, "null"),
            (Some("a"), r#"{"id":"a"}"#),
            (None, r#"{"id":null}"#),
            (None, "7"),
            (None, r#"{"id":"a\u0000"}"#),
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn element_after_the_window_is_left_out_and_counted() {
        let response = r#"{"data":{"allTimelineEntries":{"nodes":[
            {"id":"in","occurredAt":"2025-12-31T23:00:00Z"},{"id":"out","occurredAt":"2026-01-02T00:00:00Z"},
            {"id":"undated","occurredAt":null}]}}}"#;
        let day = chrono::NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default();
        let window = Window::of_days(day, day, model::local_day::ZONE);
        let Some(Ok(listing)) = timeline().query().map(|query| parse_listing(query, response)) else {
            panic!()
        };
        let nodes = nodes(timeline(), window, &listing.nodes);
        let ids: Vec<_> = nodes.own.iter().filter_map(|node| node.id.as_deref()).collect();
        assert_eq!((ids, nodes.left_out), (vec!["in", "undated"], 1));
    }

    #[test]
    fn nested_record_has_the_id_of_its_parent() {
        let Some(pianos) = find("pianos") else { panic!() };
        let element = r#"{"id":"ins_1","allPianoMeasurements":[{"id":"m1"},{"id":null}]}"#;
        let Ok(element) = serde_json::from_str::<&RawValue>(element) else { panic!() };
        let nodes = nodes(pianos, None, &[element]);
        let (child, list) = &nodes.children[0];
        assert_eq!(child.name, "measurements");
        let seen: Vec<_> = list.iter().map(|node| (node.id.as_deref(), node.parent_id.as_deref())).collect();
        assert_eq!(seen, [(Some("m1"), Some("ins_1")), (None, Some("ins_1"))]);
    }
}
