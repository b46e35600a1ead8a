//! Alerts of the deployed alerter: one notice, on a channel that works, and one when it is over.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use model::entity;
use pipeline_tests::function_process::{kill_idle, kill_running};
use pipeline_tests::inbox::{Inbox, now};
use pipeline_tests::mirror::rows;
use pipeline_tests::stack::{Stack, variable};
use protocol::alert::{AlertClass, AlertMessage, Signal};
use serde_json::{Value, json};
use tokio::sync::MutexGuard;
use tokio::time::sleep;

use crate::deployed::turn;

/// Delay within which a failure of executing code must be delivered.
const SOON: Duration = Duration::from_secs(30);

struct Environment {
    _turn: MutexGuard<'static, ()>,
    stack: Stack,
    inbox: Inbox,
    begun: f64,
}

impl Environment {
    /// Prepares the stack with an empty alert store and no open action.
    async fn clear() -> Self {
        let (turn, stack) = turn().await;
        let inbox = Inbox::default();
        inbox.faults(&json!({})).await;
        stack.sim("POST", "/_sim/faults", &json!({})).await;
        let mut connection = stack.connection().await;
        sqlx::query(
            "update admin_actions set resolved_at = now(), resolved_by = 'test' where resolved_at is null",
        )
        .execute(&mut connection)
        .await
        .expect("closed");
        // Reconcile requests from before may still arrive.
        sleep(Duration::from_secs(3)).await;
        let removed =
            stack.s3.delete_object().bucket(variable("RAW_BUCKET")).key("alerts/book.json").send().await;
        removed.expect("no book");
        Self { _turn: turn, stack, inbox, begun: now() }
    }

    async fn look(&self) {
        self.stack.invoke("ALERTER_FUNCTION", &json!({"task": "look"})).await.expect("a look");
    }

    async fn raise(&self, class: AlertClass, subject: &str, detail: &str) {
        let ping = AlertMessage::Signal(Signal::new(class, subject, detail, chrono::Utc::now()));
        let body = serde_json::to_string(&ping).expect("JSON");
        let queue = variable("ALERTS_QUEUE_URL");
        self.stack.sqs.send_message().queue_url(queue).message_body(body).send().await.expect("sent");
    }

    /// Returns this test's messages that contain the words.
    async fn told(&self, words: &str) -> Vec<String> {
        let all = self.inbox.slack().await;
        all.into_iter()
            .filter(|got| got.at >= self.begun && got.text.contains(words))
            .map(|got| got.text)
            .collect()
    }
}

/// Locks the table that the health queries read.
const LOCK: &str = "begin; lock table sync_status in access exclusive mode";

