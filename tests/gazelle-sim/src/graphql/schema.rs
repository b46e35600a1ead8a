//! Served schema, built from the schema file.

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

use crate::datetime;

/// Schema of the real API, as its introspection returned it.
pub const SCHEMA_SDL: &str = include_str!("../../gazelle-schema.graphql");

/// Enum values added to those of the schema file, as (enum, value); the data contains them.
pub const ADDED_ENUM_VALUES: &[(&str, &str)] = &[
    ("ClientStatus", "DORMANT"),
    ("PianoType", "PLAYER_GRAND"),
    ("TimelineEntryType", "VOICE_NOTE"),
    ("InvoiceStatus", "IN_COLLECTION"),
    ("EventStatus", "RESCHEDULED"),
];

/// Failure to load the schema file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SchemaError {
    #[error("could not parse the schema file")]
    Parse(#[from] async_graphql::parser::Error),
    #[error("could not build the schema")]
    Build(#[from] async_graphql::dynamic::SchemaError),
    #[error("type {0} is an interface or a union, which are not supported")]
    UnsupportedType(String),
}

/// Properties of a field that execution needs.
pub(super) struct FieldInfo {
    /// Types of the arguments by name.
    arguments: HashMap<String, Type>,
    /// Type of the value or of the list's elements.
    pub(super) inner_type: String,
    pub(super) is_list: bool,
    /// Replacement for a missing value: null or, for a non-null type, an empty value.
    pub(super) default: DefaultValue,
}

/// Replacement for a value that a record lacks.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum DefaultValue {
    /// JSON text to write.
    Literal(String),
    /// Object whose fields have their default values.
    EmptyRecord,
}

/// Index of the object, input and enum types by name.
pub(super) struct SchemaIndex {
    /// Name of the query root type.
    pub(super) query_type: String,
    objects: HashMap<String, HashMap<String, FieldInfo>>,
    inputs: HashMap<String, HashMap<String, Type>>,
    enums: HashMap<String, Vec<String>>,
}

impl SchemaIndex {
    /// Returns the properties of a field of an object type.
    pub(super) fn field(&self, type_name: &str, field_name: &str) -> Option<&FieldInfo> {
        self.objects.get(type_name)?.get(field_name)
    }

    /// Returns the fields of an object type, sorted by name.
    pub(super) fn fields(&self, type_name: &str) -> Vec<(&str, &FieldInfo)> {
        let fields = self.objects.get(type_name).into_iter().flatten();
        let mut fields: Vec<_> = fields.map(|(name, info)| (name.as_str(), info)).collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        fields
    }

    /// Returns the values of an enum in the schema file; empty for any other type.
    pub(super) fn enum_values(&self, type_name: &str) -> &[String] {
        self.enums.get(type_name).map_or(&[], Vec::as_slice)
    }

    /// Returns the type of an argument of a field.
    pub(super) fn argument(&self, type_name: &str, field_name: &str, argument: &str) -> Option<&Type> {
        self.field(type_name, field_name)?.arguments.get(argument)
    }

    /// Returns the type of a field of an input type.
    pub(super) fn input_field(&self, type_name: &str, field_name: &str) -> Option<&Type> {
        self.inputs.get(type_name)?.get(field_name)
    }

    /// Returns true if this is an object type.
    pub(super) fn is_object(&self, type_name: &str) -> bool {
        self.objects.contains_key(type_name)
    }
}

/// Loads the schema file: the index and the builder of the library's schema.
pub(super) fn load() -> Result<(SchemaIndex, SchemaBuilder), SchemaError> {
    let document = parse_schema(SCHEMA_SDL)?;
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
    let index = SchemaIndex {
        query_type,
        objects: object_fields(&kinds),
        inputs: input_fields(&kinds),
        enums: enum_values(&kinds),
    };
    Ok((index, builder))
}

fn register(builder: SchemaBuilder, name: &str, kind: &TypeKind) -> Result<SchemaBuilder, SchemaError> {
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
            return Err(SchemaError::UnsupportedType(name.to_owned()));
        }
    })
}

fn scalar(name: &str) -> Scalar {
    let scalar = Scalar::new(name);
    let accepts: fn(&str) -> bool = match name {
        "CoreDate" => |text| datetime::parse_day(text).is_some(),
        "CoreDateTime" => |text| datetime::parse_lenient(text).is_some(),
        _ => return scalar,
    };
    scalar.validator(move |value| match value {
        Value::String(text) => accepts(text),
        value => *value == Value::Null,
    })
}

/// Creates a field whose resolver never runs, because `execute` writes the response.
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

fn object_fields(kinds: &[(String, TypeKind)]) -> HashMap<String, HashMap<String, FieldInfo>> {
    let by_name: HashMap<&str, &TypeKind> = kinds.iter().map(|(name, kind)| (name.as_str(), kind)).collect();
    let mut objects = HashMap::new();
    for (type_name, kind) in kinds {
        let TypeKind::Object(object) = kind else {
            continue;
        };
        let fields = object.fields.iter().map(|field| {
            let field = &field.node;
            let info = FieldInfo {
                arguments: argument_types(&field.arguments),
                inner_type: inner_type(&field.ty.node).to_owned(),
                is_list: matches!(field.ty.node.base, BaseType::List(_)),
                default: default_value(&field.ty.node, &by_name),
            };
            (field.name.node.to_string(), info)
        });
        objects.insert(type_name.clone(), fields.collect());
    }
    objects
}

fn input_fields(kinds: &[(String, TypeKind)]) -> HashMap<String, HashMap<String, Type>> {
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

fn default_value(ty: &Type, kinds: &HashMap<&str, &TypeKind>) -> DefaultValue {
    let literal = |text: &str| DefaultValue::Literal(text.to_owned());
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
        (_, Some(TypeKind::Object(_))) => DefaultValue::EmptyRecord,
        _ => literal("\"\""),
    }
}
