//! One GraphQL request: authenticated, rate-limited, retried where that can help, read-only.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use lambda::error_chain;
use model::entity::INNER;
use object_store::ObjectStore;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, LOCATION, RETRY_AFTER};
use reqwest::{Response, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::config::GazelleConfig;
use crate::credentials::Credentials;
use crate::error::{ApiError, AttemptError};
use crate::query_guard::is_single_query;
use crate::rate_limiter::RateLimiter;
use crate::response::{Attempt, DOUBTFUL_ATTEMPTS_MAX, Expected, Head, classify_response};
use crate::retry::{backoff, retry_after};

/// Attempts at one request. After these the run ends and resumes at the next tick: waiting longer costs Lambda time.
const ATTEMPTS_MAX: u32 = 6;
/// Time limit for one attempt: Gazelle takes seconds for a page of 200 pianos.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Time after which no further attempt begins: one page with all its attempts must fit into the lane's lease and
/// the margin before the deadline.
const PAGE_BUDGET: Duration = Duration::from_mins(1);
/// Time limit for a connection: a slower one is broken, and another attempt gets a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Elements requested of a list inside a record of a page. A record with more is looked up by itself.
const INNER_FIRST: u32 = 100;
/// Elements requested of a list inside a record that is looked up by its id.
const INNER_FIRST_BY_ID: u32 = 1_000;
/// Upper bound for a response: a page has a few megabytes, and more would endanger the function's memory.
const BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Part of a listing to request.
#[derive(Debug, Clone, Default)]
pub struct PageRequest<'a> {
    /// Cursor after which the page begins, or before which one from the end does; none for the first or the last page.
    pub cursor: Option<&'a str>,
    /// Records requested; none for as many as the settings say.
    pub first: Option<u32>,
    /// Variables that limit the listing in time.
    pub bounds: Vec<(&'static str, String)>,
    /// Attempts at the request; none for the usual number.
    pub attempts_max: Option<u32>,
    /// States that the document asks for the position of the page alone, without its records.
    pub is_position_alone: bool,
}

/// Client of Gazelle's GraphQL API.
#[derive(Debug)]
pub struct Gazelle {
    http: reqwest::Client,
    url: String,
    page_size: u32,
    credentials: Credentials,
    rate_limiter: RateLimiter,
}

impl Gazelle {
    /// Creates a client. Clients with the same `states` share one rate limit.
    ///
    /// # Errors
    /// [`ApiError::Client`].
    pub fn new(
        config: &GazelleConfig,
        credentials: Credentials,
        states: Arc<ObjectStore>,
    ) -> Result<Self, ApiError> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            // A redirected POST would lose its body, or carry the key to another host.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("assistant-gazelle/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(ApiError::Client)?;
        Ok(Self {
            http,
            url: config.url.clone(),
            page_size: config.page_size,
            credentials,
            rate_limiter: RateLimiter::new(config.requests_per_second, states),
        })
    }

    /// Returns the URL of the GraphQL endpoint.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the number of records that a page is requested with.
    #[must_use]
    pub fn page_size(&self) -> u32 {
        self.page_size
    }

    /// Fetches a page of a listing. Returns the response's body, which holds a list.
    ///
    /// # Errors
    /// Any [`ApiError`] of a request.
    pub async fn fetch_page(&self, document: &str, page: PageRequest<'_>) -> Result<String, ApiError> {
        let mut variables = json!({});
        // A variable that the document does not declare would make it invalid.
        if document.contains("$first") {
            variables = json!({ "first": page.first.unwrap_or(self.page_size), "after": page.cursor });
        } else if document.contains("$last") {
            variables = json!({ "last": page.first.unwrap_or(self.page_size), "before": page.cursor });
        }
        for (name, bound) in page.bounds {
            variables[name] = json!(bound);
        }
        if document.contains(INNER) {
            variables["inner"] = json!(INNER_FIRST);
        }
        let attempts_max = page.attempts_max.unwrap_or(ATTEMPTS_MAX);
        let expected = if page.is_position_alone { Expected::Data } else { Expected::Listing };
        self.send_query(document, &variables, expected, attempts_max).await
    }

    /// Looks up records by id, with a document of [`model::entity::Entity::lookup_document`] for as many ids, in
    /// `attempts_max` attempts, or in the usual number. Returns the response's body, which holds data.
    ///
    /// # Errors
    /// Any [`ApiError`] of a request.
    pub async fn look_up(
        &self,
        document: &str,
        ids: &[String],
        attempts_max: Option<u32>,
    ) -> Result<String, ApiError> {
        let mut variables: Map<String, Value> =
            ids.iter().enumerate().map(|(index, id)| (format!("id{index}"), json!(id))).collect();
        if document.contains(INNER) {
            variables.insert("inner".to_owned(), json!(INNER_FIRST_BY_ID));
        }
        let attempts_max = attempts_max.unwrap_or(ATTEMPTS_MAX);
        self.send_query(document, &Value::Object(variables), Expected::Data, attempts_max).await
    }

    /// Sends any query. Returns the response's body, which holds data.
    ///
    /// # Errors
    /// [`ApiError::NotAQuery`] for any other document; any [`ApiError`] of a request.
    pub async fn query(&self, document: &str, variables: &Value) -> Result<String, ApiError> {
        self.send_query(document, variables, Expected::Data, ATTEMPTS_MAX).await
    }

    async fn send_query(
        &self,
        document: &str,
        variables: &Value,
        expected: Expected,
        attempts_max: u32,
    ) -> Result<String, ApiError> {
        if !is_single_query(document) {
            return Err(ApiError::NotAQuery);
        }
        let body = json!({ "query": document, "variables": variables }).to_string();
        self.execute(&body, expected, attempts_max).await
    }

    async fn execute(&self, body: &str, expected: Expected, attempts_max: u32) -> Result<String, ApiError> {
        let mut last = None;
        let (mut is_renewed, mut refusals) = (false, 0);
        let begin = Instant::now();
        for attempts in 0..attempts_max.max(1) {
            if attempts > 0 && begin.elapsed() > PAGE_BUDGET {
                return Err(ApiError::Exhausted { attempts, last });
            }
            // Before the slot: refreshing a token first would let the slot pass.
            let header = self.credentials.header(&self.http).await?;
            self.rate_limiter.acquire().await?;
            match self.attempt(body, &header, expected).await {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Final(error) => return Err(error),
                Attempt::Refused(refusal) => {
                    refusals += 1;
                    let is_decided = refusal.is_certain() || refusals >= DOUBTFUL_ATTEMPTS_MAX;
                    if is_renewed && is_decided {
                        return Err(ApiError::Unauthorized(refusal));
                    }
                    warn!(
                        attempt = attempts + 1,
                        "Gazelle refuses the credentials ({refusal}), trying again"
                    );
                    if is_renewed {
                        sleep(backoff(attempts)).await;
                    } else {
                        is_renewed = true;
                        self.credentials.renew(&self.http, &header.1).await?;
                    }
                    last = Some(AttemptError::Refused(refusal));
                }
                Attempt::Retry { error: AttemptError::Missing(status), .. }
                    if attempts + 1 >= DOUBTFUL_ATTEMPTS_MAX =>
                {
                    return Err(ApiError::Status(status));
                }
                Attempt::Retry { error, pause, is_throttled } => {
                    let is_last = attempts + 1 >= attempts_max;
                    self.pause(attempts, &error, pause, is_throttled, is_last).await?;
                    last = Some(error);
                }
            }
        }
        match last {
            Some(AttemptError::Refused(refusal)) => Err(ApiError::Unauthorized(refusal)),
            last => Err(ApiError::Exhausted { attempts: attempts_max.max(1), last }),
        }
    }

    /// Pauses after a failed attempt; after the last one only if every client of the key has to pause.
    async fn pause(
        &self,
        attempt: u32,
        error: &AttemptError,
        pause: Option<Duration>,
        is_throttled: bool,
        is_last: bool,
    ) -> Result<(), ApiError> {
        let pause = pause.unwrap_or_else(|| backoff(attempt));
        warn!(
            attempt = attempt + 1,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
            "Gazelle gave no usable response: {}",
            error_chain(error)
        );
        if is_throttled {
            // The throttling concerns every client of this key.
            self.rate_limiter.pause_all(pause).await?;
        } else if !is_last {
            sleep(pause).await;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        body: &str,
        header: &(&'static str, SecretString),
        expected: Expected,
    ) -> Attempt {
        let (name, value) = header;
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(*name, value.expose_secret());
        let response = match request.body(body.to_owned()).send().await {
            Ok(response) => response,
            Err(error) => return Attempt::retry(connection_error(error)),
        };
        let (status, headers) = (response.status(), response.headers().clone());
        let pause = retry_after(text_of(&headers, &RETRY_AFTER), Utc::now());
        let head = Head {
            status,
            content_type: text_of(&headers, &CONTENT_TYPE),
            location: text_of(&headers, &LOCATION),
            pause,
        };
        match read_body(response).await {
            Ok(body) => classify_response(&head, body, expected),
            // Of a response that reports an error anyway, the status is enough.
            Err(_) if !status.is_success() => classify_response(&head, String::new(), expected),
            Err(error) => Attempt::retry(error),
        }
    }
}

/// Returns the text of a header; empty where there is none.
fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn read_body(mut response: Response) -> Result<String, AttemptError> {
    let announced = usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(announced.min(BODY_BYTES_MAX));
    while let Some(chunk) = response.chunk().await.map_err(connection_error)? {
        if bytes.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(AttemptError::TooLarge { max: BODY_BYTES_MAX });
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_| AttemptError::NotUtf8)
}

/// Classifies an error of the HTTP client. The URL is dropped, because every request has the same one.
fn connection_error(error: reqwest::Error) -> AttemptError {
    let error = error.without_url();
    if error.is_timeout() {
        AttemptError::Timeout(error)
    } else if error.is_connect() {
        AttemptError::Connect(error)
    } else {
        AttemptError::Broken(error)
    }
}
