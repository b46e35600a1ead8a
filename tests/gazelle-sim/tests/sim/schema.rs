//! Served schema and validation of documents.

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use gazelle_sim::{ADDED_ENUM_VALUES, SCHEMA_SDL};
use serde_json::{Value, json};

use crate::session::{Session, small_config};

const INTROSPECTION: &str = "{ __schema { queryType { name } mutationType { name } types { kind name
    fields { name type { ...T } args { name type { ...T } } }
    inputFields { name type { ...T } } enumValues { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Returns a line for each type, field, argument and enum value of the schema file.
fn file_lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for definition in parse_schema(SCHEMA_SDL).unwrap().definitions {
        let TypeSystemDefinition::Type(definition) = definition else {
            continue;
        };
        let name = definition.node.name.node.to_string();
        match &definition.node.kind {
            TypeKind::Object(object) => {
                for field in &object.fields {
                    let field = &field.node;
                    lines.insert(format!("OBJECT {name}.{}: {}", field.name.node, field.ty.node));
                    for argument in &field.arguments {
                        let argument = &argument.node;
                        lines.insert(format!(
                            "{name}.{}({}: {})",
                            field.name.node, argument.name.node, argument.ty.node
                        ));
                    }
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    lines.insert(format!(
                        "INPUT_OBJECT {name}.{}: {}",
                        field.node.name.node, field.node.ty.node
                    ));
                }
            }
            TypeKind::Enum(definition) => {
                for value in &definition.values {
                    lines.insert(format!("ENUM {name}.{}", value.node.value.node));
                }
            }
            _ => {
                lines.insert(format!("SCALAR {name}"));
            }
        }
    }
    lines
}

fn type_name(ty: &Value) -> String {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => format!("{}!", type_name(&ty["ofType"])),
        "LIST" => format!("[{}]", type_name(&ty["ofType"])),
        _ => ty["name"].as_str().unwrap().to_owned(),
    }
}

fn introspection_lines(types: &[Value]) -> BTreeSet<String> {
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut lines = BTreeSet::new();
    for ty in types {
        let (kind, name) = (text(&ty["kind"]), text(&ty["name"]));
        if name.starts_with("__") {
            continue;
        }
        if kind == "SCALAR" {
            lines.insert(format!("SCALAR {name}"));
        }
        for field in items(&ty["fields"]).iter().chain(&items(&ty["inputFields"])) {
            let field_name = text(&field["name"]);
            lines.insert(format!("{kind} {name}.{field_name}: {}", type_name(&field["type"])));
            for argument in items(&field["args"]) {
                let ty = type_name(&argument["type"]);
                lines.insert(format!("{name}.{field_name}({}: {ty})", text(&argument["name"])));
            }
        }
        for value in items(&ty["enumValues"]) {
            lines.insert(format!("ENUM {name}.{}", text(&value["name"])));
        }
    }
    lines
}

#[tokio::test]
async fn served_schema_equals_file_and_added_enums() {
    let session = Session::start(small_config()).await;
    let body = session.query(INTROSPECTION, json!({})).await;
    let schema = &body["data"]["__schema"];
    assert_eq!(schema["queryType"]["name"], "PrivateQuery");
    assert_eq!(schema["mutationType"], Value::Null);
    let file = file_lines();
    let served = introspection_lines(schema["types"].as_array().unwrap());
    let missing: Vec<_> = file.difference(&served).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let builtin = ["Boolean", "Float", "ID", "Int", "String"].map(|name| format!("SCALAR {name}"));
    let listed = ADDED_ENUM_VALUES.iter().map(|(of, value)| format!("ENUM {of}.{value}"));
    let allowed: BTreeSet<String> = builtin.into_iter().chain(listed).collect();
    let added: BTreeSet<String> = served.difference(&file).cloned().collect();
    assert!(added.is_subset(&allowed), "added: {:?}", added.difference(&allowed));
    assert!(ADDED_ENUM_VALUES.iter().all(|(of, value)| added.contains(&format!("ENUM {of}.{value}"))));
}

#[tokio::test]
async fn unknown_field_fails_whole_document() {
    let session = Session::start(small_config()).await;
    let response = session.graphql("query Q { allUsers { id } user { shoeSize } }", json!({})).await;
    assert_eq!(response.status(), 200);
    let body: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"errors": [{
            "message": "Field 'shoeSize' doesn't exist on type 'PrivateUser'",
            "path": ["query Q", "user", "shoeSize"],
            "extensions": {"code": "undefinedField", "typeName": "PrivateUser", "fieldName": "shoeSize"},
        }]})
    );
}

