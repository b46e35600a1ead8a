//! The envelope of a raw page: what was asked and when, around the response, byte for byte.

use std::borrow::Cow;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::lookup::{Answer, by_id};
use crate::object_key::RunId;
use model::entity::{Entity, Query, Shape};
use model::row::is_usable_id;
use model::window::Window;

/// The version of the envelope's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// A raw page as it lies in S3.
#[derive(Debug, Serialize, Deserialize)]
pub struct RawPage<'a> {
    /// What was asked and when.
    pub metadata: Metadata,
    /// Gazelle's response, byte for byte.
    #[serde(borrow)]
    pub payload: &'a RawValue,
}

/// What was asked and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The entity's name.
    pub entity: String,
    /// incremental, full, repair or verify; import for what an older system knew.
    pub mode: String,
    /// The run.
    pub run_id: RunId,
    /// Counted from 1.
    pub page: u32,
    /// The cursor after which the page begins; none for the first.
    pub cursor: Option<String>,
    /// When the answer had arrived.
    pub fetched_at: DateTime<Utc>,
    /// The address asked.
    pub endpoint: String,
    /// The API's version, as far as it has one: private and unversioned.
    pub api_version: String,
    /// SHA-256 of the query document, hexadecimal.
    pub query_sha256: String,
    /// The period fetched; none where the whole list was.
    pub window: Option<Window>,
    /// The ids asked for, where the page is an answer by id and no listing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Vec<String>>,
    /// Elements of the list, null ones included; of an answer by id, the records found.
    pub record_count: u64,
    /// The version of the fetcher.
    pub fetcher_version: String,
}

/// Why a response is no page of its entity.
#[derive(Debug, thiserror::Error)]
pub enum UnreadablePage {
    /// Not JSON, or not of a GraphQL response's shape.
    #[error("it is no GraphQL response: {0}")]
    Response(serde_json::Error),
    /// The field that should hold the records is missing or null.
    #[error("`data.{root}` is missing or null")]
    NoRoot {
        /// The field.
        root: &'static str,
    },
    /// The field that should hold the records has another shape.
    #[error("`data.{root}` is not as expected: {source}")]
    Shape {
        /// The field.
        root: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// Why an object is no raw page that can be taken apart.
#[derive(Debug, thiserror::Error)]
pub enum PageNodesError {
    /// It is no envelope.
    #[error("it is no raw page: {0}")]
    Envelope(serde_json::Error),
    /// The entity is not in the registry, or has no pages of its own.
    #[error("the entity is unknown")]
    UnknownEntity,
    /// The payload is no listing.
    #[error(transparent)]
    Payload(UnreadablePage),
}

/// The records of a response and how to go on from there.
#[derive(Debug)]
pub struct Listing<'a> {
    /// The elements of the list, byte for byte, null ones included.
    pub nodes: Vec<&'a RawValue>,
    /// Where the next page begins; none for a plain list.
    pub page_info: Option<PageInfo>,
    /// The source's own count; none for a plain list.
    pub total_count: Option<u64>,
    /// Messages of a partial answer.
    pub errors: Vec<String>,
}

impl Listing<'_> {
    /// The id of each element, where it has a usable one.
    pub fn ids(&self) -> impl Iterator<Item = Option<String>> {
        #[derive(Deserialize)]
        struct Identified<'a> {
            #[serde(borrow)]
            id: Option<Cow<'a, str>>,
        }
        self.nodes.iter().map(|node| {
            let identified: Identified<'_> = serde_json::from_str(node.get()).ok()?;
            identified.id.filter(|id| is_usable_id(id)).map(Cow::into_owned)
        })
    }
}

/// Relay's account of a page.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// Whether there is more. The row count says nothing.
    pub has_next_page: bool,
    /// Where the next page begins.
    pub end_cursor: Option<String>,
}

#[derive(Deserialize)]
pub(crate) struct Response<'a> {
    #[serde(borrow, default)]
    pub(crate) data: Option<BTreeMap<Cow<'a, str>, &'a RawValue>>,
    #[serde(default)]
    pub(crate) errors: Option<Vec<GraphqlError>>,
}

#[derive(Deserialize)]
pub(crate) struct GraphqlError {
    #[serde(default)]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    #[serde(borrow)]
    nodes: Option<Vec<&'a RawValue>>,
    page_info: Option<PageInfo>,
    total_count: Option<u64>,
}

