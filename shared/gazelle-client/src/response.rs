//! Result of one attempt, read from the status and the body of a response.
//!
//! The body decides before the status does: Gazelle reports most of its troubles with the status 200.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::graphql_error::{GraphqlError, parse_errors};
use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::error::{ApiError, AttemptError, Refusal};
use crate::error_code::{CodeClass, code_class};

/// Characters kept of a GraphQL error's message: it may quote the value that it complains about.
const MESSAGE_CHARACTERS_MAX: usize = 200;
/// Characters kept of a GraphQL error's code, which is one word.
const CODE_CHARACTERS_MAX: usize = 60;
/// Attempts at a request whose status hardly ever passes: an address that is missing during a deployment.
pub(crate) const DOUBTFUL_ATTEMPTS_MAX: u32 = 3;

/// Result of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// The body of a response that holds data.
    Answered(String),
    /// Another attempt may succeed.
    Retry {
        /// Error of this attempt.
        error: AttemptError,
        /// Pause that the response asks for.
        pause: Option<Duration>,
        /// Request of Gazelle that every client of this key slows down (429, any status with `Retry-After`, or a code
        /// such as `THROTTLED`).
        is_throttled: bool,
    },
    /// Gazelle refused the key or token.
    Refused(Refusal),
    /// No further attempt can succeed.
    Final(ApiError),
}

impl Attempt {
    /// Returns the result of an attempt that failed and asks for no particular pause.
    pub(crate) fn retry(error: AttemptError) -> Self {
        Self::Retry { error, pause: None, is_throttled: false }
    }
}

/// Shape that the data of a response must have to be of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Any data.
    Data,
    /// One list of records.
    Listing,
}

/// Parts of a response that decide on its use, beside its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) status: StatusCode,
    /// Value of the header `Content-Type`.
    pub(crate) content_type: &'a str,
    /// Value of the header `Location` of a redirect.
    pub(crate) location: &'a str,
    /// Pause that the response asks for.
    pub(crate) pause: Option<Duration>,
}

/// Parts of a GraphQL response that decide on its use; the data itself is kept as text.
#[derive(Deserialize)]
struct Outline<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    errors: Option<&'a RawValue>,
}

/// Returns the result of an attempt.
///
/// A partial response, data beside errors, is kept: whoever reads it sees its errors.
pub(crate) fn classify_response(head: &Head<'_>, body: String, expected: Expected) -> Attempt {
    let outline: Option<Outline<'_>> = serde_json::from_str(&body).ok();
    let errors = outline.as_ref().map(|outline| parse_errors(outline.errors)).unwrap_or_default();
    let has_data = outline
        .as_ref()
        .and_then(|outline| outline.data)
        .is_some_and(|data| is_usable(data, !errors.is_empty(), expected));
    let is_graphql = outline.is_some_and(|outline| outline.data.is_some()) || !errors.is_empty();
    if head.status.is_success() && has_data {
        return Attempt::Answered(body);
    }
    if let Some(decided) = classify_errors(&errors, head) {
        return decided;
    }
    if !head.status.is_success() {
        return classify_status(head);
    }
    match errors.first() {
        Some(error) => Attempt::Retry { error: no_data(error), pause: head.pause, is_throttled: false },
        None if is_graphql => Attempt::retry(AttemptError::Empty),
        None if is_login_page(head.content_type, &body) => Attempt::Refused(Refusal::LoginPage),
        None if serde_json::from_str::<Value>(&body).is_ok() => Attempt::retry(AttemptError::Empty),
        None => Attempt::retry(AttemptError::NotJson),
    }
}

/// Returns whether the data can be used. Beside errors, data without any record is none: Gazelle could not read it.
fn is_usable(data: &RawValue, has_errors: bool, expected: Expected) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Connection<'a> {
        #[serde(borrow)]
        nodes: Option<&'a RawValue>,
        total_count: Option<Value>,
    }
    let Ok(fields) = serde_json::from_str::<BTreeMap<String, &RawValue>>(data.get()) else { return false };
    let mut present = fields.values().filter(|value| value.get() != "null").peekable();
    if present.peek().is_none() {
        return !has_errors && expected == Expected::Data && !fields.is_empty();
    }
    expected == Expected::Data
        || present.any(|value| {
            // Any other shape is for the reader of the listing to judge.
            let is_object = value.get().starts_with('{');
            match serde_json::from_str::<Connection<'_>>(value.get()) {
                Ok(Connection { nodes: None, total_count }) if is_object => {
                    !has_errors && total_count.and_then(|count| count.as_u64()).is_none_or(|count| count == 0)
                }
                _ => true,
            }
        })
}

