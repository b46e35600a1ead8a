//! One GraphQL request: authenticated, paced, tried again where that can help, read-only.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::config::GazelleConfig;
use crate::rate_limiter::Pace;
use crate::token::{Credentials, TokenError};
use model::entity::INNER;
use object_store::{ObjectStore, StateError};

/// Past this many tries the run ends and resumes at the next tick: waiting longer costs Lambda time.
const TRIES_MAX: u32 = 6;
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// What a source may ask us to wait; more is an outage.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// A page of 200 pianos takes seconds over there.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// No try begins later: one page with all its tries must fit into the lease and the deadline's margin.
const PAGE_BUDGET: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Elements of a list inside a record: a record that has more is asked for by itself.
const INNER_FIRST: u32 = 100;
/// Elements of a list inside a record that is asked for by its id.
const INNER_FIRST_BY_ID: u32 = 1_000;
/// A page is a few megabytes at most; more would be an attack on our memory.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The API.
#[derive(Debug)]
pub struct Gazelle {
    http: reqwest::Client,
    url: String,
    page_size: u32,
    credentials: Credentials,
    pace: Pace,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The document could change something over there.
    #[error("Refused to send a document that is not one single query")]
    NotAQuery,
    /// The HTTP client could not be made.
    #[error("Could not set up the HTTP client: {0}")]
    Client(reqwest::Error),
    /// There is no usable key or token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The common pace could not be read or written.
    #[error(transparent)]
    Pace(#[from] StateError),
    /// The key or token is refused, a renewed one too.
    #[error(
        "Gazelle refuses the credentials (401): check the key or authorise again; its user must be an ADMIN"
    )]
    Unauthorized,
    /// The document does not fit the schema: the source has changed, or we have a mistake.
    #[error("Gazelle's schema refuses the query ({code}): {message}")]
    Schema {
        /// The source's word, such as `undefinedField`.
        code: String,
        /// Names the field.
        message: String,
    },
    /// The answer is an error and holds no data.
    #[error("Gazelle answered with errors and no data: {0}")]
    NoData(String),
    /// Any other status.
    #[error("Gazelle answered {0}")]
    Status(StatusCode),
    /// It was tried again and again.
    #[error("No usable answer in {tries} tries; the last: {last}")]
    Exhausted {
        /// How often.
        tries: u32,
        /// What the last try met.
        last: String,
    },
}

/// What one try met.
enum Try {
    Answered(String),
    Again { reason: String, pause: Option<Duration>, is_throttled: bool },
    Unauthorized(SecretString),
    Final(ApiError),
}

#[derive(Deserialize)]
struct Outline {
    #[serde(default)]
    data: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    errors: Option<Vec<OutlineError>>,
}

#[derive(Deserialize)]
struct OutlineError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    extensions: Option<Value>,
}

impl Gazelle {
    /// A client with these settings and credentials. Those who share `states` keep one pace together.
    ///
    /// # Errors
    /// The HTTP client could not be made.
    pub fn new(
        config: &GazelleConfig,
        credentials: Credentials,
        states: Arc<ObjectStore>,
    ) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirected POST would lose its body, or carry the key elsewhere.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("assistant-gazelle/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ApiError::Client)?;
        Ok(Self {
            http,
            url: config.url.clone(),
            page_size: config.page_size,
            credentials,
            pace: Pace::new(config.requests_per_second, states),
        })
    }

    /// The address asked.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Asks for one page, with those bounds in time; answers the response's body, which holds data.
    ///
    /// # Errors
    /// There is no usable answer, now or for good.
    pub async fn page(
        &self,
        document: &str,
        cursor: Option<&str>,
        bounds: Vec<(&'static str, String)>,
    ) -> Result<String, ApiError> {
        let mut variables = json!({ "first": self.page_size, "after": cursor });
        for (name, bound) in bounds {
            variables[name] = json!(bound);
        }
        if document.contains(INNER) {
            variables["inner"] = json!(INNER_FIRST);
        }
        self.ask(document, &variables).await
    }

    /// Asks for records by id, by a document of [`model::entity::Entity::by_id_document`].
    ///
    /// # Errors
    /// There is no usable answer, now or for good.
    pub async fn by_id(&self, document: &str, ids: &[String]) -> Result<String, ApiError> {
        let mut variables: Map<String, Value> =
            ids.iter().enumerate().map(|(place, id)| (format!("id{place}"), json!(id))).collect();
        if document.contains(INNER) {
            variables.insert("inner".to_owned(), json!(INNER_FIRST_BY_ID));
        }
        self.ask(document, &Value::Object(variables)).await
    }

    /// Asks a query of one's own; answers the response's body, which holds data.
    ///
    /// # Errors
    /// There is no usable answer, now or for good.
    pub async fn ask(&self, document: &str, variables: &Value) -> Result<String, ApiError> {
        if !is_single_query(document) {
            return Err(ApiError::NotAQuery);
        }
        self.execute(&json!({ "query": document, "variables": variables }).to_string()).await
    }

    async fn execute(&self, body: &str) -> Result<String, ApiError> {
        let mut last = String::new();
        let mut renewed = false;
        let begin = Instant::now();
        for tries in 0..TRIES_MAX {
            if tries > 0 && begin.elapsed() > PAGE_BUDGET {
                return Err(ApiError::Exhausted { tries, last });
            }
            // Before the turn: a token that must be refreshed first would let the turn pass.
            let header = self.credentials.header(&self.http).await?;
            self.pace.turn().await?;
            match self.attempt(body, header).await {
                Try::Answered(answer) => return Ok(answer),
                Try::Final(error) => return Err(error),
                Try::Unauthorized(_) if renewed => return Err(ApiError::Unauthorized),
                Try::Unauthorized(refused) => {
                    renewed = true;
                    self.credentials.renew(&self.http, &refused).await?;
                }
                Try::Again { reason, pause, is_throttled } => {
                    let pause = pause.unwrap_or_else(|| backoff(tries));
                    warn!(
                        try_number = tries + 1,
                        pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                        "Gazelle gave no usable answer, trying again: {reason}"
                    );
                    if is_throttled {
                        // It means all of us.
                        self.pace.hold(pause).await?;
                    } else {
                        sleep(pause).await;
                    }
                    last = reason;
                }
            }
        }
        Err(ApiError::Exhausted { tries: TRIES_MAX, last })
    }

    async fn attempt(&self, body: &str, (name, value): (&'static str, SecretString)) -> Try {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(name, value.expose_secret());
        let mut response = match request.body(body.to_owned()).send().await {
            Ok(response) => response,
            Err(error) => return again(describe(&error)),
        };
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Try::Unauthorized(value);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let pause = pause.and_then(|text| retry_after(text, Utc::now()));
            let is_throttled = status == StatusCode::TOO_MANY_REQUESTS || pause.is_some();
            return Try::Again { reason: format!("it answered {status}"), pause, is_throttled };
        }
        if !status.is_success() {
            return Try::Final(ApiError::Status(status));
        }
        let mut bytes = Vec::with_capacity(
            usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(0).min(BODY_BYTES_MAX),
        );
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() > BODY_BYTES_MAX => {
                    return again("the answer is too large".to_owned());
                }
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => return again(describe(&error)),
            }
        }
        String::from_utf8(bytes).map_or_else(|_| again("the answer is no UTF-8".to_owned()), judge)
    }
}

