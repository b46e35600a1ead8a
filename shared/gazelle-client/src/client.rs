//! One GraphQL request: authenticated, rate-limited, retried where that can help, read-only.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use lambda::error_chain;
use model::entity::INNER;
use object_store::ObjectStore;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::config::GazelleConfig;
use crate::credentials::Credentials;
use crate::error::{ApiError, AttemptError};
use crate::query_guard::is_single_query;
use crate::rate_limiter::RateLimiter;
use crate::response::{Attempt, classify_response};
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

    /// Fetches the page after `cursor`, or the first, within `bounds`, variables that limit the listing in time.
    /// Returns the response's body, which holds data.
    ///
    /// # Errors
    /// Any [`ApiError`] of a request.
    pub async fn fetch_page(
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
        self.query(document, &variables).await
    }

    /// Looks up records by id, with a document of [`model::entity::Entity::lookup_document`] for as many ids.
    /// Returns the response's body, which holds data.
    ///
    /// # Errors
    /// Any [`ApiError`] of a request.
    pub async fn look_up(&self, document: &str, ids: &[String]) -> Result<String, ApiError> {
        let mut variables: Map<String, Value> =
            ids.iter().enumerate().map(|(index, id)| (format!("id{index}"), json!(id))).collect();
        if document.contains(INNER) {
            variables.insert("inner".to_owned(), json!(INNER_FIRST_BY_ID));
        }
        self.query(document, &Value::Object(variables)).await
    }

    /// Sends any query. Returns the response's body, which holds data.
    ///
    /// # Errors
    /// [`ApiError::NotAQuery`] for any other document; any [`ApiError`] of a request.
    pub async fn query(&self, document: &str, variables: &Value) -> Result<String, ApiError> {
        if !is_single_query(document) {
            return Err(ApiError::NotAQuery);
        }
        self.execute(&json!({ "query": document, "variables": variables }).to_string()).await
    }

    async fn execute(&self, body: &str) -> Result<String, ApiError> {
        let mut last = None;
        let mut is_renewed = false;
        let begin = Instant::now();
        for attempts in 0..ATTEMPTS_MAX {
            if attempts > 0 && begin.elapsed() > PAGE_BUDGET {
                return Err(ApiError::Exhausted { attempts, last });
            }
            // Before the slot: refreshing a token first would let the slot pass.
            let header = self.credentials.header(&self.http).await?;
            self.rate_limiter.acquire().await?;
            match self.attempt(body, header).await {
                Attempt::Answered(answer) => return Ok(answer),
                Attempt::Final(error) => return Err(error),
                Attempt::Unauthorized(_) if is_renewed => return Err(ApiError::Unauthorized),
                Attempt::Unauthorized(refused) => {
                    is_renewed = true;
                    self.credentials.renew(&self.http, &refused).await?;
                }
                Attempt::Retry { error, pause, is_throttled } => {
                    let pause = pause.unwrap_or_else(|| backoff(attempts));
                    warn!(
                        attempt = attempts + 1,
                        pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX),
                        "Gazelle gave no usable response, trying again: {}",
                        error_chain(&error)
                    );
                    if is_throttled {
                        // The throttling concerns every client of this key.
                        self.rate_limiter.pause_all(pause).await?;
                    } else {
                        sleep(pause).await;
                    }
                    last = Some(error);
                }
            }
        }
        Err(ApiError::Exhausted { attempts: ATTEMPTS_MAX, last })
    }

    async fn attempt(&self, body: &str, (name, value): (&'static str, SecretString)) -> Attempt {
        let request = self
            .http
            .post(&self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(name, value.expose_secret());
        let response = match request.body(body.to_owned()).send().await {
            Ok(response) => response,
            Err(error) => return Attempt::retry(connection_error(error)),
        };
        let status = response.status();
        if status == StatusCode::UNAUTHORIZED {
            return Attempt::Unauthorized(value);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            let pause = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let pause = pause.and_then(|text| retry_after(text, Utc::now()));
            let is_throttled = status == StatusCode::TOO_MANY_REQUESTS || pause.is_some();
            return Attempt::Retry { error: AttemptError::Status(status), pause, is_throttled };
        }
        if !status.is_success() {
            return Attempt::Final(ApiError::Status(status));
        }
        match read_body(response).await {
            Ok(body) => classify_response(body),
            Err(error) => Attempt::retry(error),
        }
    }
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