/// Returns the result that the errors of a response decide, whatever its status is; none if they do not.
fn classify_errors(errors: &[GraphqlError], head: &Head<'_>) -> Option<Attempt> {
    let first = |class| errors.iter().find(|error| code_class(error) == class);
    if first(CodeClass::Credentials).is_some() {
        let is_told_by_status = matches!(head.status.as_u16(), 401 | 403);
        let refusal =
            if is_told_by_status { Refusal::Status(head.status) } else { Refusal::Code(head.status) };
        return Some(Attempt::Refused(refusal));
    }
    if let Some(error) = first(CodeClass::Throttled) {
        return Some(Attempt::Retry { error: no_data(error), pause: head.pause, is_throttled: true });
    }
    first(CodeClass::Schema).map(|error| {
        let (code, message) = shortened(error);
        Attempt::Final(ApiError::Schema { code, message })
    })
}

/// Returns the result that a status other than success decides.
fn classify_status(head: &Head<'_>) -> Attempt {
    let Head { status, pause, .. } = *head;
    let retry = |is_throttled| Attempt::Retry { error: AttemptError::Status(status), pause, is_throttled };
    match status.as_u16() {
        401 | 403 | 407 | 511 => Attempt::Refused(Refusal::Status(status)),
        300..=399 if leads_to_login(status, head.location) => Attempt::Refused(Refusal::Redirect(status)),
        429 => retry(true),
        // Timeouts, conflicts and locks of a moment; 421, 460 and 499 come from proxies that lost their way.
        408 | 409 | 421 | 423 | 424 | 425 | 460 | 499 | 500.. => retry(pause.is_some()),
        404 | 410 => Attempt::Retry { error: AttemptError::Missing(status), pause, is_throttled: false },
        _ => Attempt::Final(ApiError::Status(status)),
    }
}

/// Words of a page, or of an address, that asks a person to log in.
const LOGIN_WORDS: [&str; 14] = [
    "login", "log in", "log_in", "logon", "signin", "sign in", "sign_in", "sign-in", "session", "oauth",
    "password", "mot de passe", "connexion", "connecter",
];
/// Words of a page that reports an outage.
const OUTAGE_WORDS: [&str; 10] = [
    "maintenance",
    "unavailable",
    "indisponible",
    "something went wrong",
    "went wrong",
    "error",
    "erreur",
    "temporar",
    "just a moment",
    "try again",
];

