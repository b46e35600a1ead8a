//! Compilation of a valid request into an execution plan.

use async_graphql::{
    Name,
    parser::types::{Field, SelectionSet},
};
use async_graphql_value::ConstValue;
use serde_json::{Map, Value as Json};

use super::{
    error::GraphqlError,
    request::ParsedRequest,
    schema::{DefaultValue, SchemaIndex},
    variables,
};

/// Execution plan of an operation.
pub(super) struct ExecutionPlan {
    pub(super) root_fields: Vec<FieldPlan>,
}

/// Plan to write one field of a record.
pub(super) struct FieldPlan {
    /// Response key with its punctuation: `"key":`.
    pub(super) prefix: String,
    /// Name of the field in the schema.
    pub(super) name: String,
    /// Type that declares the field.
    pub(super) parent_type: String,
    /// Type of the value or of the list's elements.
    pub(super) inner_type: String,
    /// Arguments that are not null, with variables replaced.
    pub(super) arguments: Map<String, Json>,
    /// Replacement for a value that the record lacks.
    pub(super) default: DefaultValue,
    /// Selected fields of the value, if it is an object or a list of objects.
    pub(super) children: Vec<FieldPlan>,
}

impl ExecutionPlan {
    /// Compiles the plan of a valid request.
    pub(super) fn compile(request: &ParsedRequest, schema: &SchemaIndex) -> Result<Self, GraphqlError> {
        let operation =
            request.operation().ok_or_else(|| GraphqlError::new("No operation to run", "noOperation"))?;
        variables::check_required(operation, |name| request.variable(&Name::new(name)) != ConstValue::Null)?;
        let sets = [&operation.selection_set.node];
        Ok(Self { root_fields: compile_fields(&sets, &schema.query_type, request, schema)? })
    }
}

fn compile_fields(
    sets: &[&SelectionSet],
    type_name: &str,
    request: &ParsedRequest,
    schema: &SchemaIndex,
) -> Result<Vec<FieldPlan>, GraphqlError> {
    let mut groups: Vec<(&str, Vec<&Field>)> = Vec::new();
    for set in sets {
        request.visit_fields(set, &mut |field| {
            let key = field.response_key().node.as_str();
            match groups.iter_mut().find(|(known, _)| *known == key) {
                Some((_, fields)) => fields.push(field),
                None => groups.push((key, vec![field])),
            }
        });
    }
    groups.iter().map(|(key, fields)| compile_field(key, fields, type_name, request, schema)).collect()
}

fn compile_field(
    key: &str,
    fields: &[&Field],
    type_name: &str,
    request: &ParsedRequest,
    schema: &SchemaIndex,
) -> Result<FieldPlan, GraphqlError> {
    let name = fields.first().map_or("", |field| field.name.node.as_str());
    let mut plan = FieldPlan {
        prefix: format!("\"{key}\":"),
        name: name.to_owned(),
        parent_type: type_name.to_owned(),
        inner_type: "String".to_owned(),
        arguments: fields.first().map(|field| request.arguments(field)).unwrap_or_default(),
        default: DefaultValue::Literal(format!("\"{type_name}\"")),
        children: Vec::new(),
    };
    if name == "__typename" {
        return Ok(plan);
    }
    if let (Some(operation), Some(field)) = (request.operation(), fields.first()) {
        variables::check_usage(operation, field, type_name, schema)?;
    }
    let info = schema.field(type_name, name).ok_or_else(|| {
        GraphqlError::new(&format!("Field '{name}' doesn't exist on type '{type_name}'"), "undefinedField")
    })?;
    plan.inner_type.clone_from(&info.inner_type);
    plan.default = info.default.clone();
    if schema.is_object(&info.inner_type) {
        let sets: Vec<&SelectionSet> = fields.iter().map(|field| &field.selection_set.node).collect();
        plan.children = compile_fields(&sets, &info.inner_type, request, schema)?;
    }
    Ok(plan)
}
