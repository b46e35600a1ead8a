//! Classes of GraphQL errors by their code.

use protocol::graphql_error::GraphqlError;

/// Class of a GraphQL error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeClass {
    /// The document does not fit the schema.
    Schema,
    /// The key or token is refused, or its user may not see this.
    Credentials,
    /// The client must slow down.
    Throttled,
    /// Any other code, or none: another attempt may succeed.
    Other,
}

/// Codes of the static validation of graphql-ruby, and those of Apollo's servers. Letters and digits alone, in lower
/// case.
const SCHEMA: [&str; 42] = [
    "undefinedfield",
    "undefinedtype",
    "undefinedfragment",
    "undefineddirective",
    "undefinedinputobject",
    "argumentnotaccepted",
    "argumentnotunique",
    "argumentliteralsincompatible",
    "missingrequiredarguments",
    "missingrequiredinputobjectattribute",
    "inputfieldnotunique",
    "invalidoneofinputobject",
    "variablemismatch",
    "variablenotdefined",
    "variablenotused",
    "variablenotunique",
    "variablerequiresvalidtype",
    "defaultvalueinvalidtype",
    "defaultvalueinvalidonnonnullvariable",
    "selectionmismatch",
    "fieldconflict",
    "cannotspreadfragment",
    "infiniteloop",
    "anonymousfragment",
    "fragmentnotunique",
    "useanddefinefragment",
    "directivecannotbeapplied",
    "directivenotuniqueforlocation",
    "missingqueryconfiguration",
    "missingmutationconfiguration",
    "missingsubscriptionconfiguration",
    "querycontainsschemadefinitions",
    "uniquelynamedoperations",
    "operationnamerequired",
    "notexecutable",
    "nooperation",
    "graphqlvalidationfailed",
    "graphqlparsefailed",
    "validationerror",
    "parseerror",
    "persistedquerynotsupported",
    "undefinedargument",
];

const CREDENTIALS: [&str; 20] = [
    "unauthenticated",
    "notauthenticated",
    "authenticationerror",
    "authenticationfailed",
    "authenticationrequired",
    "loginrequired",
    "unauthorized",
    "unauthorised",
    "notauthorized",
    "authorizationerror",
    "forbidden",
    "accessdenied",
    "permissiondenied",
    "invalidtoken",
    "invalidaccesstoken",
    "tokeninvalid",
    "tokenexpired",
    "expiredtoken",
    "invalidapikey",
    "401",
];

const THROTTLED: [&str; 14] = [
    "throttled",
    "throttle",
    "ratelimited",
    "ratelimit",
    "ratelimitexceeded",
    "ratelimiterror",
    "toomanyrequests",
    "maxcostexceeded",
    "costlimitexceeded",
    "quotaexceeded",
    "slowdown",
    "overloaded",
    "concurrencylimitexceeded",
    "429",
];

/// Returns the class of an error. Without a code, the message of a validator is recognised.
pub(crate) fn code_class(error: &GraphqlError) -> CodeClass {
    let Some(code) = &error.code else { return message_class(&error.message) };
    let code: String = code
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|character| character.to_ascii_lowercase())
        .collect();
    let code = code.as_str();
    if SCHEMA.contains(&code) {
        CodeClass::Schema
    } else if CREDENTIALS.contains(&code) {
        CodeClass::Credentials
    } else if THROTTLED.contains(&code) {
        CodeClass::Throttled
    } else {
        CodeClass::Other
    }
}

fn message_class(message: &str) -> CodeClass {
    let is_refused_field = message.starts_with("Field '")
        && (message.contains("doesn't exist on type") || message.contains("doesn't accept argument"));
    let is_schema = is_refused_field
        || message.starts_with("Cannot query field")
        || message.starts_with("Unknown argument")
        || message.starts_with("Unknown type");
    if is_schema { CodeClass::Schema } else { CodeClass::Other }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_and_listed_once() {
        let mut all: Vec<&str> = [&SCHEMA[..], &CREDENTIALS, &THROTTLED].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert!(all.iter().all(|code| code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())));
    }

    #[test]
    fn message_of_a_validator_is_known_without_its_code() {
        let class = |message: &str| code_class(&GraphqlError { message: message.to_owned(), code: None });
        assert_eq!(class("Field 'x' doesn't exist on type 'Y'"), CodeClass::Schema);
        assert_eq!(class("Cannot query field \"x\" on type \"Y\"."), CodeClass::Schema);
        assert_eq!(class("Something went wrong"), CodeClass::Other);
    }
}
