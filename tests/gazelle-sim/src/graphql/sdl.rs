//! Builds the served schema from the schema file, so that the schema is the file.

use std::collections::HashMap;

use async_graphql::{
    Positioned, Value,
    dynamic::{
        Enum, Field, FieldFuture, InputObject, InputValue, Object, Scalar, Schema, SchemaBuilder, TypeRef,
    },
    parser::{
        parse_schema,
        types::{BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition},
    },
};

use crate::clock;

/// The schema, as an introspection of the real API showed it.
pub const SCHEMA_SDL: &str = include_str!("../../gazelle-schema.graphql");

/// Enum values that came after the introspection, as real enums grow: (enum, value). The data uses them.
pub const ADDED_ENUM_VALUES: &[(&str, &str)] = &[
    ("ClientStatus", "DORMANT"),
    ("PianoType", "PLAYER_GRAND"),
    ("TimelineEntryType", "VOICE_NOTE"),
    ("InvoiceStatus", "IN_COLLECTION"),
    ("EventStatus", "RESCHEDULED"),
];

/// What an answer needs to know of a field.
pub(super) struct FieldShape {
    /// The types of the arguments.
    arguments: HashMap<String, Type>,
    /// The type that the field's value, or each element of it, has.
    pub(super) inner_type: String,
    /// Whether the value is a list.
    pub(super) is_list: bool,
    /// What stands for a missing value: `null`, or the emptiest value of a non-null type.
    pub(super) missing: Missing,
}

/// What stands for a value that a record does not have.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Missing {
    /// This JSON text.
    Literal(String),
    /// A record without any field set.
    Record,
}

/// The fields of the object types.
pub(super) struct Shapes {
    /// The type of the query root.
    pub(super) query_type: String,
    objects: HashMap<String, HashMap<String, FieldShape>>,
    inputs: HashMap<String, HashMap<String, Type>>,
    enums: HashMap<String, Vec<String>>,
}

impl Shapes {
    /// The shape of a field of an object type.
    pub(super) fn field(&self, type_name: &str, field_name: &str) -> Option<&FieldShape> {
        self.objects.get(type_name)?.get(field_name)
    }

    /// The fields of an object type, in the order of their names.
    pub(super) fn fields(&self, type_name: &str) -> Vec<(&str, &FieldShape)> {
        let fields = self.objects.get(type_name).into_iter().flatten();
        let mut fields: Vec<_> = fields.map(|(name, shape)| (name.as_str(), shape)).collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        fields
    }

    /// The values of an enum in the schema file; of any other type, none.
    pub(super) fn enum_values(&self, type_name: &str) -> &[String] {
        self.enums.get(type_name).map_or(&[], Vec::as_slice)
    }

    /// The type of an argument of a field.
    pub(super) fn argument(&self, type_name: &str, field_name: &str, argument: &str) -> Option<&Type> {
        self.field(type_name, field_name)?.arguments.get(argument)
    }

    /// The type of a field of an input type.
    pub(super) fn input_field(&self, type_name: &str, field_name: &str) -> Option<&Type> {
        self.inputs.get(type_name)?.get(field_name)
    }

    /// Whether values of this type have fields.
    pub(super) fn is_object(&self, type_name: &str) -> bool {
        self.objects.contains_key(type_name)
    }
}

/// Reads the schema file.
pub(super) fn load() -> Result<(Shapes, SchemaBuilder), String> {
    let document = parse_schema(SCHEMA_SDL).map_err(|error| error.to_string())?;
    let mut query_type = "Query".to_owned();
    let mut kinds: Vec<(String, TypeKind)> = Vec::new();
    for definition in document.definitions {
        match definition {
            TypeSystemDefinition::Schema(schema) => {
                if let Some(query) = &schema.node.query {
                    query_type = query.node.to_string();
                }
            }
            TypeSystemDefinition::Type(definition) => {
                kinds.push((definition.node.name.node.to_string(), definition.node.kind));
            }
            TypeSystemDefinition::Directive(_) => {}
        }
    }
    let mut builder = Schema::build(&query_type, None, None);
    for (name, kind) in &kinds {
        builder = register(builder, name, kind)?;
    }
    let shapes = Shapes {
        query_type,
        objects: object_shapes(&kinds),
        inputs: input_shapes(&kinds),
        enums: enum_values(&kinds),
    };
    Ok((shapes, builder))
}

fn register(builder: SchemaBuilder, name: &str, kind: &TypeKind) -> Result<SchemaBuilder, String> {
    Ok(match kind {
        TypeKind::Scalar => builder.register(scalar(name)),
        TypeKind::Object(object) => builder.register(
            object.fields.iter().fold(Object::new(name), |object, field| object.field(output(&field.node))),
        ),
        TypeKind::Enum(definition) => {
            let known = definition.values.iter().map(|value| value.node.value.node.as_str());
            let added = ADDED_ENUM_VALUES.iter().filter(|(of, _)| *of == name).map(|(_, value)| *value);
            builder.register(known.chain(added).fold(Enum::new(name), Enum::item))
        }
        TypeKind::InputObject(input) => builder.register(
            input
                .fields
                .iter()
                .fold(InputObject::new(name), |object, field| object.field(argument(&field.node))),
        ),
        TypeKind::Interface(_) | TypeKind::Union(_) => {
            return Err(format!("{name}: interfaces and unions are not simulated"));
        }
    })
}

