//! Alert drill: operations on the deployed stack that cause and mend faults, and the delay until an alert.

mod faults;

use std::convert::identity;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use futures::FutureExt;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions};
use tokio::time::{Instant, sleep};

use crate::inbox::{Inbox, now};
use crate::mirror::entity;
use crate::pages::{HandRun, MemorySource};
use crate::stack::{Stack, variable};

pub use faults::{FAULTS, Fault};

/// Timeout for an alert, and for its end.
const ALERT_TIMEOUT: Duration = Duration::from_mins(7);
/// Timeout for the notice of the end after one look of the alerter.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// Invocations of the fetcher while a scheduled run holds the entity: one a second.
const BUSY_TRIES_MAX: usize = 30;
/// Writes of the alerter's state while it writes at the same moment: five a second.
const EDIT_TRIES_MAX: usize = 20;
/// Timeout of the health function in seconds, as in the template.
const HEALTH_TIMEOUT_S: i32 = 10;

/// Object with the alerter's state.
const ALERT_STATE: &str = "alerts/book.json";
/// Object with the lease of a run that looks back.
const LOOKBACK_STATE: &str = "state/timeline/lookback.json";

/// Client of the deployed stack for the drill.
#[derive(Debug)]
pub struct Drill {
    stack: Stack,
    inbox: Inbox,
    secrets: aws_sdk_secretsmanager::Client,
}

/// Result of one round of a fault.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// Seconds from the fault to its alert; none without an alert.
    pub delay_s: Option<f64>,
    /// Reports whether the alert was resolved.
    pub is_resolved: bool,
}

impl Drill {
    /// Connects to the stack of the environment.
    pub async fn connect() -> Self {
        Self {
            stack: Stack::connect().await,
            inbox: Inbox::default(),
            secrets: aws_sdk_secretsmanager::Client::new(&lambda::aws_config().await),
        }
    }

    /// Mends what an interrupted drill may have left, fetches everything once and closes every action.
    pub async fn prepare(&self) {
        self.restore_functions().await;
        self.restore_source().await;
        self.resume("select 1").await;
        for entity in ["users", "clients", "pianos", "timeline"] {
            self.fetch(entity).await;
        }
        sleep(Duration::from_secs(15)).await;
        // What the simulated world lacks from the beginning is no fault of the drill.
        self.close_actions("true").await;
        self.look().await;
        sleep(Duration::from_secs(3)).await;
    }

    /// Causes a fault, waits for its alert, mends it and waits for the alert's end.
    pub async fn round(&self, fault: &Fault) -> Round {
        let since = now();
        let measured = AssertUnwindSafe(async {
            let begin = fault.cause(self).await;
            let at = self.inbox.find_line(since, &[fault.words], ALERT_TIMEOUT).await;
            at.map(|at| (at - begin).max(0.0))
        });
        // The fault is mended whatever happens.
        let measured = Box::pin(measured.catch_unwind()).await;
        fault.mend(self).await;
        let delay_s = measured.unwrap_or_else(|panic| resume_unwind(panic));
        let is_resolved = self.is_resolved(since, fault).await;
        // An alert that comes back at once would have to be calm for longer each time: the drill is no such alert.
        self.edit_alerts(|state| {
            state["closed"] = json!({});
            state["redriven_at"] = Value::Null;
        })
        .await;
        Round { delay_s, is_resolved }
    }

    /// Makes the alerter look until it tells the end of the alert: the end is not timed.
    async fn is_resolved(&self, since: f64, fault: &Fault) -> bool {
        let deadline = Instant::now() + ALERT_TIMEOUT;
        while Instant::now() < deadline {
            self.look().await;
            if self.inbox.find_line(since, &["Rétabli", fault.words], LOOK_TIMEOUT).await.is_some() {
                return true;
            }
        }
        false
    }

    /// Invokes a function; a failed invocation returns its error as a response.
    async fn invoke(&self, function: &str, payload: &Value) -> Value {
        self.stack.invoke(function, payload).await.unwrap_or_else(identity)
    }

    async fn look(&self) {
        self.invoke("ALERTER_FUNCTION", &json!({"task": "look"})).await;
    }

    async fn sql(&self, statements: &str) {
        let mut connection = self.stack.connection().await;
        let statements = AssertSqlSafe(statements.to_owned());
        sqlx::raw_sql(statements).execute(&mut connection).await.expect("an executed statement");
    }

    /// Executes statements on our database from another one: it may admit nobody.
    async fn execute_outside(&self, statements: &[&str]) {
        let options: sqlx::postgres::PgConnectOptions = variable("DATABASE_URL").parse().expect("an address");
        let name = options.get_database().expect("a database").to_owned();
        let mut connection = options.database("template1").connect().await.expect("a connection");
        for statement in statements {
            let statement = AssertSqlSafe(statement.replace("{name}", &name));
            sqlx::raw_sql(statement).execute(&mut connection).await.expect("an executed statement");
        }
    }

    /// Sets the simulated Gazelle's faults.
    async fn source(&self, faults: &Value) {
        self.stack.sim("POST", "/_sim/faults", faults).await;
    }

