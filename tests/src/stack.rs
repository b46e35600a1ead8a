//! Client of the deployed stack: real template, compiled binaries, driven by events.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_lambda::client::Waiters;
use aws_sdk_lambda::config::StalledStreamProtectionConfig;
use aws_sdk_lambda::config::retry::RetryConfig;
use aws_sdk_lambda::config::timeout::TimeoutConfig;
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tokio::time::{Instant, sleep};

/// Timeout for the effect of an event.
const WAIT_TIMEOUT: Duration = Duration::from_mins(4);

/// Timeout of an invocation: the longest that Lambda lets a function run, and a cold start.
const INVOCATION_TIMEOUT: Duration = Duration::from_mins(16);

/// Timeout for a function's new configuration.
const UPDATE_TIMEOUT: Duration = Duration::from_mins(1);

/// The stack deployed by `make test`.
#[derive(Debug)]
pub struct Stack {
    lambda: aws_sdk_lambda::Client,
    /// Client of the bucket.
    pub s3: aws_sdk_s3::Client,
    /// Client of the queues.
    pub sqs: aws_sdk_sqs::Client,
    http: reqwest::Client,
}

/// Returns a variable that `make test` exports.
///
/// # Panics
/// The variable is missing: the stack is not up.
#[must_use]
pub fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is missing: run the tests by `make test`"))
}

/// Returns a client that waits as long as a function may run, and never invokes it a second time: a repeated
/// invocation would be another event.
fn invoker(config: &aws_config::SdkConfig) -> aws_sdk_lambda::Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(INVOCATION_TIMEOUT).build();
    let config = aws_sdk_lambda::config::Builder::from(config)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled())
        // A response that takes minutes to begin is no stalled one.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    aws_sdk_lambda::Client::from_conf(config)
}

impl Stack {
    /// Connects to the stack of the environment.
    pub async fn connect() -> Self {
        let config = lambda::aws_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self {
            lambda: invoker(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
            // What it is sent elsewhere for is looked at, not followed; a proxy of the operator's shell has no part in it.
            http: reqwest::Client::builder()
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .build()
                .expect("a client"),
        }
    }

    /// Opens a connection to the mirror's schema.
    pub async fn connection(&self) -> PgConnection {
        let options: sqlx::postgres::PgConnectOptions = variable("DATABASE_URL").parse().expect("an address");
        let mut connection = options.connect().await.expect("a connection");
        let schema = variable("DATABASE_SCHEMA");
        sqlx::raw_sql(AssertSqlSafe(format!("set search_path to \"{schema}\"")))
            .execute(&mut connection)
            .await
            .expect("schema");
        connection
    }

    /// Invokes the function whose name this variable holds; returns its response or its error.
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Value, Value> {
        let answer = self
            .lambda
            .invoke()
            .function_name(variable(function))
            .payload(Blob::new(payload.to_string()))
            .send()
            .await
            .expect("an invocation");
        let body = answer
            .payload()
            .map(|blob| serde_json::from_slice(blob.as_ref()).expect("JSON"))
            .unwrap_or_default();
        if answer.function_error().is_some() { Err(body) } else { Ok(body) }
    }

    /// Sets the timeout of a function, and waits until it applies.
    pub async fn set_timeout(&self, function: &str, seconds: i32) {
        let change = self.lambda.update_function_configuration().function_name(variable(function));
        change.timeout(seconds).send().await.expect("a change");
        let updated = self.lambda.wait_until_function_updated_v2().function_name(variable(function));
        updated.wait(UPDATE_TIMEOUT).await.expect("an updated function");
    }

    /// Invokes the fetcher as Scheduler does and waits until every record is settled;
    /// returns the reports.
    pub async fn sync(&self, payload: &Value) -> Vec<Value> {
        let answer = self.invoke("FETCHER_FUNCTION", payload).await.expect("an accepted request");
        let runs = answer["runs"].as_array().expect("reports").clone();
        self.settled(&runs).await;
        runs
    }

    /// Waits until the runs and their nested runs have ended.
    pub async fn settled(&self, runs: &[Value]) {
        let ids: Vec<String> =
            runs.iter().filter_map(|run| run["run_id"].as_str()).map(str::to_owned).collect();
        let mut connection = self.connection().await;
        let deadline = Instant::now() + WAIT_TIMEOUT;
        loop {
            let open: Vec<String> = sqlx::query_scalar(
                "select wanted from unnest($1::text[]) as u(wanted) where not exists (select from sync_status where run_id = wanted)
                    or exists (select from sync_status where run_id = wanted and status = 'running')",
            )
            .bind(&ids)
            .fetch_all(&mut connection)
            .await
            .expect("sync_status");
            if open.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still running after {WAIT_TIMEOUT:?}: {open:?}");
            sleep(Duration::from_millis(300)).await;
        }
    }

    /// Sends a request to the simulator's control API.
    pub async fn sim(&self, method: &str, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", variable("SIM_URL"));
        let request = match method {
            "GET" => self.http.get(url),
            _ => self.http.post(url).header("content-type", "application/json").body(body.to_string()),
        };
        let answer = request.send().await.expect("the simulator");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
    }

    /// Sends a GET request to the health API through API Gateway; returns status and body.
    pub async fn health(&self, path: &str, token: Option<&str>) -> (u16, Value) {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<(&str, &str)> =
            bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        let (status, _, text) = self.ask("GET", path, &headers).await;
        (status, serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} answered {status}: {text}")))
    }

    /// Sends a request to the health API through API Gateway; returns status, headers and text.
    pub async fn ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> (u16, BTreeMap<String, String>, String) {
        let url =
            reqwest::Url::parse(&variable("HEALTH_URL")).and_then(|url| url.join(path)).expect("an address");
        let method = method.parse().expect("a method");
        let mut request = self.http.request(method, url).header("host", variable("HEALTH_HOST"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("the health API");
        let status = answer.status().as_u16();
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        (status, headers, answer.text().await.expect("a body"))
    }
}