fn scalar(name: &str) -> Scalar {
    let scalar = Scalar::new(name);
    let accepts: fn(&str) -> bool = match name {
        "CoreDate" => |text| clock::day(text).is_some(),
        "CoreDateTime" => |text| clock::parse_lenient(text).is_some(),
        _ => return scalar,
    };
    scalar.validator(move |value| match value {
        Value::String(text) => accepts(text),
        value => *value == Value::Null,
    })
}

/// A field of the schema. Its resolver never runs: `execute` answers.
fn output(definition: &FieldDefinition) -> Field {
    let field = Field::new(definition.name.node.as_str(), type_ref(&definition.ty.node), |_| {
        FieldFuture::Value(None)
    });
    definition.arguments.iter().fold(field, |field, input| field.argument(argument(&input.node)))
}

fn argument(definition: &InputValueDefinition) -> InputValue {
    let input = InputValue::new(definition.name.node.as_str(), type_ref(&definition.ty.node));
    match &definition.default_value {
        Some(value) => input.default_value(value.node.clone()),
        None => input,
    }
}

fn type_ref(ty: &Type) -> TypeRef {
    let base = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.as_str()),
        BaseType::List(inner) => TypeRef::List(Box::new(type_ref(inner))),
    };
    if ty.nullable { base } else { TypeRef::NonNull(Box::new(base)) }
}

fn object_shapes(kinds: &[(String, TypeKind)]) -> HashMap<String, HashMap<String, FieldShape>> {
    let by_name: HashMap<&str, &TypeKind> = kinds.iter().map(|(name, kind)| (name.as_str(), kind)).collect();
    let mut objects = HashMap::new();
    for (type_name, kind) in kinds {
        let TypeKind::Object(object) = kind else {
            continue;
        };
        let fields = object.fields.iter().map(|field| {
            let field = &field.node;
            let shape = FieldShape {
                arguments: argument_types(&field.arguments),
                inner_type: inner_type(&field.ty.node).to_owned(),
                is_list: matches!(field.ty.node.base, BaseType::List(_)),
                missing: missing(&field.ty.node, &by_name),
            };
            (field.name.node.to_string(), shape)
        });
        objects.insert(type_name.clone(), fields.collect());
    }
    objects
}

fn input_shapes(kinds: &[(String, TypeKind)]) -> HashMap<String, HashMap<String, Type>> {
    let inputs = kinds.iter().filter_map(|(name, kind)| match kind {
        TypeKind::InputObject(input) => Some((name.clone(), argument_types(&input.fields))),
        _ => None,
    });
    inputs.collect()
}

fn enum_values(kinds: &[(String, TypeKind)]) -> HashMap<String, Vec<String>> {
    let enums = kinds.iter().filter_map(|(name, kind)| match kind {
        TypeKind::Enum(definition) => {
            let values = definition.values.iter().map(|value| value.node.value.node.to_string());
            Some((name.clone(), values.collect()))
        }
        _ => None,
    });
    enums.collect()
}

fn argument_types(definitions: &[Positioned<InputValueDefinition>]) -> HashMap<String, Type> {
    definitions
        .iter()
        .map(|definition| (definition.node.name.node.to_string(), definition.node.ty.node.clone()))
        .collect()
}

fn inner_type(ty: &Type) -> &str {
    match &ty.base {
        BaseType::Named(name) => name,
        BaseType::List(inner) => inner_type(inner),
    }
}

fn missing(ty: &Type, kinds: &HashMap<&str, &TypeKind>) -> Missing {
    let literal = |text: &str| Missing::Literal(text.to_owned());
    if ty.nullable {
        return literal("null");
    }
    let BaseType::Named(name) = &ty.base else {
        return literal("[]");
    };
    match (name.as_str(), kinds.get(name.as_str())) {
        ("Int", _) => literal("0"),
        ("Float", _) => literal("0.0"),
        ("Boolean", _) => literal("false"),
        ("CoreDate", _) => literal("\"2020-01-01\""),
        ("CoreDateTime", _) => literal("\"2020-01-01T05:00:00Z\""),
        ("I18nString" | "JSON", _) => literal("{}"),
        (_, Some(TypeKind::Enum(definition))) => {
            let first = definition.values.first().map_or("", |value| value.node.value.node.as_str());
            literal(&format!("\"{first}\""))
        }
        (_, Some(TypeKind::Object(_))) => Missing::Record,
        _ => literal("\"\""),
    }
}
