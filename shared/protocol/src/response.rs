//! GraphQL responses, read without copying the records.
//!
//! The data is read strictly, the errors beside it leniently: the specification makes almost everything in them
//! optional, and a malformed error must not cost the data.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::row::is_usable_id;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::graphql_error::{GraphqlError, parse_errors};

/// Fields of a JSON object, each value byte for byte.
pub(crate) type RawFields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// Envelope of every GraphQL response.
#[derive(Deserialize)]
pub(crate) struct Response<'a> {
    #[serde(borrow, default)]
    pub(crate) data: Option<RawFields<'a>>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

impl Response<'_> {
    /// Returns the errors, of whatever form they have.
    pub(crate) fn errors(&self) -> Vec<GraphqlError> {
        parse_errors(self.errors)
    }
}

/// Error for a response that does not have the shape of its query.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPage {
    /// The text is not JSON, or not the envelope of a GraphQL response.
    #[error("invalid GraphQL response")]
    Response(#[source] serde_json::Error),
    /// The field that should hold the records is missing or null.
    #[error("`data.{root}` is missing or null")]
    NoRoot {
        /// Field of `data` for the query.
        root: &'static str,
    },
    /// The field that should hold the records has another shape.
    #[error("unexpected shape of `data.{root}`")]
    Shape {
        /// Field of `data` for the query.
        root: &'static str,
        /// Error of the JSON parser.
        source: serde_json::Error,
    },
}

/// Returns the usable id of a record; none where it has none.
pub(crate) fn id_of(fields: &RawFields<'_>) -> Option<String> {
    fields.get("id").and_then(|id| id_text(id)).filter(|id| is_usable_id(id))
}

/// Returns the text of an id: a JSON string, or the digits of a whole number.
pub(crate) fn id_text(value: &RawValue) -> Option<String> {
    let digits = value.get().strip_prefix('-').unwrap_or(value.get());
    if (1..=18).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.get().to_owned());
    }
    text_of(value)
}

/// Returns the usable id of a record in JSON; none where it has none, or is not an object.
pub(crate) fn id_of_json(json: &str) -> Option<String> {
    id_of(&serde_json::from_str(json).ok()?)
}

/// Returns the text of a JSON string; none for any other value.
pub(crate) fn text_of(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}
