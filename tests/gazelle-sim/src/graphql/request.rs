//! GraphQL requests: parsing, root fields, arguments and variables.

use async_graphql::{
    Name, Positioned, Variables,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
    },
};
use async_graphql_value::{ConstValue, Value};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::error::GraphqlError;

/// GraphQL request as it is sent over HTTP.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GraphqlRequest {
    query: String,
    variables: Option<Json>,
    operation_name: Option<String>,
}

/// Syntactically valid request, not yet validated against the schema.
pub(crate) struct ParsedRequest {
    pub(super) query: String,
    pub(super) variables: Variables,
    pub(super) operation_name: Option<String>,
    pub(super) document: ExecutableDocument,
}

impl ParsedRequest {
    /// Parses the document and the variables of a request.
    pub(crate) fn parse(request: GraphqlRequest) -> Result<Self, GraphqlError> {
        let document = async_graphql::parser::parse_query(&request.query)
            .map_err(|error| GraphqlError::new(&format!("Parse error: {error}"), "parseError"))?;
        Ok(Self {
            query: request.query,
            variables: Variables::from_json(request.variables.unwrap_or_default()),
            operation_name: request.operation_name,
            document,
        })
    }

    /// Returns the names of the root fields, in document order.
    pub(crate) fn root_fields(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(operation) = self.operation() {
            self.visit_fields(&operation.selection_set.node, &mut |field| {
                names.push(field.name.node.to_string());
            });
        }
        names
    }

    /// Returns the label for statistics: the operation name or, without one, the first root field.
    pub(crate) fn label(&self) -> String {
        self.operation_name
            .clone()
            .or_else(|| self.document_operation_name())
            .or_else(|| self.root_fields().into_iter().next())
            .unwrap_or_else(|| "unknown".into())
    }

    /// Returns true if the request selects a page of the timeline.
    pub(crate) fn requests_timeline(&self) -> bool {
        self.root_fields().iter().any(|name| name == "allTimelineEntries")
    }

    /// Returns true if the request selects introspection fields.
    pub(super) fn is_introspection(&self) -> bool {
        self.root_fields().iter().any(|name| name == "__schema" || name == "__type")
    }

    /// Returns the operation to execute.
    pub(super) fn operation(&self) -> Option<&OperationDefinition> {
        match (&self.document.operations, &self.operation_name) {
            (DocumentOperations::Single(operation), _) => Some(&operation.node),
            (DocumentOperations::Multiple(operations), Some(name)) => {
                operations.get(name.as_str()).map(|operation: &Positioned<_>| &operation.node)
            }
            (DocumentOperations::Multiple(operations), None) => {
                operations.values().next().map(|operation: &Positioned<_>| &operation.node)
            }
        }
    }

    fn document_operation_name(&self) -> Option<String> {
        self.document.operations.iter().next().and_then(|(name, _)| name.map(ToString::to_string))
    }

    /// Visits the fields of a selection set, including those of fragments. Type conditions always match,
    /// because the schema has neither interfaces nor unions.
    pub(super) fn visit_fields<'a>(&'a self, set: &'a SelectionSet, visit: &mut impl FnMut(&'a Field)) {
        for selection in &set.items {
            if self.is_skipped(&selection.node) {
                continue;
            }
            match &selection.node {
                Selection::Field(field) => visit(&field.node),
                Selection::InlineFragment(fragment) => {
                    self.visit_fields(&fragment.node.selection_set.node, visit);
                }
                Selection::FragmentSpread(spread) => {
                    if let Some(fragment) = self.document.fragments.get(&spread.node.fragment_name.node) {
                        self.visit_fields(&fragment.node.selection_set.node, visit);
                    }
                }
            }
        }
    }

    fn is_skipped(&self, selection: &Selection) -> bool {
        selection.directives().iter().any(|directive| {
            let condition = directive.node.get_argument("if").map(|value| self.constant(&value.node));
            match directive.node.name.node.as_str() {
                "skip" => condition == Some(Json::Bool(true)),
                "include" => condition == Some(Json::Bool(false)),
                _ => false,
            }
        })
    }

    /// Returns the arguments of a field that are not null, with variables replaced by their values.
    pub(super) fn arguments(&self, field: &Field) -> Map<String, Json> {
        field
            .arguments
            .iter()
            .map(|(name, value)| (name.node.to_string(), self.constant(&value.node)))
            .filter(|(_, value)| !value.is_null())
            .collect()
    }

    fn constant(&self, value: &Value) -> Json {
        value
            .clone()
            .into_const_with(|name| Ok::<_, std::convert::Infallible>(self.variable(&name)))
            .ok()
            .and_then(|value| value.into_json().ok())
            .unwrap_or_default()
    }

    /// Returns the value of a variable, its default, or null.
    pub(super) fn variable(&self, name: &Name) -> ConstValue {
        self.variables.get(name).cloned().unwrap_or_else(|| {
            self.operation()
                .and_then(|operation| {
                    operation
                        .variable_definitions
                        .iter()
                        .find(|definition| definition.node.name.node == *name)
                })
                .and_then(|definition| definition.node.default_value.as_ref())
                .map_or(ConstValue::Null, |value| value.node.clone())
        })
    }
}
