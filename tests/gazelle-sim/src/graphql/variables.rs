//! Checks variables where the library does not: that a required one has a value, and that each fits
//! where it is used (the library has that rule, but release 7.2.1 never runs it).

use async_graphql::parser::types::{BaseType, Field, OperationDefinition, Type};
use async_graphql_value::Value;

use super::{Refusal, sdl::Shapes};

/// Refuses a required variable without a value.
pub(super) fn check_required(
    operation: &OperationDefinition,
    has_value: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    for definition in &operation.variable_definitions {
        let (name, ty) = (&definition.node.name.node, &definition.node.var_type.node);
        if !ty.nullable && !has_value(name) {
            let message = format!("Variable ${name} of type {ty} was provided invalid value");
            return Err(Refusal::new(&message, "variableInvalid"));
        }
    }
    Ok(())
}

/// Refuses a variable in an argument of another type.
pub(super) fn check_usage(
    operation: &OperationDefinition,
    field: &Field,
    type_name: &str,
    shapes: &Shapes,
) -> Result<(), Refusal> {
    for (name, value) in &field.arguments {
        if let Some(expected) = shapes.argument(type_name, &field.name.node, &name.node) {
            check_value(operation, &name.node, &value.node, expected, shapes)?;
        }
    }
    Ok(())
}

fn check_value(
    operation: &OperationDefinition,
    argument: &str,
    value: &Value,
    expected: &Type,
    shapes: &Shapes,
) -> Result<(), Refusal> {
    match (value, &expected.base) {
        (Value::Variable(name), _) => {
            let definition =
                operation.variable_definitions.iter().find(|definition| definition.node.name.node == *name);
            let Some(definition) = definition else {
                return Ok(());
            };
            let mut actual = definition.node.var_type.node.clone();
            // A nullable variable with a default is never null.
            actual.nullable &= definition.node.default_value.is_none();
            if fits(&actual, expected) {
                return Ok(());
            }
            let message =
                format!("Type mismatch on variable ${name} and argument {argument} ({actual} / {expected})");
            Err(Refusal::new(&message, "variableMismatch"))
        }
        (Value::List(items), BaseType::List(inner)) => {
            items.iter().try_for_each(|item| check_value(operation, argument, item, inner, shapes))
        }
        (Value::Object(entries), BaseType::Named(input)) => {
            entries.iter().try_for_each(|(name, item)| match shapes.input_field(input, name) {
                Some(expected) => check_value(operation, name, item, expected, shapes),
                None => Ok(()),
            })
        }
        _ => Ok(()),
    }
}

fn fits(actual: &Type, expected: &Type) -> bool {
    (expected.nullable || !actual.nullable)
        && match (&actual.base, &expected.base) {
            (BaseType::Named(actual), BaseType::Named(expected)) => actual == expected,
            (BaseType::List(actual), BaseType::List(expected)) => fits(actual, expected),
            _ => false,
        }
}
