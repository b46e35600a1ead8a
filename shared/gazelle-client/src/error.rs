//! Errors of the client: of a request, of one attempt at it, of its credentials.

use std::fmt;

use chrono::{DateTime, Utc};
use object_store::StateError;
use protocol::secret::SecretError;
use reqwest::StatusCode;

/// Error of a request to Gazelle. No text quotes a response, except a shortened message of a GraphQL error.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The document could change data in Gazelle.
    #[error("refused to send a document that is not one single query")]
    NotAQuery,
    /// The HTTP client could not be created.
    #[error("could not set up the HTTP client")]
    Client(#[source] reqwest::Error),
    /// There is no usable key or token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The state of the rate limiter, which all invocations share, could not be read or written.
    #[error("could not reserve a time slot for a request")]
    RateLimiter(#[source] StateError),
    /// The state of the rate limiter is corrupt: waiting until `free_at` would stop every run.
    #[error(
        "{key} cannot be read: free_at {free_at} lies more than {ahead_max_min} minutes ahead. Restore an older \
         version of the object, or delete it: nothing is lost"
    )]
    RateLimiterState {
        /// Key of the state object.
        key: String,
        /// Start of the first free slot, by the state.
        free_at: DateTime<Utc>,
        /// Upper bound of its distance from now, in minutes.
        ahead_max_min: i64,
    },
    /// Gazelle refuses the key or token, and a renewed one too.
    #[error(
        "Gazelle refuses the credentials ({0}): check the key or authorise again; its user must be an ADMIN"
    )]
    Unauthorized(Refusal),
    /// The document does not fit Gazelle's schema: the schema has changed, or the document is wrong.
    #[error("Gazelle's schema refuses the query ({code}): {message}")]
    Schema {
        /// Code of the GraphQL error, such as `undefinedField`, shortened.
        code: String,
        /// Message of the GraphQL error, which names the field, shortened.
        message: String,
    },
    /// The response has a status that no further attempt would change.
    #[error("Gazelle answered {0}")]
    Status(StatusCode),
    /// Every attempt failed, or the time for one page is used up.
    #[error("no usable response in {attempts} attempts")]
    Exhausted {
        /// Number of attempts.
        attempts: u32,
        /// Error of the last one that met one; none if the time was used up by a renewal of the credentials.
        #[source]
        last: Option<AttemptError>,
    },
}

/// Sign by which Gazelle refuses a key or token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Status of the response, such as 401 or 403.
    Status(StatusCode),
    /// Redirect to a login.
    Redirect(StatusCode),
    /// Code of a GraphQL error, such as `UNAUTHENTICATED`, beside this status.
    Code(StatusCode),
    /// Page on which a person would log in, with the status of success.
    LoginPage,
}

impl Refusal {
    /// Returns whether it can mean nothing else: the others are tried again first.
    pub(crate) fn is_certain(self) -> bool {
        matches!(self, Self::Status(StatusCode::UNAUTHORIZED) | Self::Code(_))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "{}", status.as_u16()),
            Self::Redirect(status) => write!(f, "{}, a redirect to the login", status.as_u16()),
            Self::Code(status) => write!(f, "UNAUTHENTICATED, with the status {}", status.as_u16()),
            Self::LoginPage => f.write_str("a login page instead of data"),
        }
    }
}

/// Error of one attempt, after which another may succeed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The response did not arrive in time.
    #[error("the request timed out")]
    Timeout(#[source] reqwest::Error),
    /// There was no connection.
    #[error("could not connect to Gazelle")]
    Connect(#[source] reqwest::Error),
    /// The connection broke during the request or the response.
    #[error("the connection broke")]
    Broken(#[source] reqwest::Error),
    /// Gazelle is overloaded or has an error of its own (429 or 5xx).
    #[error("Gazelle answered {0}")]
    Status(StatusCode),
    /// There is nothing at this address (404 or 410), as for a moment during a deployment of Gazelle.
    #[error("Gazelle answered {0}")]
    Missing(StatusCode),
    /// The response holds errors and no data; the text is the first error's code and message, shortened.
    #[error("Gazelle answered with errors and no data: {0}")]
    NoData(String),
    /// Gazelle refused the key or token.
    #[error("Gazelle refuses the credentials ({0})")]
    Refused(Refusal),
    /// The response is larger than any page can be.
    #[error("the response is larger than {max} bytes")]
    TooLarge {
        /// Upper bound for a response, in bytes.
        max: usize,
    },
    /// The response is no UTF-8.
    #[error("the response is no UTF-8")]
    NotUtf8,
    /// The response is no JSON, or was truncated on its way. The parser's message is dropped: it may quote the input.
    #[error("the response is no complete JSON")]
    NotJson,
    /// The response is JSON, and no GraphQL response.
    #[error("the response holds neither data nor errors")]
    Empty,
}

/// Error of the credentials. No text shows a key or a token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The secret could not be read or written. This does not mean that there is none.
    #[error(transparent)]
    Store(#[from] SecretError),
    /// The secret lacks a field.
    #[error("the secret {id} has no text `{field}`; expected {accepted}")]
    Incomplete {
        /// Name of the secret.
        id: String,
        /// Name of the missing field.
        field: &'static str,
        /// Example of a complete secret.
        accepted: &'static str,
    },
    /// The secret holds a character that no HTTP header may hold. The text names the field, never its content.
    #[error("`{field}` in the secret {id} holds a character that a key cannot have; store it again")]
    Illegal {
        /// Name of the secret.
        id: String,
        /// Name of the field.
        field: &'static str,
    },
    /// Gazelle refuses the refresh token: a person must authorise the application again.
    #[error(
        "Gazelle refuses the refresh token (invalid_grant): access and refresh token have both expired. A person \
         must authorise the application again (/developer/oauth/authorize) and store the new tokens in the secret {id}"
    )]
    NeedsPerson {
        /// Name of the secret.
        id: String,
    },
    /// The token endpoint refuses the application itself.
    #[error(
        "Gazelle refuses the OAuth application ({reason}): check client_id and client_secret in the secret {id}"
    )]
    Refused {
        /// Name of the secret.
        id: String,
        /// OAuth error code of the endpoint, or its HTTP status.
        reason: String,
    },
    /// The lease under which one invocation refreshes the token could not be acquired.
    #[error("could not acquire the lease for refreshing the token")]
    Lease(#[source] StateError),
    /// The token endpoint could not be reached.
    #[error("could not refresh the token")]
    RefreshRequest(#[source] reqwest::Error),
    /// The token endpoint is overloaded or has an error of its own.
    #[error("could not refresh the token: the token endpoint answered {0}")]
    RefreshStatus(StatusCode),
    /// The token endpoint's response holds no token. The parser's message is dropped: it may quote the token.
    #[error("could not refresh the token: the token endpoint's response holds no token")]
    RefreshBody,
    /// The new token cannot be used.
    #[error("could not refresh the token: the new token cannot be used")]
    RefreshUnusable,
}
