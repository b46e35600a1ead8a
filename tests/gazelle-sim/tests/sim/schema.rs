//! The served schema is the schema file, and what it does not know it refuses.

use std::collections::BTreeSet;

use async_graphql::parser::{
    parse_schema,
    types::{TypeKind, TypeSystemDefinition},
};
use gazelle_sim::{ADDED_ENUM_VALUES, SCHEMA_SDL};
use serde_json::{Value, json};

use crate::session::{Session, small};

const INTROSPECTION: &str = "{ __schema { queryType { name } mutationType { name } types { kind name
    fields { name type { ...T } args { name type { ...T } } }
    inputFields { name type { ...T } } enumValues { name } } } }
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Every type, field, argument and enum value as one line each.
fn lines_of_file() -> BTreeSet<String> {
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

fn lines_of_introspection(types: &[Value]) -> BTreeSet<String> {
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
async fn the_served_schema_is_the_file_and_the_listed_enum_values() {
    let session = Session::start(small()).await;
    let answer = session.query(INTROSPECTION, json!({})).await;
    let schema = &answer["data"]["__schema"];
    assert_eq!(schema["queryType"]["name"], "PrivateQuery");
    assert_eq!(schema["mutationType"], Value::Null);
    let file = lines_of_file();
    let served = lines_of_introspection(schema["types"].as_array().unwrap());
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
async fn an_unknown_field_fails_the_whole_document_as_undefined_field() {
    let session = Session::start(small()).await;
    let response = session.graphql("query Q { allUsers { id } user { shoeSize } }", json!({})).await;
    assert_eq!(response.status(), 200);
    let answer: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(
        answer,
        json!({"errors": [{
            "message": "Field 'shoeSize' doesn't exist on type 'PrivateUser'",
            "path": ["query Q", "user", "shoeSize"],
            "extensions": {"code": "undefinedField", "typeName": "PrivateUser", "fieldName": "shoeSize"},
        }]})
    );
}

#[tokio::test]
async fn every_invalid_document_is_refused_with_a_code_and_without_data() {
    let session = Session::start(small()).await;
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
        let answer = session.query(query, json!({})).await;
        assert_eq!(answer["errors"][0]["extensions"]["code"], code, "{query}: {answer}");
        assert!(answer.get("data").is_none(), "{query}");
    }
}

/// A selection of all scalar fields of a type and of its object fields, some levels deep.
fn everything(types: &[Value], name: &str, depth: usize) -> String {
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
            let children = everything(types, inner["name"].as_str().unwrap(), depth - 1);
            selection.extend([" ", field_name, " {", &children, " }"]);
        }
    }
    selection
}

#[tokio::test]
async fn any_selection_answers_without_errors_and_without_null_where_none_may_be() {
    let session = Session::start(small()).await;
    let answer = session.query(INTROSPECTION, json!({})).await;
    let types = answer["data"]["__schema"]["types"].as_array().unwrap();
    let query = format!("{{{} }}", everything(types, "PrivateQuery", 4));
    let answer = session.query(&query, json!({})).await;
    assert_eq!(answer.get("errors"), None);
    check_non_null(types, "PrivateQuery", &answer["data"]);
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

fn check_value(types: &[Value], ty: &Value, value: &Value, place: &str) {
    match ty["kind"].as_str().unwrap() {
        "NON_NULL" => {
            assert!(!value.is_null(), "{place} is null");
            check_value(types, &ty["ofType"], value, place);
        }
        _ if value.is_null() => {}
        "LIST" => {
            value.as_array().unwrap().iter().for_each(|item| check_value(types, &ty["ofType"], item, place));
        }
        "OBJECT" => check_non_null(types, ty["name"].as_str().unwrap(), value),
        "ENUM" => {
            let known = types.iter().find(|known| known["name"] == ty["name"]).unwrap();
            let values = known["enumValues"].as_array().unwrap();
            assert!(values.iter().any(|known| known["name"] == *value), "{place}: {value}");
        }
        _ => match ty["name"].as_str().unwrap() {
            "Int" => assert!(value.is_i64(), "{place}: {value}"),
            "Boolean" => assert!(value.is_boolean(), "{place}: {value}"),
            "String" | "ID" | "CoreDate" | "CoreDateTime" => assert!(value.is_string(), "{place}: {value}"),
            _ => {}
        },
    }
}
