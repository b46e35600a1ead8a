//! Deletions need proof: silence, an error, a restricted view and elements without an id are none.

use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pipeline::DELETION_SHARE_MAX;
use protocol::manifest::RunStatus;
use reconciler::ReconcilerError;
use reconciler::deletion::{LookupSender, process_missing_records};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

/// Sender whose requests nobody serves.
struct Unserved;

impl LookupSender for Unserved {
    async fn send_lookup(&self, _: &Value) -> Result<(), ReconcilerError> {
        Ok(())
    }
}

async fn sweep(mirror: &Mirror) {
    mirror.reconcile().await;
    process_missing_records(&mirror.db, &Unserved, DELETION_SHARE_MAX).await.expect("the database");
}

/// Lists clients in a full run of that minute; `level` is the access level in its manifest.
async fn list(mirror: &Mirror, minute: i64, nodes: &[Value], level: Option<&str>) {
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("clients"), minute);
    run.page(&source, nodes);
    run.end(&source, RunStatus::Success);
    if let Some(level) = level {
        let key = source.keys().into_iter().find(|key| key.starts_with("runs/")).expect("a manifest");
        let mut manifest: Value = serde_json::from_slice(&source.get(&key).expect("it")).expect("JSON");
        manifest["access_level"] = json!(level);
        source.put(&key, manifest.to_string());
    }
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    sweep(mirror).await;
}

/// Stages the answer to a lookup of one client.
async fn answer(mirror: &Mirror, minute: i64, payload: &str) {
    let source = MemorySource::default();
    let key = HandRun::new(entity("clients"), minute).answer(&source, "cli_0", &Value::Null);
    let mut page: Value = serde_json::from_slice(&source.get(&key).expect("a page")).expect("JSON");
    page["payload"] = serde_json::from_str(payload).expect("JSON");
    source.put(&key, page.to_string());
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    sweep(mirror).await;
}

fn clients(numbers: std::ops::Range<usize>) -> Vec<Value> {
    numbers.map(|number| record(&format!("cli_{number}"))).collect()
}

async fn deleted(mirror: &Mirror) -> Value {
    mirror.value("select count(*) from clients where deleted_at is not null").await
}

#[sqlx::test(migrations = false)]
async fn silence_never_deletes(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    list(&mirror, 0, &clients(0..40), None).await;
    for minute in 1..6 {
        list(&mirror, minute * 10, &clients(1..40), None).await;
        // A day later, nobody has answered; then an error comes, and another record.
        sqlx::raw_sql("update missing_records set asked_at = now() - interval '3 days'")
            .execute(&mut mirror.connection().await)
            .await
            .expect("time passes");
        sweep(&mirror).await;
        answer(&mirror, minute * 10 + 1, r#"{"data":{"r0":null},"errors":[{"message":"non"}]}"#).await;
        answer(&mirror, minute * 10 + 2, r#"{"data":{"r0":{"id":"cli_1"}}}"#).await;
        answer(&mirror, minute * 10 + 3, r#"{"data":{}}"#).await;
        assert_eq!(deleted(&mirror).await, json!(0), "after {minute} listings");
    }
    let asked_again = "select asked_at > now() - interval '1 hour' as again from missing_records";
    assert_eq!(mirror.rows(asked_again).await.len(), 1, "it is still looked for");
    answer(&mirror, 90, r#"{"data":{"r0":null}}"#).await;
    assert_eq!(deleted(&mirror).await, json!(1));
}

#[sqlx::test(migrations = false)]
async fn restricted_user_deletes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    list(&mirror, 0, &clients(0..40), Some("ADMIN")).await;
    list(&mirror, 10, &clients(1..40), Some("TECHNICIAN")).await;
    answer(&mirror, 11, r#"{"data":{"r0":null}}"#).await;
    assert_eq!(deleted(&mirror).await, json!(0));
    assert_eq!(mirror.value("select count(*) from missing_records").await, json!(0), "nothing is missing");
    // The listing is sound, and the user is restricted before the record is looked up.
    list(&mirror, 20, &clients(1..40), Some("ADMIN")).await;
    list(&mirror, 30, &clients(1..40), Some("ASSISTANT")).await;
    answer(&mirror, 31, r#"{"data":{"r0":null}}"#).await;
    assert_eq!(deleted(&mirror).await, json!(0));
    list(&mirror, 40, &clients(1..40), Some("ADMIN")).await;
    answer(&mirror, 41, r#"{"data":{"r0":null}}"#).await;
    assert_eq!(deleted(&mirror).await, json!(1));
}

#[sqlx::test(migrations = false)]
async fn unidentified_elements_prove_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // Two elements have never had an id: they are no sign of anything.
    let known = [Value::Null, json!({"id": null, "companyName": "nobody"})];
    let with = |nodes: Vec<Value>, more: usize| {
        let unknown = std::iter::repeat_n(Value::Null, more);
        nodes.into_iter().chain(known.clone()).chain(unknown).collect::<Vec<_>>()
    };
    list(&mirror, 0, &with(clients(0..246), 0), None).await;
    for minute in 1..4 {
        list(&mirror, minute * 10, &with(clients(18..246), 18), None).await;
        answer(&mirror, minute * 10 + 1, r#"{"data":{"r0":null}}"#).await;
        assert_eq!(deleted(&mirror).await, json!(0), "listing {minute}");
    }
    let open = "select details -> 'unidentified' as n from admin_actions where kind = 'deletion_withheld' and resolved_at is null";
    assert_eq!(mirror.rows(open).await, [json!({"n": 18})], "a guard that stays shut speaks");
    // All come back but the first, which is gone indeed.
    list(&mirror, 50, &with(clients(1..246), 0), None).await;
    assert_eq!(mirror.rows(open).await, Vec::<Value>::new());
    answer(&mirror, 51, r#"{"data":{"r0":null}}"#).await;
    assert_eq!(deleted(&mirror).await, json!(1));
}

#[sqlx::test(migrations = false)]
async fn deletion_closes_the_failure_of_its_record(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let timeline = entity("timeline");
    let others: Vec<Value> = (0..20).map(|number| record(&format!("tme_{number}"))).collect();
    let mut all = others.clone();
    all.push(record("tme_x"));
    crate::promotion::sync(&mirror, timeline, 0, &all).await;
    let mut undated = record("tme_x");
    undated["occurredAt"] = Value::Null;
    crate::promotion::sync(&mirror, timeline, 1, &[undated]).await;
    let open = "select count(*) from admin_actions where kind = 'failed' and resolved_at is null";
    assert_eq!(mirror.value(open).await, json!(1));
    for minute in [10, 20] {
        crate::promotion::sync(&mirror, timeline, minute, &others).await;
        sweep(&mirror).await;
    }
    let gone = mirror.value("select count(*) from timeline_entries where deleted_at is not null").await;
    assert_eq!((gone, mirror.value(open).await), (json!(1), json!(0)));
}