    /// Fetches an entity; returns when it began. A scheduled run may hold the entity for a moment.
    async fn fetch(&self, entity: &str) -> f64 {
        let begin = now();
        for _ in 0..BUSY_TRIES_MAX {
            let answer = self.invoke("FETCHER_FUNCTION", &json!({"entity": entity})).await;
            if !answer["runs"].as_array().into_iter().flatten().any(|run| run["status"] == "busy") {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        begin
    }

    /// Sets the functions' key of Gazelle's API.
    async fn set_key(&self, key: &str) {
        let text = json!({ "api_key": key }).to_string();
        let change = self.secrets.put_secret_value().secret_id(variable("GAZELLE_SECRET"));
        change.secret_string(text).send().await.expect("a secret");
    }

    /// Sends a reconcile request to the queue whose URL this variable holds.
    async fn send(&self, queue: &str) -> f64 {
        let begin = now();
        let message = self.stack.sqs.send_message().queue_url(variable(queue));
        message.message_body(r#"{"entity":"users"}"#).send().await.expect("a message");
        begin
    }

    async fn purge_dead_letters(&self) {
        let purge = self.stack.sqs.purge_queue().queue_url(variable("RECONCILE_DLQ_URL"));
        purge.send().await.expect("an empty queue");
    }

    /// Executes statements, and promotes.
    async fn promote(&self, statements: &str) -> f64 {
        self.sql(statements).await;
        self.send("RECONCILE_QUEUE_URL").await
    }

    async fn put(&self, key: &str, body: Vec<u8>) -> f64 {
        let begin = now();
        let object = self.stack.s3.put_object().bucket(variable("RAW_BUCKET")).key(key);
        object.body(body.into()).send().await.expect("an object");
        begin
    }

    /// Stores a raw page as the fetcher would, with one record.
    async fn page(&self, name: &str, record: Value) -> f64 {
        let started_at = Utc::now() - TimeDelta::seconds(1);
        let bucket = MemorySource::default();
        let key = HandRun::started(entity(name), started_at, started_at.timestamp_subsec_nanos())
            .page(&bucket, &[record]);
        self.put(&key, bucket.get(&key).expect("a page")).await
    }

    async fn close_actions(&self, condition: &str) {
        let close = "update admin_actions set resolved_at = now(), resolved_by = 'drill'";
        self.sql(&format!("{close} where {condition} and resolved_at is null")).await;
    }

    /// Stops the frequent schedule and nothing else, then executes statements; returns the time.
    async fn pause(&self, statements: &str) -> f64 {
        set_frequent_schedule("DISABLED");
        self.sql(statements).await;
        now()
    }

    async fn resume(&self, statements: &str) {
        self.sql(statements).await;
        set_frequent_schedule("ENABLED");
        self.fetch("users").await;
    }

    async fn restore_source(&self) {
        self.source(&json!({})).await;
        self.set_key(&variable("GAZELLE_API_KEY")).await;
        sleep(Duration::from_millis(1_100)).await;
        self.fetch("users").await;
    }

    /// Restores the functions. The lease of a killed run holds for three minutes: the next round must find the lane
    /// free.
    async fn restore_functions(&self) {
        self.source(&json!({})).await;
        self.stack.set_timeout("HEALTH_FUNCTION", HEALTH_TIMEOUT_S).await;
        let lease = self.stack.s3.delete_object().bucket(variable("RAW_BUCKET")).key(LOOKBACK_STATE);
        lease.send().await.expect("no lease");
    }

    /// Restores the functions. A failed one has recovered after ten minutes without a failure: the alerter's state
    /// says so now.
    async fn forget_failures(&self) {
        self.restore_functions().await;
        self.edit_alerts(|state| {
            for (key, alert) in state["open"].as_object_mut().into_iter().flatten() {
                if key.starts_with("function_failed") {
                    alert["last"] = json!("2020-01-01T00:00:00Z");
                }
            }
        })
        .await;
    }

    /// Changes the alerter's state, again where it writes at the same moment.
    async fn edit_alerts(&self, edit: impl Fn(&mut Value)) {
        let s3 = &self.stack.s3;
        for _ in 0..EDIT_TRIES_MAX {
            let read = s3.get_object().bucket(variable("RAW_BUCKET")).key(ALERT_STATE).send().await;
            let held = read.expect("the alerter's state");
            let version = held.e_tag().map(str::to_owned);
            let bytes = held.body.collect().await.expect("a body").into_bytes();
            let mut book: Value = serde_json::from_slice(&bytes).expect("JSON");
            edit(&mut book["state"]);
            let write = s3.put_object().bucket(variable("RAW_BUCKET")).key(ALERT_STATE);
            let write = write.body(book.to_string().into_bytes().into()).set_if_match(version);
            if write.send().await.is_ok() {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }
}

/// Sets the state of the fetcher's frequent schedule, by the local stack's own command.
fn set_frequent_schedule(state: &str) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/local/stack.py");
    let name = variable("STACK_NAME");
    let mut command = Command::new("python3");
    let status = command.arg(program).args(["schedules", "--name", &name, "--schedules", state]).status();
    assert!(status.is_ok_and(|status| status.success()), "schedules of {name} are not {state}");
}
