//! Errors in the format of the real API: messages, codes and paths of graphql-ruby.

use async_graphql::{
    Pos, ServerError,
    parser::types::{ExecutableDocument, Selection, SelectionSet},
};
use serde_json::{Map, Value as Json, json};

/// Entry of `errors` in a response.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GraphqlError {
    message: String,
    path: Vec<String>,
    extensions: Map<String, Json>,
}

impl GraphqlError {
    /// Creates an error with a code.
    pub(crate) fn new(message: &str, code: &str) -> Self {
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), code.into());
        Self { message: message.to_owned(), path: Vec::new(), extensions }
    }

    /// Sets the path of the error in the response.
    pub(super) fn at(mut self, path: &[&str]) -> Self {
        self.path = path.iter().map(|&part| part.to_owned()).collect();
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.extensions.insert(name.to_owned(), value.into());
        self
    }
}

/// Writes a response body with errors and without data.
pub(crate) fn body(errors: &[GraphqlError]) -> String {
    let errors: Vec<Json> = errors
        .iter()
        .map(|error| json!({"message": error.message, "path": error.path, "extensions": error.extensions}))
        .collect();
    json!({ "errors": errors }).to_string()
}

/// Translates the library's validation errors to those of the real API.
pub(super) fn translate(errors: &[ServerError], document: &ExecutableDocument) -> Vec<GraphqlError> {
    let mut translated: Vec<GraphqlError> = errors
        .iter()
        .map(|error| {
            let mut translated = translate_message(&error.message);
            if let Some(position) = error.locations.first() {
                translated.path = path_to(document, *position);
            }
            translated
        })
        .collect();
    translated.dedup();
    translated
}

/// Fragments of the library's messages with the real API's code for the error.
const CODES: &[(&str, &str)] = &[
    ("Invalid value for argument", "argumentLiteralsIncompatible"),
    ("is required but not provided", "missingRequiredArguments"),
    ("used in position expecting type", "variableMismatch"),
    ("is not defined", "variableNotDefined"),
    ("Unknown type", "undefinedType"),
    ("nknown fragment", "undefinedFragment"),
    ("is never used", "useless"),
    ("is not used", "variableNotUsed"),
    ("must not have a selection", "selectionMismatch"),
    ("must have a selection", "selectionMismatch"),
    ("conflict because", "fieldConflict"),
    ("Schema is not configured for", "missingMutationConfiguration"),
    ("There can only be one", "argumentNotUnique"),
    ("nknown directive", "undefinedDirective"),
    ("peration", "operationNameRequired"),
];

fn translate_message(message: &str) -> GraphqlError {
    let quoted: Vec<&str> = message.split('"').skip(1).step_by(2).collect();
    match quoted.as_slice() {
        [field, type_name, ..] if message.starts_with("Unknown field") => GraphqlError::new(
            &format!("Field '{field}' doesn't exist on type '{type_name}'"),
            "undefinedField",
        )
        .with("typeName", type_name)
        .with("fieldName", field),
        [argument, field, ..] if message.starts_with("Unknown argument") => GraphqlError::new(
            &format!("Field '{field}' doesn't accept argument '{argument}'"),
            "argumentNotAccepted",
        )
        .with("name", field)
        .with("typeName", "Field")
        .with("argumentName", argument),
        _ => {
            let code =
                CODES.iter().find(|(part, _)| message.contains(part)).map_or("invalid", |(_, code)| *code);
            GraphqlError::new(message, code)
        }
    }
}

/// Returns the path to a position in the document: `["query", "allUsers", "x"]`.
fn path_to(document: &ExecutableDocument, position: Pos) -> Vec<String> {
    let mut path = Vec::new();
    for (name, operation) in document.operations.iter() {
        let root = match name {
            Some(name) => format!("{} {name}", operation.node.ty),
            None => operation.node.ty.to_string(),
        };
        path.push(root);
        if operation.pos == position || search(&operation.node.selection_set.node, position, &mut path) {
            return path;
        }
        path.clear();
    }
    for (name, fragment) in &document.fragments {
        path.push(format!("fragment {name}"));
        if search(&fragment.node.selection_set.node, position, &mut path) {
            return path;
        }
        path.clear();
    }
    path
}

fn search(set: &SelectionSet, position: Pos, path: &mut Vec<String>) -> bool {
    set.items.iter().any(|selection| {
        let (name, inner) = match &selection.node {
            Selection::Field(field) => {
                (field.node.response_key().node.to_string(), Some(&field.node.selection_set.node))
            }
            Selection::InlineFragment(fragment) => ("...".to_owned(), Some(&fragment.node.selection_set.node)),
            Selection::FragmentSpread(spread) => (format!("... {}", spread.node.fragment_name.node), None),
        };
        path.push(name);
        let is_argument_here = matches!(&selection.node, Selection::Field(field)
            if field.node.arguments.iter().any(|(name, value)| name.pos == position || value.pos == position));
        let found = selection.pos == position
            || is_argument_here
            || inner.is_some_and(|inner| search(inner, position, path));
        if !found {
            path.pop();
        }
        found
    })
}
