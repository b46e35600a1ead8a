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

/// Announcer that keeps the keys, and is slow.
#[derive(Default)]
struct SlowAnnouncer(std::sync::Mutex<Vec<String>>);

impl stager::Announcer for SlowAnnouncer {
    async fn announce(&self, keys: &[String]) -> Result<(), stager::StagerError> {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        self.0.lock().expect("no panic").extend_from_slice(keys);
        Ok(())
    }
}

/// Runs a task with little time, again and again until it is done; returns the announced keys and the invocations.
async fn in_small_steps(mirror: &Mirror, source: &MemorySource, payload: &Value) -> (Vec<String>, usize) {
    let announcer = SlowAnnouncer::default();
    for invocation in 1..200 {
        let task = stager::task::Task::parse(payload).expect("a task");
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_millis(20);
        let done = task.run(&mirror.db, source, &announcer, chrono::Utc::now(), deadline).await;
        if done.expect("the database").next.is_none() {
            return (announcer.0.into_inner().expect("no panic"), invocation);
        }
    }
    panic!("it never ends");
}

#[sqlx::test(migrations = false)]
async fn replay_continues_where_it_stopped(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let start = chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
    for day in 0..365 {
        for salt in 0..2 {
            let mut run = HandRun::started(entity("clients"), start + chrono::TimeDelta::days(day), salt);
            for page in 0..3 {
                run.page(&source, &[record(&format!("cli_{day}_{salt}_{page}"))]);
            }
            run.end(&source, RunStatus::Success);
        }
    }
    let pages: Vec<String> = source.keys().into_iter().filter(|key| key.starts_with("raw/")).collect();
    let day = |days: i64| (start + chrono::TimeDelta::days(days)).format("%Y-%m-%d").to_string();
    let payload = json!({"task": "replay", "entity": "clients", "start": day(0), "end": day(364)});
    let (announced, invocations) = in_small_steps(&mirror, &source, &payload).await;
    assert!(invocations > 2, "{invocations}");
    assert_eq!(announced, pages, "each page once, to the end");
    let left = mirror.value("select count(*) from unfinished_tasks").await;
    assert_eq!(left, json!(0));
    // An audit goes on with a replay that nobody asks for again.
    let task = stager::task::Task::parse(&payload).expect("a task");
    let announcer = SlowAnnouncer::default();
    let past = tokio::time::Instant::now();
    let stopped = task.run(&mirror.db, &source, &announcer, chrono::Utc::now(), past).await;
    assert!(stopped.expect("the database").next.is_some());
    let (mut announced, _) = in_small_steps(&mirror, &source, &json!({"task": "audit"})).await;
    announced.extend(announcer.0.into_inner().expect("no panic"));
    announced.sort();
    announced.dedup();
    assert!(pages.iter().all(|page| announced.contains(page)), "{} of {}", announced.len(), pages.len());
}

#[sqlx::test(migrations = false)]
async fn audit_continues_where_it_stopped(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let now = chrono::Utc::now();
    for back in 0..60 {
        let mut run = HandRun::started(entity("clients"), now - chrono::TimeDelta::days(back), 1);
        run.page(&source, &[record(&format!("cli_{back}"))]);
        run.end(&source, RunStatus::Success);
    }
    let (mut announced, invocations) =
        in_small_steps(&mirror, &source, &json!({"task": "audit", "days": 60})).await;
    assert!(invocations > 2, "{invocations}");
    announced.sort();
    assert_eq!(announced, source.keys(), "pages and manifests, each once");
}
