//! Audit and replay of raw pages: unannounced pages are found, incorrectly staged ones are
//! staged again, without a request to Gazelle.

use gazelle_sim::SimConfig;
use model::entity;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pipeline::Pipeline;
use pipeline_tests::source::TICK;
use protocol::manifest::RunStatus;
use protocol::request::Mode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

fn small() -> SimConfig {
    SimConfig { clients: 80, pianos: 90, timeline: 400, ..SimConfig::default() }
}

/// Returns every column of every production row.
async fn production(pipeline: &Pipeline) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for entity in entity::ALL {
        all.push(pipeline.mirror.rows(&format!("select * from {} order by id", entity.table)).await);
    }
    all
}

/// Applies edits and marked deletions.
async fn with_a_past(options: PgConnectOptions) -> Pipeline {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    for _ in 0..3 {
        pipeline.source.control("/_sim/advance", &json!({"edits": 12, "creates": 4, "deletes": 4})).await;
        pipeline.tick().await;
    }
    pipeline.sync(&Mode::Full).await;
    pipeline.sync(&Mode::Full).await;
    pipeline.assert_equals_the_source("before").await;
    pipeline
}

fn days() -> (String, String) {
    let day = |back: i64| (chrono::Utc::now() - chrono::TimeDelta::days(back)).format("%Y-%m-%d").to_string();
    (day(1), day(-1))
}

#[sqlx::test(migrations = false)]
async fn audit_finds_lost_event_and_closes_its_run(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    for entity in entity::fetched() {
        pipeline.source.fetch(entity, TICK).await;
    }
    // A third of the events never arrive, manifests among them.
    pipeline.lose_events(|key| key.contains("page-00002") || key.starts_with("runs/clients"));
    pipeline.settle().await;
    let open = "select sync_type from sync_status where status = 'running' order by 1";
    assert!(!pipeline.mirror.rows(open).await.is_empty(), "their runs wait");
    let found = pipeline.task(&json!({"task": "audit"})).await;
    assert!(found >= 4, "{found}");
    pipeline.settle().await;
    pipeline.assert_equals_the_source("after the audit").await;
    assert_eq!(pipeline.mirror.rows(open).await, Vec::<Value>::new());
    assert_eq!(pipeline.task(&json!({"task": "audit"})).await, 0, "all is known now");
}

#[sqlx::test(migrations = false)]
async fn full_replay_changes_no_production_row(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Box::pin(with_a_past(options)).await;
    let before = production(&pipeline).await;
    assert!(before.iter().flatten().any(|row| !row["deleted_at"].is_null()), "some are deleted");
    let requests = pipeline.source.stat("/requests").await;
    let seen = "select sum(times_seen) from stg_clients";
    let times = pipeline.mirror.value(seen).await;
    let (start, end) = days();
    for entity in entity::fetched() {
        let payload = json!({"task": "replay", "entity": entity.name, "start": start, "end": end});
        assert!(pipeline.task(&payload).await > 0, "{}", entity.name);
    }
    let pending =
        pipeline.mirror.value("select count(*) from stg_timeline_entries where not processed").await;
    assert!(pending.as_i64() > Some(300), "all of it is news again: {pending}");
    pipeline.settle().await;
    assert_eq!(production(&pipeline).await, before);
    assert_eq!(pipeline.source.stat("/requests").await, requests, "Gazelle was not asked");
    assert_eq!(pipeline.mirror.value(seen).await, times, "a record is not seen more often for it");
    let wrong = "select * from sync_status where status = 'running' or records_pending <> 0
        or records_fetched <> records_staged + records_duplicate + records_quarantined";
    assert_eq!(pipeline.mirror.rows(wrong).await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn replay_restores_lost_and_corrupt_rows(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Box::pin(with_a_past(options)).await;
    let before = production(&pipeline).await;
    // A wrong transform has spoiled a column; staging is lost.
    sqlx::raw_sql(
        "update clients set company_name = 'faux', version = version - 1 where deleted_at is null and not is_placeholder;
         truncate stg_clients",
    )
    .execute(&mut pipeline.mirror.connection().await)
    .await
    .expect("a mistake");
    let (start, end) = days();
    pipeline.task(&json!({"task": "replay", "entity": "clients", "start": start, "end": end})).await;
    pipeline.settle().await;
    pipeline.assert_equals_the_source("after the replay").await;
    let names = |all: &[Vec<Value>]| -> Vec<Value> {
        all[1]
            .iter()
            .map(|row| json!([row["id"], row["company_name"], row["version"], row["deleted_at"]]))
            .collect()
    };
    assert_eq!(names(&production(&pipeline).await), names(&before));
}

#[sqlx::test(migrations = false)]
async fn quarantined_page_is_staged_by_replay(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    for entity in entity::fetched() {
        pipeline.source.fetch(entity, TICK).await;
    }
    // An older version of us could not read one of the pages, and set it aside.
    let bucket = pipeline.bucket();
    let key = bucket.keys().into_iter().find(|key| key.starts_with("raw/clients/")).expect("a page");
    let bytes = bucket.get(&key).expect("an object");
    let page: protocol::raw_page::RawPage<'_> = serde_json::from_slice(&bytes).expect("a page");
    let clients = entity::find("clients").expect("clients");
    let item = db::staging::Quarantined {
        source_key: &key,
        kind: "object",
        entity: Some("clients"),
        reason: "an old bug",
        bytes: None,
        page: Some((clients, &page.metadata)),
    };
    db::staging::quarantine(&pipeline.mirror.db, &item).await.expect("the database is there");
    pipeline.settle().await;
    assert!(!pipeline.differences(clients).await.is_empty(), "its records are missing");
    let open = "select (select count(*) from quarantine where resolved_at is null) as aside,
        (select count(*) from admin_actions where kind = 'quarantined' and resolved_at is null) as asked,
        (select status from sync_status where sync_type = 'clients') as status";
    let before = json!({"aside": 1, "asked": 1, "status": "partial"});
    assert_eq!(pipeline.mirror.rows(open).await, [before]);
    let (start, end) = days();
    pipeline.task(&json!({"task": "replay", "entity": "clients", "start": start, "end": end})).await;
    pipeline.settle().await;
    pipeline.assert_equals_the_source("after the replay").await;
    let after = json!({"aside": 0, "asked": 0, "status": "success"});
    assert_eq!(pipeline.mirror.rows(open).await, [after]);
}

#[sqlx::test(migrations = false)]
async fn replay_of_pending_records_settles_each_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    let key = run.page(&source, &[record("usr_1"), record("usr_2")]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    db::staging::prepare_replay(&mirror.db, &[key]).await.expect("the database");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let ended = "select status, records_fetched, records_pending from sync_status where sync_type = 'users'";
    let expected = json!({"status": "success", "records_fetched": 2, "records_pending": 0});
    assert_eq!(mirror.rows(ended).await, [expected]);
}
