//! Errors in a GraphQL response, read leniently: the specification makes almost everything in them optional, and a
//! malformed error must not cost the data beside it.

use serde_json::Value;
use serde_json::value::RawValue;

/// Text of an error that has no message.
const NO_MESSAGE: &str = "an error without a message";

/// Element of a response's `errors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphqlError {
    /// Message of the error; a placeholder where it has none.
    pub message: String,
    /// Code in its `extensions`, such as `undefinedField`.
    pub code: Option<String>,
}

impl GraphqlError {
    fn of_value(value: &Value) -> Self {
        let text = |value: Option<&Value>| match value {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let message = text(value.get("message")).or_else(|| text(Some(value)));
        let code = text(value.pointer("/extensions/code")).or_else(|| text(value.get("code")));
        Self {
            message: message.filter(|text| !text.trim().is_empty()).unwrap_or_else(|| NO_MESSAGE.to_owned()),
            code: code.filter(|code| !code.trim().is_empty()),
        }
    }
}

/// Reads `errors`: a list with elements of any form, or a single error. None where it is empty.
#[must_use]
pub fn parse_errors(errors: Option<&RawValue>) -> Vec<GraphqlError> {
    match errors.and_then(|errors| serde_json::from_str(errors.get()).ok()) {
        None | Some(Value::Null | Value::Bool(false)) => Vec::new(),
        Some(Value::Array(errors)) => errors.iter().map(GraphqlError::of_value).collect(),
        Some(Value::Object(fields)) if fields.is_empty() => Vec::new(),
        Some(Value::String(text)) if text.trim().is_empty() => Vec::new(),
        Some(error) => vec![GraphqlError::of_value(&error)],
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Errors<'a> {
        #[serde(borrow)]
        errors: Option<&'a RawValue>,
    }

    #[test]
    fn errors_of_any_form_are_read_beside_data() {
        let messages = |errors: &str| {
            let text = format!(r#"{{"data":{{"x":1}},"errors":{errors}}}"#);
            let response: Option<Errors<'_>> = serde_json::from_str(&text).ok();
            let errors = response.map(|response| parse_errors(response.errors));
            errors.map(|errors| errors.into_iter().map(|error| error.message).collect::<Vec<_>>())
        };
        for none in ["null", "[]", "{}", "\"\"", "false"] {
            assert_eq!(messages(none), Some(Vec::new()), "{none}");
        }
        for unnamed in
            ["[null]", r#"[{"message":null}]"#, "[{}]", "[[]]", "[true]", r#"[{"message":{"a":1}}]"#, "true"]
        {
            assert_eq!(messages(unnamed), Some(vec![NO_MESSAGE.to_owned()]), "{unnamed}");
        }
        for named in [r#"["text"]"#, r#"[{"message":"text"}]"#, r#""text""#, r#"{"message":"text"}"#] {
            assert_eq!(messages(named), Some(vec!["text".to_owned()]), "{named}");
        }
    }

    #[test]
    fn code_of_an_error_is_read_where_it_stands() {
        for (error, code) in [
            (r#"{"extensions":{"code":"THROTTLED"}}"#, Some("THROTTLED")),
            (r#"{"code":"THROTTLED"}"#, Some("THROTTLED")),
            (r#"{"extensions":{"code":429}}"#, Some("429")),
            (r#"{"extensions":null}"#, None),
            (r#"{"extensions":"x"}"#, None),
        ] {
            let Ok(value) = serde_json::from_str::<Value>(error) else { panic!() };
            assert_eq!(GraphqlError::of_value(&value).code.as_deref(), code, "{error}");
        }
    }
}