fn contains_any(text: &str, words: &[&str]) -> bool {
    let text = text.to_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Returns whether a page of success is one on which a person would log in, as Gazelle shows it to an expired key. A
/// page that speaks of an outage instead may pass by itself.
fn is_login_page(content_type: &str, body: &str) -> bool {
    let begin: String = body.trim_start_matches('\u{feff}').trim_start().chars().take(15).collect();
    let begin = begin.to_lowercase();
    let is_html = content_type.to_lowercase().contains("html")
        || begin.starts_with("<!doctype")
        || begin.starts_with("<html");
    is_html && (contains_any(body, &LOGIN_WORDS) || !contains_any(body, &OUTAGE_WORDS))
}

/// Returns whether a redirect leads to a login. 302 and 303 are how a page sends a browser there; the others tell that
/// the API has moved, unless their address says otherwise.
fn leads_to_login(status: StatusCode, location: &str) -> bool {
    matches!(status, StatusCode::FOUND | StatusCode::SEE_OTHER) || contains_any(location, &LOGIN_WORDS)
}

fn no_data(error: &GraphqlError) -> AttemptError {
    let (code, message) = shortened(error);
    let code = if code.is_empty() { String::new() } else { format!("{code}: ") };
    AttemptError::NoData(format!("{code}{message}"))
}

fn shortened(error: &GraphqlError) -> (String, String) {
    let code = error.code.as_deref().unwrap_or_default();
    (
        code.chars().take(CODE_CHARACTERS_MAX).collect(),
        error.message.chars().take(MESSAGE_CHARACTERS_MAX).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: Head<'static> =
        Head { status: StatusCode::OK, content_type: "application/json", location: "", pause: None };

    fn classified(body: &str, expected: Expected) -> Attempt {
        classify_response(&JSON, body.to_owned(), expected)
    }

    fn of_status(status: u16, location: &'static str, body: &str) -> Attempt {
        let status = StatusCode::from_u16(status).unwrap_or_default();
        let head = Head { status, location, ..JSON };
        classify_response(&head, body.to_owned(), Expected::Data)
    }

    fn coded(code: &str) -> String {
        format!(r#"{{"data":null,"errors":[{{"message":"m","extensions":{{"code":"{code}"}}}}]}}"#)
    }

    #[test]
    fn partial_response_is_kept_whatever_form_its_errors_have() {
        for errors in [
            r#"[{"message":"m"}]"#,
            "[null]",
            r#"[{"message":null}]"#,
            r#"["text"]"#,
            r#""text""#,
            "{}",
            "[]",
            "null",
        ] {
            let body = format!(r#"{{"data":{{"all":{{"nodes":[{{"id":"a"}}]}}}},"errors":{errors}}}"#);
            assert!(matches!(classified(&body, Expected::Listing), Attempt::Answered(_)), "{errors}");
        }
    }

    #[test]
    fn known_schema_codes_alone_are_a_schema_change() {
        for code in ["undefinedField", "argumentNotAccepted", "GRAPHQL_VALIDATION_FAILED"] {
            let Attempt::Final(ApiError::Schema { code: told, .. }) =
                classified(&coded(code), Expected::Data)
            else {
                panic!("{code}")
            };
            assert_eq!(told, code);
        }
        for code in ["INTERNAL_SERVER_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT", "a_code_of_tomorrow", ""] {
            let attempt = classified(&coded(code), Expected::Data);
            assert!(matches!(attempt, Attempt::Retry { is_throttled: false, .. }), "{code}: {attempt:?}");
        }
        for code in ["THROTTLED", "throttled", "RATE_LIMITED", "TOO_MANY_REQUESTS", "MAX_COST_EXCEEDED"] {
            let attempt = classified(&coded(code), Expected::Data);
            assert!(matches!(attempt, Attempt::Retry { is_throttled: true, .. }), "{code}: {attempt:?}");
        }
        for code in ["UNAUTHENTICATED", "unauthorized", "FORBIDDEN", "INVALID_TOKEN", "token_expired"] {
            let attempt = classified(&coded(code), Expected::Data);
            assert!(matches!(attempt, Attempt::Refused(Refusal::Code(_))), "{code}: {attempt:?}");
        }
    }

    #[test]
    fn body_decides_before_the_status() {
        assert!(matches!(
            of_status(400, "", &coded("undefinedField")),
            Attempt::Final(ApiError::Schema { .. })
        ));
        assert!(matches!(of_status(400, "", &coded("UNAUTHENTICATED")), Attempt::Refused(_)));
        assert!(matches!(of_status(500, "", &coded("THROTTLED")), Attempt::Retry { is_throttled: true, .. }));
        assert!(matches!(
            of_status(422, "", &coded("undefinedField")),
            Attempt::Final(ApiError::Schema { .. })
        ));
        assert!(matches!(of_status(503, "", "<html>"), Attempt::Retry { .. }));
    }

    #[test]
    fn data_without_records_is_none_beside_errors() {
        let error = r#""errors":[{"message":"m"}]"#;
        for body in [
            format!(r#"{{"data":null,{error}}}"#),
            format!("{{{error}}}"),
            format!(r#"{{"data":{{"all":null}},{error}}}"#),
            format!(r#"{{"data":{{"all":{{"nodes":null,"pageInfo":{{"hasNextPage":true}}}}}},{error}}}"#),
        ] {
            assert!(matches!(classified(&body, Expected::Listing), Attempt::Retry { .. }), "{body}");
        }
        for body in [
            r#"{"data":null}"#,
            "{}",
            "[]",
            "7",
            r#"{"data":{"all":null}}"#,
            r#"{"data":{"all":{"nodes":null,"totalCount":3}}}"#,
        ] {
            assert!(matches!(classified(body, Expected::Listing), Attempt::Retry { .. }), "{body}");
        }
        let empty = r#"{"data":{"all":{"nodes":null,"totalCount":0}}}"#;
        assert!(matches!(classified(empty, Expected::Listing), Attempt::Answered(_)));
        // The lookup of an id that no record has.
        assert!(matches!(classified(r#"{"data":{"r0":null}}"#, Expected::Data), Attempt::Answered(_)));
    }

    #[test]
    fn every_status_has_its_class() {
        for status in [
            408, 409, 421, 423, 425, 429, 460, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524, 525, 529,
            599, 404, 410,
        ] {
            assert!(matches!(of_status(status, "", ""), Attempt::Retry { .. }), "{status}");
        }
        for status in [401, 403] {
            assert!(matches!(of_status(status, "", ""), Attempt::Refused(_)), "{status}");
        }
        for (status, location) in [(302, "/"), (303, "/x"), (307, "/users/sign_in"), (301, "https://x/login")]
        {
            assert!(matches!(of_status(status, location, ""), Attempt::Refused(_)), "{status} {location}");
        }
        for (status, location) in
            [(301, "/graphql/private/"), (308, "https://x/"), (400, ""), (405, ""), (413, ""), (415, "")]
        {
            assert!(
                matches!(of_status(status, location, ""), Attempt::Final(ApiError::Status(_))),
                "{status}"
            );
        }
    }

    #[test]
    fn page_of_a_login_is_a_refusal_and_one_of_an_outage_is_not() {
        for page in [
            "<!DOCTYPE html><html><form action='/users/sign_in'>",
            " <html><h1>Connexion</h1>",
            "<html><body></body></html>",
        ] {
            assert!(
                matches!(classified(page, Expected::Data), Attempt::Refused(Refusal::LoginPage)),
                "{page}"
            );
        }
        for page in [
            "<html><h1>Down for maintenance</h1>",
            "<html>We're sorry, but something went wrong",
            "<!-- cache -->{",
            r#"{"data":{"#,
            "",
        ] {
            assert!(matches!(classified(page, Expected::Data), Attempt::Retry { .. }), "{page}");
        }
        let head = Head { content_type: "text/html; charset=utf-8", ..JSON };
        let attempt = classify_response(&head, "Mot de passe".to_owned(), Expected::Data);
        assert!(matches!(attempt, Attempt::Refused(Refusal::LoginPage)), "{attempt:?}");
    }
}