/// Says whether a body can be kept. A partial answer, data beside errors, can: it is marked by its errors.
fn judge(body: String) -> Try {
    let outline: Outline = match serde_json::from_str(&body) {
        Ok(outline) => outline,
        Err(_) => return again("the answer is no JSON, or cut short".to_owned()),
    };
    let errors = outline.errors.unwrap_or_default();
    if outline.data.is_some() {
        return Try::Answered(body);
    }
    let Some(first) = errors.first() else {
        return again("the answer holds neither data nor errors".to_owned());
    };
    // Texts of the source are shortened: a message may quote what it complains of.
    let message: String = first.message.chars().take(200).collect();
    let code =
        first.extensions.as_ref().and_then(|extensions| extensions.get("code")).and_then(Value::as_str);
    match code {
        Some(code) => Try::Final(ApiError::Schema { code: code.chars().take(60).collect(), message }),
        None => Try::Final(ApiError::NoData(message)),
    }
}

fn again(reason: String) -> Try {
    Try::Again { reason, pause: None, is_throttled: false }
}

fn describe(error: &reqwest::Error) -> String {
    let kind = if error.is_timeout() {
        "it timed out"
    } else if error.is_connect() {
        "no connection"
    } else {
        "the connection broke"
    };
    kind.to_owned()
}

/// Exponential, with full jitter: many who were turned away together must not come back together.
fn backoff(tries: u32) -> Duration {
    let ceiling = BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(tries)).min(BACKOFF_MAX);
    BACKOFF_FIRST.max(ceiling.mul_f64(rand::rng().random_range(0.5..1.0)))
}

/// Seconds, or an HTTP date.
fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let pause = if let Ok(seconds) = text.trim().parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

/// The key can also write, by 189 mutations: only one single query operation leaves the process.
fn is_single_query(document: &str) -> bool {
    let document = document.trim();
    // Our documents hold no text literals and no comments, so that braces can simply be counted.
    if !document.starts_with("query ") || document.contains(['"', '#']) {
        return false;
    }
    let mut depth = 0_u32;
    for (place, character) in document.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return false,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return place + 1 == document.len();
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn only_one_single_query_leaves_the_process() {
        for query in model::entity::fetched().filter_map(model::entity::Entity::query) {
            assert!(is_single_query(&query.document()), "{}", query.root);
        }
        for document in [
            "mutation { deleteClient(id: 1) }",
            "query a { user { id } } mutation b { x }",
            "query a { user { id } } query b { user { id } }",
            "subscription { x }",
            "{ user { id } }",
            "query a { user { id }",
            "query a { } }",
            "query a { user(name: \"}\") { id } }",
        ] {
            assert!(!is_single_query(document), "{document}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date_and_bounded() {
        let now = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).single().unwrap_or_default();
        let seconds = |text| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Mon, 05 Jan 2026 12:00:09 GMT"), Some(9));
        assert_eq!(seconds("Mon, 05 Jan 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("86400"), Some(30));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn a_partial_answer_is_kept_and_a_schema_error_names_the_field() {
        assert!(matches!(
            judge(r#"{"data":{"x":1},"errors":[{"message":"m"}]}"#.to_owned()),
            Try::Answered(_)
        ));
        let schema = judge(
            r#"{"errors":[{"message":"Field 'x' doesn't exist on type 'Y'","extensions":{"code":"undefinedField"}}]}"#
                .to_owned(),
        );
        let Try::Final(error) = schema else { panic!("not final") };
        assert!(error.to_string().contains("undefinedField") && error.to_string().contains("'x'"), "{error}");
        assert!(matches!(judge("<html>".to_owned()), Try::Again { .. }));
        assert!(matches!(judge(r#"{"data":{"#.to_owned()), Try::Again { .. }));
        assert!(matches!(judge("{}".to_owned()), Try::Again { .. }));
    }
}
