//! Variable checks that the library omits: a required variable has a value, and each is compatible with the
//! arguments it is used in (async-graphql 7.2.1 has that rule and never runs it).

use async_graphql::parser::types::{BaseType, Field, OperationDefinition, Type};
use async_graphql_value::Value;

use super::{error::GraphqlError, schema::SchemaIndex};

/// Checks that every required variable has a value.
pub(super) fn check_required(
    operation: &OperationDefinition,
    has_value: impl Fn(&str) -> bool,
) -> Result<(), GraphqlError> {
    for definition in &operation.variable_definitions {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        if !ty.nullable && !has_value(name) {
            let message = format!("Variable ${name} of type {ty} was provided invalid value");
            return Err(GraphqlError::new(&message, "variableInvalid"));
        }
    }
    Ok(())
}

/// Checks that variables have the types of the arguments they are used in.
pub(super) fn check_usage(
    operation: &OperationDefinition,
    field: &Field,
    type_name: &str,
    schema: &SchemaIndex,
) -> Result<(), GraphqlError> {
    for (name, value) in &field.arguments {
        if let Some(expected) = schema.argument(type_name, &field.name.node, &name.node) {
            check_value(operation, &name.node, &value.node, expected, schema)?;
        }
    }
    Ok(())
}

fn check_value(
    operation: &OperationDefinition,
    argument: &str,
    value: &Value,
    expected: &Type,
    schema: &SchemaIndex,
) -> Result<(), GraphqlError> {
    match (value, &expected.base) {
        (Value::Variable(name), _) => {
            let definition =
                operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name);
            let Some(definition) = definition else {
                return Ok(());
            };
            let mut actual = definition.node.var_type.node.clone();
            // A variable with a default is never null.
            actual.nullable &= definition.node.default_value.is_none();
            if is_compatible(&actual, expected) {
                return Ok(());
            }
            let message =
                format!("Type mismatch on variable ${name} and argument {argument} ({actual} / {expected})");
            Err(GraphqlError::new(&message, "variableMismatch"))
        }
        (Value::List(items), BaseType::List(inner)) => {
            items.iter().try_for_each(|item| check_value(operation, argument, item, inner, schema))
        }
        (Value::Object(entries), BaseType::Named(input)) => {
            entries.iter().try_for_each(|(name, item)| match schema.input_field(input, name) {
                Some(expected) => check_value(operation, name, item, expected, schema),
                None => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn is_compatible(actual: &Type, expected: &Type) -> bool {
    (expected.nullable || !actual.nullable)
        && match (&actual.base, &expected.base) {
            (BaseType::Named(actual), BaseType::Named(expected)) => actual == expected,
            (BaseType::List(actual), BaseType::List(expected)) => is_compatible(actual, expected),
            _ => false,
        }
}
