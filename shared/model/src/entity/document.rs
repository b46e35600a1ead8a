//! GraphQL documents of an entity, and the variables of its time filter.

use std::fmt::Write as _;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::definition::{BoundType, DeletionPolicy, Entity, Query, Shape, TimeFilter};
use crate::local_day;
use crate::window::Window;

/// Variable with the upper bound for the elements of a list inside a record.
pub const INNER: &str = "$inner";

impl Entity {
    /// Returns the document that looks up `count` records by id in one request: `r0: client(id: $id0) { … }, …`.
    /// None where the source offers no such field.
    #[must_use]
    pub fn lookup_document(&self, count: usize) -> Option<String> {
        let DeletionPolicy::LookupById { root, argument } = self.deletion_policy else { return None };
        // For a nested record the id alone: its content comes with its parent.
        let selection = self.query().map_or("id", |query| query.selection);
        let variables: Vec<String> = (0..count).map(|index| format!("$id{index}: String!")).collect();
        let fields: String = (0..count)
            .map(|index| format!(" r{index}: {root}({argument}: $id{index}) {{ {selection} }}"))
            .collect();
        let (variables, inner) = (variables.join(", "), inner_declaration(selection));
        Some(format!("query {root}ById({variables}{inner}) {{{fields} }}"))
    }
}

impl Query {
    /// Returns the document for one page. Its variables are `$first` and `$after`, `$since` and `$until` for a period,
    /// and `$inner` for the lists inside a record.
    #[must_use]
    pub fn document(&self) -> String {
        self.document_of(self.selection)
    }

    /// Returns a document like [`Query::document`] with another selection on one record; with an empty one for the
    /// position of the page alone. None for a plain list, which has no positions.
    #[must_use]
    pub fn outline_document(&self, selection: &str) -> Option<String> {
        matches!(self.shape, Shape::Connection { .. }).then(|| self.document_of(selection))
    }

    /// Returns a document like [`Query::outline_document`] for a page from the end of the listing; its variables are
    /// `$last` and `$before` in place of `$first` and `$after`.
    #[must_use]
    pub fn backward_document(&self, selection: &str) -> Option<String> {
        let forward = self.outline_document(selection)?;
        let backward = forward
            .replace("$first: Int!, $after: String", "$last: Int!, $before: String")
            .replace("first: $first, after: $after", "last: $last, before: $before");
        Some(backward.replacen("hasNextPage endCursor", "hasNextPage endCursor startCursor", 1))
    }

    fn document_of(&self, selection: &str) -> String {
        let Self { root, shape, .. } = self;
        let inner = inner_declaration(selection);
        let nodes = if selection.is_empty() { String::new() } else { format!(" nodes {{ {selection} }}") };
        match shape {
            Shape::List if inner.is_empty() => format!("query {root} {{ {root} {{ {selection} }} }}"),
            Shape::List => format!("query {root}({}) {{ {root} {{ {selection} }} }}", &inner[2..]),
            Shape::Connection { arguments, window } => {
                let (variables, bounds) = window.as_ref().map(TimeFilter::in_document).unwrap_or_default();
                format!(
                    "query {root}($first: Int!, $after: String{variables}{inner}) {{ \
                     {root}(first: $first, after: $after{bounds}{arguments}) {{ \
                     totalCount pageInfo {{ hasNextPage endCursor }}{nodes} }} }}"
                )
            }
        }
    }
}

/// Returns the declaration of [`INNER`]; empty where the selection does not use it.
fn inner_declaration(selection: &str) -> &'static str {
    if selection.contains(INNER) { ", $inner: Int!" } else { "" }
}

impl TimeFilter {
    /// Returns the variables that a document declares for the filter, and the arguments that use them.
    fn in_document(&self) -> (String, String) {
        let graphql_type = match self.bound {
            BoundType::Instant => "CoreDateTime",
            BoundType::Day => "CoreDate",
        };
        let mut variables = format!(", $since: {graphql_type}");
        let mut bounds = format!("{}: $since", self.since);
        if let Some(until) = self.until {
            let _ = write!(variables, ", $until: {graphql_type}");
            let _ = write!(bounds, ", {until}: $until");
        }
        let arguments = match self.input {
            Some(input) => format!(", {input}: {{ {bounds} }}"),
            None => format!(", {bounds}"),
        };
        (variables, arguments)
    }

    /// Returns the names and values of the filter's variables for that window.
    #[must_use]
    pub fn variables(&self, window: Window) -> Vec<(&'static str, String)> {
        let format_bound = |instant: DateTime<Utc>| match self.bound {
            BoundType::Instant => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
            BoundType::Day => local_day::of(instant).to_string(),
        };
        // The source's bound is the last instant inside, the window's end is the first one after it.
        let last =
            window.end.filter(|_| self.until.is_some()).map(|end| format_bound(end - TimeDelta::seconds(1)));
        [("since", Some(format_bound(window.start))), ("until", last)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}
