//! Listings: the records of a response to an entity's query, and the way to the next page.

use model::entity::{Query, Shape};
use model::row::is_usable_id;
use serde::Deserialize;
use serde_json::value::RawValue;

pub use crate::response::InvalidPage;
use crate::response::{Response, id_text};

/// Records of one page of a listing.
#[derive(Debug)]
pub struct Listing<'a> {
    /// Elements of the list, byte for byte, null ones included.
    pub nodes: Vec<&'a RawValue>,
    /// Position of the next page; none for a plain list.
    pub page_info: Option<PageInfo>,
    /// Count stated by the source; none for a plain list.
    pub total_count: Option<u64>,
    /// Error messages of a partial response.
    pub errors: Vec<String>,
}

impl Listing<'_> {
    /// Returns the id of each element; none for an element without a usable one.
    pub fn ids(&self) -> impl Iterator<Item = Option<String>> {
        #[derive(Deserialize)]
        struct Identified<'a> {
            #[serde(borrow)]
            id: Option<&'a RawValue>,
        }
        self.nodes.iter().map(|node| {
            let identified: Identified<'_> = serde_json::from_str(node.get()).ok()?;
            identified.id.and_then(id_text).filter(|id| is_usable_id(id))
        })
    }
}

/// Position of a page in a Relay connection (`pageInfo`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageInfo {
    /// Reports whether another page follows. The number of nodes says nothing about it.
    pub has_next_page: bool,
    /// Cursor after which the next page begins.
    pub end_cursor: Option<String>,
    /// Cursor before which the page to the front ends; requested of pages from the end alone.
    #[serde(default)]
    pub start_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<'a> {
    #[serde(borrow)]
    nodes: Option<Vec<&'a RawValue>>,
    page_info: Option<PageInfo>,
    /// Of any form: a count that cannot be read proves nothing, and costs no record.
    #[serde(borrow)]
    total_count: Option<&'a RawValue>,
}

/// Parses a response to the query.
///
/// # Errors
/// The response does not hold a list of this query.
pub fn parse_listing<'a>(query: &Query, response: &'a str) -> Result<Listing<'a>, InvalidPage> {
    let root = query.root;
    let response: Response<'a> = serde_json::from_str(response).map_err(InvalidPage::Response)?;
    let errors = response.errors().into_iter().map(|error| error.message).collect();
    let value = *response
        .data
        .as_ref()
        .and_then(|data| data.get(root))
        .filter(|value| value.get() != "null")
        .ok_or(InvalidPage::NoRoot { root })?;
    let shape = |source| InvalidPage::Shape { root, source };
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
                total_count: connection.total_count.and_then(count_of),
                errors,
            })
        }
    }
}

/// Returns a count that is a whole number.
fn count_of(count: &RawValue) -> Option<u64> {
    serde_json::from_str(count.get()).ok()
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;
    use model::entity::find;

    #[test]
    fn malformed_error_or_count_costs_no_record() {
        let Some(query) = find("timeline").and_then(|timeline| timeline.query()) else { panic!() };
        for (errors, count) in [("[null]", "1"), (r#"[{"message":null}]"#, "\"1\""), (r#"["text"]"#, "-1")] {
            let response = format!(
                r#"{{"errors":{errors},"data":{{"allTimelineEntries":{{"totalCount":{count},"nodes":[{{"id":"a"}}]}}}}}}"#
            );
            let Ok(listing) = parse_listing(query, &response) else { panic!("{response}") };
            assert_eq!((listing.nodes.len(), listing.errors.len()), (1, 1), "{response}");
            assert_eq!(listing.total_count, (count == "1").then_some(1));
        }
    }

    #[test]
    fn response_without_its_list_names_the_field() {
        let Some(query) = find("timeline").and_then(|timeline| timeline.query()) else { panic!() };
        let error = |response| parse_listing(query, response).err();
        let message = |response| error(response).map(|error| error.to_string()).unwrap_or_default();
        assert_eq!(message(r#"{"data":null}"#), "`data.allTimelineEntries` is missing or null");
        assert_eq!(message("<html>"), "invalid GraphQL response");
        assert_eq!(
            message(r#"{"data":{"allTimelineEntries":[]}}"#),
            "unexpected shape of `data.allTimelineEntries`"
        );
        assert!(error("<html>").is_some_and(|error| error.source().is_some()));
    }
}