/// Returns an API request that queries the database.
fn liveness() -> Value {
    json!({"rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}})
}

#[tokio::test(flavor = "multi_thread")]
async fn hundred_identical_failures_are_one_alert() {
    let environment = Environment::clear().await;
    for _ in 0..100 {
        environment.raise(AlertClass::SyncFailed, "users", "HTTP 500").await;
    }
    environment
        .inbox
        .wait(environment.begun, &["🟠 Synchronisation en échec · Techniciens", "HTTP 500"], SOON)
        .await;
    // All of them are taken in before it is over.
    sleep(Duration::from_secs(8)).await;
    environment.stack.sync(&json!({"entity": "users"})).await;
    environment.look().await;
    let resolved =
        environment.inbox.wait(environment.begun, &["✅ Rétabli : Synchronisation en échec"], SOON).await;
    assert!(resolved.text.contains("100 fois"), "{}", resolved.text);
    environment.look().await;
    assert_eq!(environment.told("Synchronisation en échec").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_alerts_become_one_digest() {
    let environment = Environment::clear().await;
    let bodies: Vec<Value> = entity::ALL
        .iter()
        .map(|entity| {
            let ping = AlertMessage::Signal(Signal::new(
                AlertClass::SyncFailed,
                entity.name,
                "HTTP 503",
                chrono::Utc::now(),
            ));
            json!({"messageId": entity.name, "body": serde_json::to_string(&ping).expect("JSON")})
        })
        .collect();
    let answer = environment.stack.invoke("ALERTER_FUNCTION", &json!({ "Records": bodies })).await;
    assert_eq!(answer.expect("taken in"), json!({"batchItemFailures": []}));
    let told = environment.told("HTTP 503").await;
    assert_eq!(told.len(), 1, "{told:#?}");
    for entity in entity::ALL {
        assert!(told[0].contains(entity.title.french), "{}: {}", entity.name, told[0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slack_outage_falls_back_to_email_and_is_alerted() {
    let environment = Environment::clear().await;
    environment.inbox.faults(&json!({"status": 500})).await;
    let mark = format!("panne {}", now());
    environment.raise(AlertClass::SyncFailed, "users", &mark).await;
    let mut mails = String::new();
    for _ in 0..100 {
        mails = Value::from(environment.inbox.mails().await).to_string();
        if mails.contains(&mark) && mails.contains("Slack") {
            break;
        }
        sleep(Duration::from_millis(200)).await;
        environment.look().await;
    }
    assert!(mails.contains(&mark), "the mail has it");
    assert!(mails.contains("Les alertes ne passent plus par cette voie"), "{mails}");
    environment.inbox.faults(&json!({})).await;
    environment.raise(AlertClass::SyncFailed, "clients", "une autre").await;
    environment.inbox.wait(environment.begun, &["une autre"], SOON).await;
    environment.look().await;
    environment
        .inbox
        .wait(environment.begun, &["✅ Rétabli : Les alertes ne passent plus par cette voie"], SOON)
        .await;
    assert_eq!(environment.told(&mark).await.len(), 0, "the mail had it: nobody is told twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_alert_secret_loses_no_alert() {
    let environment = Environment::clear().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&lambda::aws_config().await);
    let put = async |text: &str| {
        secrets.put_secret_value().secret_id(variable("ALERTS_SECRET")).secret_string(text).send().await
    };
    let right =
        secrets.get_secret_value().secret_id(variable("ALERTS_SECRET")).send().await.expect("a secret");
    put("no JSON").await.expect("a secret");
    let mark = format!("secret {}", now());
    environment.raise(AlertClass::SyncFailed, "users", &mark).await;
    let mut mails = String::new();
    for _ in 0..100 {
        mails = Value::from(environment.inbox.mails().await).to_string();
        if mails.contains(&mark) && mails.contains("Les alertes ne passent plus par cette voie") {
            break;
        }
        sleep(Duration::from_millis(200)).await;
    }
    put(right.secret_string().unwrap_or_default()).await.expect("a secret");
    assert!(mails.contains(&mark), "the mail has it");
    assert!(mails.contains("Les alertes ne passent plus par cette voie"), "and says that Slack has not");
    environment.raise(AlertClass::SyncFailed, "clients", "une autre").await;
    environment.inbox.wait(environment.begun, &["une autre"], SOON).await;
    environment.look().await;
    environment
        .inbox
        .wait(environment.begun, &["✅ Rétabli : Les alertes ne passent plus par cette voie"], SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quarantine_alert_ends_when_its_action_is_closed() {
    let environment = Environment::clear().await;
    let key = format!("raw/users/2025/01/01/alerting-{}/page-00001.json", now());
    let put = environment
        .stack
        .s3
        .put_object()
        .bucket(variable("RAW_BUCKET"))
        .key(&key)
        .body(b"{ no JSON".to_vec().into());
    put.send().await.expect("an object");
    environment.inbox.wait(environment.begun, &["Donnée illisible mise de côté", &key], SOON).await;
    let mut connection = environment.stack.connection().await;
    let open = rows(
        &mut connection,
        "select id from admin_actions where kind = 'quarantined' and resolved_at is null",
    )
    .await;
    let bearer = format!("Bearer {}", variable("HEALTH_TOKEN"));
    for action in open {
        let path = format!("/api/v6/actions/{}/resolve", action["id"].as_str().expect("an id"));
        let (status, _, _) =
            environment.stack.ask("POST", &path, &[("authorization", bearer.as_str())]).await;
        assert_eq!(status, 303);
    }
    environment.look().await;
    environment.inbox.wait(environment.begun, &["✅ Rétabli : Donnée illisible"], SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crash_without_a_message_is_alerted() {
    let environment = Environment::clear().await;
    let mut connection = environment.stack.connection().await;
    sqlx::raw_sql(LOCK).execute(&mut connection).await.expect("a lock");
    let waiting = tokio::spawn(async {
        let stack = Stack::connect().await;
        stack.invoke("HEALTH_FUNCTION", &liveness()).await
    });
    sleep(Duration::from_secs(1)).await;
    kill_running("HEALTH_FUNCTION").await;
    assert!(waiting.await.expect("an end").is_err(), "it crashed");
    sqlx::raw_sql("rollback").execute(&mut connection).await.expect("no lock");
    environment
        .inbox
        .wait(environment.begun, &["Une fonction s'est arrêtée · health", "arrêt brutal"], SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn timeout_without_a_message_is_alerted() {
    let environment = Environment::clear().await;
    let mut connection = environment.stack.connection().await;
    sqlx::raw_sql(LOCK).execute(&mut connection).await.expect("a lock");
    environment.stack.set_timeout("HEALTH_FUNCTION", 2).await;
    let late = environment.stack.invoke("HEALTH_FUNCTION", &liveness()).await;
    sqlx::raw_sql("rollback").execute(&mut connection).await.expect("no lock");
    environment.stack.set_timeout("HEALTH_FUNCTION", 10).await;
    assert!(late.is_err(), "it was too late");
    environment
        .inbox
        .wait(environment.begun, &["Une fonction s'est arrêtée · health", "délai dépassé"], SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn database_outage_is_alerted_and_resolved() {
    let environment = Environment::clear().await;
    let secrets = aws_sdk_secretsmanager::Client::new(&lambda::aws_config().await);
    let put = async |text: &str| {
        secrets.put_secret_value().secret_id(variable("DATABASE_SECRET")).secret_string(text).send().await
    };
    let right =
        secrets.get_secret_value().secret_id(variable("DATABASE_SECRET")).send().await.expect("a secret");
    put(r#"{"url": "postgres://nobody:nothing@127.0.0.1:9/none"}"#).await.expect("a secret");
    kill_idle("ALERTER_FUNCTION");
    environment.look().await;
    put(right.secret_string().unwrap_or_default()).await.expect("a secret");
    kill_idle("ALERTER_FUNCTION");
    let told =
        environment.inbox.wait(environment.begun, &["🔴 La base de données ne répond pas"], SOON).await;
    assert!(!told.text.contains("nothing"), "no password: {}", told.text);
    let mails = Value::from(environment.inbox.mails().await).to_string();
    assert!(mails.contains("La base de données ne répond pas"), "urgent: on every way");
    sleep(Duration::from_secs(31)).await;
    environment.look().await;
    environment.inbox.wait(environment.begun, &["✅ Rétabli : La base de données ne répond pas"], SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_alerted_and_redriven() {
    let environment = Environment::clear().await;
    let dead = variable("RECONCILE_DLQ_URL");
    let letter = environment.stack.sqs.send_message().queue_url(&dead).message_body(r#"{"entity":"users"}"#);
    letter.send().await.expect("a dead letter");
    environment.look().await;
    environment
        .inbox
        .wait(environment.begun, &["🔴 Messages mis de côté · reconcile", "1 message(s)"], SOON)
        .await;
    environment.look().await;
    environment.inbox.wait(environment.begun, &["✅ Rétabli : Messages mis de côté"], SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn daily_report_covers_every_entity_and_open_action() {
    let environment = Environment::clear().await;
    environment.stack.sync(&json!({"entity": "users"})).await;
    environment.stack.invoke("ALERTER_FUNCTION", &json!({"task": "report"})).await.expect("a report");
    let report = environment.inbox.wait(environment.begun, &["📋 Rapport du"], SOON).await.text;
    for entity in entity::ALL {
        assert!(report.contains(entity.title.french), "{}: {report}", entity.name);
    }
    for words in ["À faire :", "Alertes ouvertes :", "Exécutions les plus lentes :", "fraîcheur"] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logged_error_reaches_sentry() {
    let environment = Environment::clear().await;
    let before = environment.inbox.sentry().await.len();
    // A message that no request of ours looks like: it is logged as an error, and delivered again.
    let message = json!({"Records": [{"messageId": "m1", "body": r#"{"entity":"widgets"}"#}]});
    environment.stack.invoke("FETCHER_FUNCTION", &message).await.expect("an answer");
    for _ in 0..100 {
        let errors = environment.inbox.sentry().await;
        if let Some(envelope) = errors
            .iter()
            .skip(before)
            .map(|error| error["envelope"].as_str().unwrap_or_default())
            .find(|text| text.contains("fetcher"))
        {
            assert!(envelope.contains("Could not serve a request"), "{envelope}");
            assert!(errors.last().is_some_and(|error| {
                error["auth"].as_str().is_some_and(|auth| auth.contains("sentry_key="))
            }));
            return;
        }
        sleep(Duration::from_millis(200)).await;
    }
    panic!("Sentry was told nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_event_is_refused_and_invalid_message_alerted() {
    let environment = Environment::clear().await;
    let refused = environment.stack.invoke("ALERTER_FUNCTION", &json!({"task": "dance"})).await;
    let refused = refused.expect("an answer, and no incident");
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|text| text.contains("`task`") && text.contains("accepted: look")),
        "{refused}"
    );
    let records = json!({"Records": [{"messageId": "a", "body": "no JSON"}, {"messageId": "b"}]});
    let answer = environment.stack.invoke("ALERTER_FUNCTION", &records).await.expect("taken in");
    assert_eq!(answer, json!({"batchItemFailures": []}));
    environment
        .inbox
        .wait(environment.begun, &["Une fonction s'est arrêtée", "Demande non livrée"], SOON)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_log_contains_secrets_or_customer_data() {
    let environment = Environment::clear().await;
    // Not in full: of those, few are taken for a sweep within half a day, and other tests need them.
    for entity in entity::fetched() {
        environment.stack.sync(&json!({"entity": entity.name})).await;
    }
    environment.look().await;
    let mut logs = String::new();
    for file in fs::read_dir(variable("STACK_LOGS")).expect("logs").flatten() {
        // Of the functions: what runs around them is no part of what is deployed.
        if file.file_name().to_string_lossy().contains("Function") {
            logs.push_str(&String::from_utf8_lossy(&fs::read(file.path()).expect("a log")));
        }
    }
    assert!(logs.contains("Settled") && logs.contains("trace.id"), "there are logs");
    let database = variable("DATABASE_URL");
    let password = database.split('@').next().and_then(|front| front.rsplit(':').next()).expect("a password");
    let mut planted: BTreeSet<String> = [
        variable("HEALTH_TOKEN"),
        variable("GAZELLE_API_KEY"),
        password.to_owned(),
        "/slack/local".to_owned(),
    ]
    .into();
    let mut connection = environment.stack.connection().await;
    for sql in [
        "select email as planted from clients where email like '%@%' limit 500",
        "select email as planted from users where email like '%@%' limit 100",
        "select comment as planted from timeline_entries where length(comment) > 20 limit 500",
        // Digits alone stand by chance in the microseconds of a moment.
        "select serial_number as planted from pianos where length(serial_number) > 5 and serial_number ~ '[^0-9]' limit 300",
    ] {
        for row in rows(&mut connection, sql).await {
            planted.extend(row["planted"].as_str().map(str::to_owned));
        }
    }
    assert!(planted.len() > 300, "{} planted values", planted.len());
    let shown: Vec<&String> = planted.iter().filter(|value| logs.contains(value.as_str())).collect();
    assert!(shown.is_empty(), "{shown:?}");
}