/// Reads the records out of a response to the query.
///
/// # Errors
/// The response does not hold a list of this query.
pub fn listing<'a>(query: &Query, response: &'a str) -> Result<Listing<'a>, UnreadablePage> {
    let root = query.root;
    let response: Response<'a> = serde_json::from_str(response).map_err(UnreadablePage::Response)?;
    let errors = response.errors.unwrap_or_default().into_iter().map(|error| error.message).collect();
    let value = *response
        .data
        .as_ref()
        .and_then(|data| data.get(root))
        .filter(|value| value.get() != "null")
        .ok_or(UnreadablePage::NoRoot { root })?;
    let shape = |source| UnreadablePage::Shape { root, source };
    match query.shape {
        Shape::List => {
            let nodes = serde_json::from_str(value.get()).map_err(shape)?;
            Ok(Listing { nodes, page_info: None, total_count: None, errors })
        }
        Shape::Connection { .. } => {
            let connection: Connection<'a> = serde_json::from_str(value.get()).map_err(shape)?;
            Ok(Listing {
                nodes: connection.nodes.unwrap_or_default(),
                page_info: connection.page_info,
                total_count: connection.total_count,
                errors,
            })
        }
    }
}

/// One element of a list, as it will be staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node<'a> {
    /// The Gazelle id, if the element has a usable one.
    pub id: Option<String>,
    /// The id of the record it came in, for a nested one.
    pub parent_id: Option<String>,
    /// The element, byte for byte.
    pub json: &'a str,
}

/// The entity's own elements of a list, and those nested in them.
#[derive(Debug)]
pub struct Nodes<'a> {
    /// Of the entity itself.
    pub own: Vec<Node<'a>>,
    /// Of each entity nested in it.
    pub children: Vec<(&'static Entity, Vec<Node<'a>>)>,
    /// Elements that are not wanted here: they lie outside the window, or come whole by another page.
    pub left_out: u64,
    /// Ids asked for one by one, each with what the source said.
    pub answers: Vec<(String, Answer)>,
}

/// Whether the source showed only the beginning of a list inside the record. It is asked for by its id then, with more
/// of each list.
fn is_cut_short(entity: &Entity, fields: &BTreeMap<Cow<'_, str>, &RawValue>) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inner {
        page_info: Option<More>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct More {
        has_next_page: bool,
    }
    entity.parts.iter().any(|part| {
        let list = fields.get(part.field).filter(|list| list.get().starts_with('{'));
        let inner = list.and_then(|list| serde_json::from_str::<Inner>(list.get()).ok());
        inner.and_then(|inner| inner.page_info).is_some_and(|info| info.has_next_page)
    })
}

/// The ids of those records that were cut short: of a listing, [`nodes`] leaves them out.
#[must_use]
pub fn cut_short(entity: &Entity, elements: &[&RawValue]) -> Vec<String> {
    if !entity.is_asked_for_by_id() || entity.parts.is_empty() {
        return Vec::new();
    }
    let id_if_cut_short = |node: &&RawValue| {
        let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(node.get()).ok()?;
        let id = fields.get("id").and_then(|id| text(id)).filter(|id| is_usable_id(id))?;
        is_cut_short(entity, &fields).then_some(id)
    };
    elements.iter().filter_map(id_if_cut_short).collect()
}

/// Takes a listing apart. An element of any shape becomes a node: nothing is refused here.
#[must_use]
pub fn nodes<'a>(entity: &Entity, window: Option<Window>, elements: &[&'a RawValue]) -> Nodes<'a> {
    take(entity, window, elements, entity.is_asked_for_by_id())
}

/// `may_be_asked`: what is cut short comes whole by another page.
fn take<'a>(
    entity: &Entity,
    window: Option<Window>,
    elements: &[&'a RawValue],
    may_be_asked: bool,
) -> Nodes<'a> {
    let filter = entity.time_filter().zip(window);
    let mut taken = Nodes {
        own: Vec::with_capacity(elements.len()),
        children: entity.children().map(|(child, _)| (child, Vec::new())).collect(),
        left_out: 0,
        answers: Vec::new(),
    };
    for element in elements {
        let json = element.get();
        let fields: BTreeMap<Cow<'a, str>, &'a RawValue> = serde_json::from_str(json).unwrap_or_default();
        if let Some((filter, window)) = filter {
            let instant =
                fields.get(filter.field).and_then(|at| text(at)).and_then(|at| model::row::instant(&at));
            if instant.is_some_and(|instant| !window.contains(instant)) {
                taken.left_out += 1;
                continue;
            }
        }
        let id = fields.get("id").and_then(|id| text(id)).filter(|id| is_usable_id(id));
        if may_be_asked && id.is_some() && is_cut_short(entity, &fields) {
            taken.left_out += 1;
            continue;
        }
        for ((_, list), (_, field)) in taken.children.iter_mut().zip(entity.children()) {
            let nested: Vec<&'a RawValue> =
                fields.get(field).and_then(|list| serde_json::from_str(list.get()).ok()).unwrap_or_default();
            list.extend(nested.into_iter().map(|nested| Node {
                id: id_of(nested.get()),
                parent_id: id.clone(),
                json: nested.get(),
            }));
        }
        taken.own.push(Node { id, parent_id: None, json });
    }
    taken
}

