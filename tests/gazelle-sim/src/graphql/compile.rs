//! Turns a valid document into the steps that write its answer.

use async_graphql::{
    Name, Positioned,
    parser::types::{
        DocumentOperations, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
    },
};
use async_graphql_value::{ConstValue, Value};
use serde_json::{Map, Value as Json};

use super::{
    ParsedRequest, Refusal,
    sdl::{Missing, Shapes},
    variables,
};

/// The steps of one operation.
pub(super) struct Operation {
    /// The root fields.
    pub(super) steps: Vec<Step>,
}

/// How to write one field of a record.
pub(super) struct Step {
    /// The response key as it stands before the value: `"key":`.
    pub(super) prefix: String,
    /// The name of the field in the schema.
    pub(super) field: String,
    /// The type that has the field.
    pub(super) parent_type: String,
    /// The type of the value or of its elements.
    pub(super) inner_type: String,
    /// The arguments, variables replaced.
    pub(super) arguments: Map<String, Json>,
    /// What stands for a missing value.
    pub(super) missing: Missing,
    /// The selected fields of the value, if it is an object or a list of them.
    pub(super) children: Vec<Step>,
}

impl Operation {
    /// The steps of a request that was found valid.
    pub(super) fn compile(request: &ParsedRequest, shapes: &Shapes) -> Result<Self, Refusal> {
        let operation =
            operation(request).ok_or_else(|| Refusal::new("No operation to run", "noOperation"))?;
        variables::check_required(operation, |name| variable(&Name::new(name), request) != ConstValue::Null)?;
        let sets = [&operation.selection_set.node];
        Ok(Self { steps: compile_steps(&sets, &shapes.query_type, request, shapes)? })
    }
}

fn compile_steps(
    sets: &[&SelectionSet],
    type_name: &str,
    request: &ParsedRequest,
    shapes: &Shapes,
) -> Result<Vec<Step>, Refusal> {
    let mut groups: Vec<(&str, Vec<&Field>)> = Vec::new();
    for set in sets {
        collect(set, request, &mut |field| {
            let key = field.response_key().node.as_str();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, fields)) => fields.push(field),
                None => groups.push((key, vec![field])),
            }
        });
    }
    groups.iter().map(|(key, fields)| compile_step(key, fields, type_name, request, shapes)).collect()
}

fn compile_step(
    key: &str,
    fields: &[&Field],
    type_name: &str,
    request: &ParsedRequest,
    shapes: &Shapes,
) -> Result<Step, Refusal> {
    let name = fields.first().map_or("", |field| field.name.node.as_str());
    let mut step = Step {
        prefix: format!("\"{key}\":"),
        field: name.to_owned(),
        parent_type: type_name.to_owned(),
        inner_type: "String".to_owned(),
        arguments: fields.first().map(|field| arguments(field, request)).unwrap_or_default(),
        missing: Missing::Literal(format!("\"{type_name}\"")),
        children: Vec::new(),
    };
    if name == "__typename" {
        return Ok(step);
    }
    if let (Some(operation), Some(field)) = (operation(request), fields.first()) {
        variables::check_usage(operation, field, type_name, shapes)?;
    }
    let shape = shapes.field(type_name, name).ok_or_else(|| {
        Refusal::new(&format!("Field '{name}' doesn't exist on type '{type_name}'"), "undefinedField")
    })?;
    step.inner_type.clone_from(&shape.inner_type);
    step.missing = shape.missing.clone();
    if shapes.is_object(&shape.inner_type) {
        let sets: Vec<&SelectionSet> = fields.iter().map(|field| &field.selection_set.node).collect();
        step.children = compile_steps(&sets, &shape.inner_type, request, shapes)?;
    }
    Ok(step)
}

/// Visits the fields of a selection, fragments opened. A type condition can only name the type itself:
/// the schema has neither interfaces nor unions.
fn collect<'a>(set: &'a SelectionSet, request: &'a ParsedRequest, visit: &mut impl FnMut(&'a Field)) {
    for selection in &set.items {
        if is_skipped(&selection.node, request) {
            continue;
        }
        match &selection.node {
            Selection::Field(field) => visit(&field.node),
            Selection::InlineFragment(fragment) => collect(&fragment.node.selection_set.node, request, visit),
            Selection::FragmentSpread(spread) => {
                if let Some(fragment) = request.document.fragments.get(&spread.node.fragment_name.node) {
                    collect(&fragment.node.selection_set.node, request, visit);
                }
            }
        }
    }
}

fn is_skipped(selection: &Selection, request: &ParsedRequest) -> bool {
    selection.directives().iter().any(|directive| {
        let condition = directive.node.get_argument("if").map(|value| constant(&value.node, request));
        match directive.node.name.node.as_str() {
            "skip" => condition == Some(Json::Bool(true)),
            "include" => condition == Some(Json::Bool(false)),
            _ => false,
        }
    })
}

/// The arguments of a field, variables replaced and absent ones left out.
pub(super) fn arguments(field: &Field, request: &ParsedRequest) -> Map<String, Json> {
    field
        .arguments
        .iter()
        .map(|(name, value)| (name.node.to_string(), constant(&value.node, request)))
        .filter(|(_, value)| !value.is_null())
        .collect()
}

fn constant(value: &Value, request: &ParsedRequest) -> Json {
    value
        .clone()
        .into_const_with(|name| Ok::<_, std::convert::Infallible>(variable(&name, request)))
        .ok()
        .and_then(|value| value.into_json().ok())
        .unwrap_or_default()
}

fn variable(name: &Name, request: &ParsedRequest) -> ConstValue {
    request.variables.get(name).cloned().unwrap_or_else(|| {
        operation(request)
            .and_then(|operation| {
                operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name)
            })
            .and_then(|definition| definition.node.default_value.as_ref())
            .map_or(ConstValue::Null, |value| value.node.clone())
    })
}

/// The fields at the root of the request's operation.
pub(super) fn root_fields(request: &ParsedRequest) -> Vec<&Field> {
    let mut fields = Vec::new();
    if let Some(operation) = operation(request) {
        collect(&operation.selection_set.node, request, &mut |field| fields.push(field));
    }
    fields
}

/// The name the document gives its operation.
pub(super) fn operation_name(request: &ParsedRequest) -> Option<String> {
    request.document.operations.iter().next().and_then(|(name, _)| name.map(ToString::to_string))
}

fn operation(request: &ParsedRequest) -> Option<&OperationDefinition> {
    let document: &ExecutableDocument = &request.document;
    match (&document.operations, &request.operation_name) {
        (DocumentOperations::Single(operation), _) => Some(&operation.node),
        (DocumentOperations::Multiple(operations), Some(name)) => {
            operations.get(name.as_str()).map(|operation: &Positioned<_>| &operation.node)
        }
        (DocumentOperations::Multiple(operations), None) => {
            operations.values().next().map(|operation: &Positioned<_>| &operation.node)
        }
    }
}
