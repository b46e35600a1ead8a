//! Result of one attempt, read from the body of a response.

use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::error::{ApiError, AttemptError};

/// Characters kept of a GraphQL error's message: it may quote the value that it complains about.
const MESSAGE_CHARACTERS_MAX: usize = 200;
/// Characters kept of a GraphQL error's code, which is one word.
const CODE_CHARACTERS_MAX: usize = 60;

/// Result of one attempt.
pub(crate) enum Attempt {
    /// The body of a response that holds data.
    Answered(String),
    /// Another attempt may succeed.
    Retry {
        /// Error of this attempt.
        error: AttemptError,
        /// Pause that the response asks for.
        pause: Option<Duration>,
        /// Request of Gazelle that every client of this key slows down (429, or any status with `Retry-After`).
        is_throttled: bool,
    },
    /// Gazelle refused this key or token.
    Unauthorized(SecretString),
    /// No further attempt can succeed.
    Final(ApiError),
}

impl Attempt {
    /// Returns the result of an attempt that failed and asks for no particular pause.
    pub(crate) fn retry(error: AttemptError) -> Self {
        Self::Retry { error, pause: None, is_throttled: false }
    }
}

/// Parts of a GraphQL response that decide on its use; the data itself is kept as text.
#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    data: Option<IgnoredAny>,
    #[serde(default)]
    errors: Option<Vec<GraphqlError>>,
}

#[derive(Deserialize)]
struct GraphqlError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Option<Value>,
}

/// Returns the result of an attempt whose response has this body and a status of success.
///
/// A partial response, data beside errors, is kept: whoever reads it sees its errors.
pub(crate) fn classify_response(body: String) -> Attempt {
    let Ok(outline) = serde_json::from_str::<Outline>(&body) else {
        return Attempt::retry(AttemptError::NotJson);
    };
    if outline.data.is_some() {
        return Attempt::Answered(body);
    }
    let errors = outline.errors.unwrap_or_default();
    let Some(first) = errors.first() else {
        return Attempt::retry(AttemptError::Empty);
    };
    let message: String = first.message.chars().take(MESSAGE_CHARACTERS_MAX).collect();
    let code =
        first.extensions.as_ref().and_then(|extensions| extensions.get("code")).and_then(Value::as_str);
    Attempt::Final(match code {
        Some(code) => ApiError::Schema { code: code.chars().take(CODE_CHARACTERS_MAX).collect(), message },
        None => ApiError::NoData(message),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_response_is_kept_and_schema_error_names_field() {
        assert!(matches!(
            classify_response(r#"{"data":{"x":1},"errors":[{"message":"m"}]}"#.to_owned()),
            Attempt::Answered(_)
        ));
        let schema = classify_response(
            r#"{"errors":[{"message":"Field 'x' doesn't exist on type 'Y'","extensions":{"code":"undefinedField"}}]}"#
                .to_owned(),
        );
        let Attempt::Final(error) = schema else { panic!("not final") };
        assert!(error.to_string().contains("undefinedField") && error.to_string().contains("'x'"), "{error}");
        assert!(matches!(classify_response("<html>".to_owned()), Attempt::Retry { .. }));
        assert!(matches!(classify_response(r#"{"data":{"#.to_owned()), Attempt::Retry { .. }));
        assert!(matches!(classify_response("{}".to_owned()), Attempt::Retry { .. }));
    }
}