/// Takes a stored raw page of the entity apart.
///
/// # Errors
/// The object is no raw page of the entity.
pub fn nodes_of_page<'a>(entity: &Entity, object: &'a [u8]) -> Result<Nodes<'a>, PageNodesError> {
    let page: RawPage<'a> = serde_json::from_slice(object).map_err(PageNodesError::Envelope)?;
    if let Some(asked) = page.metadata.asked {
        let found = by_id(page.payload.get(), &asked).map_err(PageNodesError::Payload)?;
        // Of a nested record an answer tells no more than that it is there.
        let elements = if entity.query().is_some() { found.elements } else { Vec::new() };
        return Ok(Nodes { answers: found.answers, ..take(entity, None, &elements, false) });
    }
    let query = entity.query().ok_or(PageNodesError::UnknownEntity)?;
    let listing = listing(query, page.payload.get()).map_err(PageNodesError::Payload)?;
    Ok(nodes(entity, page.metadata.window, &listing.nodes))
}

pub(crate) fn id_of(json: &str) -> Option<String> {
    let fields: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(json).ok()?;
    fields.get("id").and_then(|id| text(id)).filter(|id| is_usable_id(id))
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::entity::find;

    fn timeline() -> &'static Entity {
        find("timeline").unwrap_or(model::entity::ALL[3])
    }

    #[test]
    fn every_element_of_a_list_becomes_a_node_whatever_it_is() {
        let response = r#"{"data":{"allTimelineEntries":{"totalCount":5,"pageInfo":{"hasNextPage":true,"endCursor":"x"},
            "nodes":[null,{"id":"a"},{"id":null},7,{"id":"a\u0000"}]}}}"#;
        let query = timeline().query();
        let listing = query.map(|query| listing(query, response));
        let Some(Ok(listing)) = listing else { panic!("{listing:?}") };
        assert_eq!(listing.total_count, Some(5));
        assert_eq!(
            listing.page_info,
            Some(PageInfo { has_next_page: true, end_cursor: Some("x".to_owned()) })
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
    fn what_lies_after_the_end_of_a_repair_is_left_out_and_counted() {
        let response = r#"{"data":{"allTimelineEntries":{"nodes":[
            {"id":"in","occurredAt":"2025-12-31T23:00:00Z"},{"id":"out","occurredAt":"2026-01-02T00:00:00Z"},
            {"id":"undated","occurredAt":null}]}}}"#;
        let day = chrono::NaiveDate::from_ymd_opt(2025, 12, 31).unwrap_or_default();
        let window = Window::of_days(day, day, model::local_day::ZONE);
        let Some(Ok(listing)) = timeline().query().map(|query| listing(query, response)) else { panic!() };
        let nodes = nodes(timeline(), window, &listing.nodes);
        let ids: Vec<_> = nodes.own.iter().filter_map(|node| node.id.as_deref()).collect();
        assert_eq!((ids, nodes.left_out), (vec!["in", "undated"], 1));
    }

    #[test]
    fn a_nested_record_knows_the_record_it_came_in() {
        let Some(pianos) = find("pianos") else { panic!() };
        let element = r#"{"id":"ins_1","allPianoMeasurements":[{"id":"m1"},{"id":null}]}"#;
        let Ok(element) = serde_json::from_str::<&RawValue>(element) else { panic!() };
        let nodes = nodes(pianos, None, &[element]);
        let (child, list) = &nodes.children[0];
        assert_eq!(child.name, "measurements");
        let seen: Vec<_> = list.iter().map(|node| (node.id.as_deref(), node.parent_id.as_deref())).collect();
        assert_eq!(seen, [(Some("m1"), Some("ins_1")), (None, Some("ins_1"))]);
    }

    #[test]
    fn an_answer_without_its_list_says_which_field_is_missing() {
        let Some(query) = timeline().query() else { panic!() };
        let message =
            |response| listing(query, response).map_or_else(|error| error.to_string(), |_| String::new());
        assert_eq!(message(r#"{"data":null}"#), "`data.allTimelineEntries` is missing or null");
        assert!(message("<html>").starts_with("it is no GraphQL response"));
        assert!(
            message(r#"{"data":{"allTimelineEntries":[]}}"#).starts_with("`data.allTimelineEntries` is not")
        );
    }
}