#[tokio::test]
async fn invalid_document_returns_code_without_data() {
    let session = Session::start(small_config()).await;
    for (query, code) in [
        ("mutation { createClient { id } }", "missingMutationConfiguration"),
        ("{ allClients(size: 3) { totalCount } }", "argumentNotAccepted"),
        ("{ allClients(first: \"3\") { totalCount } }", "argumentLiteralsIncompatible"),
        ("{ allClients }", "selectionMismatch"),
        ("{ allUsers { id { x } } }", "selectionMismatch"),
        ("{ invoice { id } }", "missingRequiredArguments"),
        ("query($n: Int!) { allClients(first: $n) { totalCount } }", "variableInvalid"),
        ("query($n: Int) { allClients { totalCount } }", "variableNotUsed"),
        ("{ allClients(first: $n) { totalCount } }", "variableNotDefined"),
        ("query($n: String) { allClients(first: $n) { totalCount } }", "variableMismatch"),
        ("query($d: String) { allClients(filters: {createdGet: $d}) { totalCount } }", "variableMismatch"),
        ("query($d: String) { allTimelineEntries(occurredAtGet: $d) { totalCount } }", "variableMismatch"),
        ("{ allTimelineEntries(types: [NO_SUCH]) { totalCount } }", "argumentLiteralsIncompatible"),
        (
            "{ allTimelineEntries(occurredAtGet: \"yesterday\") { totalCount } }",
            "argumentLiteralsIncompatible",
        ),
        ("{ allUsers { ...F } }", "undefinedFragment"),
        ("{ allUsers { id ", "parseError"),
        ("{ allClients(filters: {isPaused: true}) { totalCount } }", "notSimulated"),
        ("{ allClients(after: \"nonsense\") { totalCount } }", "invalidCursor"),
    ] {
        let body = session.query(query, json!({})).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], code, "{query}: {body}");
        assert!(body.get("data").is_none(), "{query}");
    }
}

/// Builds a selection of all fields of a type, with objects nested up to `depth` levels.
fn full_selection(types: &[Value], name: &str, depth: usize) -> String {
    let ty = types.iter().find(|ty| ty["name"] == name).unwrap();
    let mut selection = String::from(" __typename");
    for field in ty["fields"].as_array().unwrap() {
        let required = |argument: &Value| argument["type"]["kind"] == "NON_NULL";
        if field["args"].as_array().unwrap().iter().any(required) {
            continue;
        }
        let mut inner = &field["type"];
        while !inner["ofType"].is_null() {
            inner = &inner["ofType"];
        }
        let field_name = field["name"].as_str().unwrap();
        if inner["kind"] != "OBJECT" {
            selection.push(' ');
            selection.push_str(field_name);
        } else if depth > 0 {
            let children = full_selection(types, inner["name"].as_str().unwrap(), depth - 1);
            selection.extend([" ", field_name, " {", &children, " }"]);
        }
    }
    selection
}

#[tokio::test]
async fn full_selection_respects_non_null_types() {
    let session = Session::start(small_config()).await;
    let body = session.query(INTROSPECTION, json!({})).await;
    let types = body["data"]["__schema"]["types"].as_array().unwrap();
    let query = format!("{{{} }}", full_selection(types, "PrivateQuery", 4));
    let body = session.query(&query, json!({})).await;
    assert_eq!(body.get("errors"), None);
    check_non_null(types, "PrivateQuery", &body["data"]);
}

fn check_non_null(types: &[Value], name: &str, value: &Value) {
    let ty = types.iter().find(|ty| ty["name"] == name).unwrap();
    for field in ty["fields"].as_array().unwrap() {
        let field_name = field["name"].as_str().unwrap();
        if let Some(value) = value.get(field_name) {
            check_value(types, &field["type"], value, &format!("{name}.{field_name}"));
        }
    }
}

fn check_value(types: &[Value], ty: &Value, value: &Value, path: &str) {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => {
            assert!(!value.is_null(), "{path} is null");
            check_value(types, &ty["ofType"], value, path);
        }
        _ if value.is_null() => {}
        "LIST" => {
            value.as_array().unwrap().iter().for_each(|item| check_value(types, &ty["ofType"], item, path));
        }
        "OBJECT" => check_non_null(types, ty["name"].as_str().unwrap(), value),
        "ENUM" => {
            let known = types.iter().find(|known| known["name"] == ty["name"]).unwrap();
            let values = known["enumValues"].as_array().unwrap();
            assert!(values.iter().any(|known| known["name"] == *value), "{path}: {value}");
        }
        _ => match ty["name"].as_str().unwrap() {
            "Int" => assert!(value.is_i64(), "{path}: {value}"),
            "Boolean" => assert!(value.is_boolean(), "{path}: {value}"),
            "String" | "ID" | "CoreDate" | "CoreDateTime" => assert!(value.is_string(), "{path}: {value}"),
            _ => {}
        },
    }
}
