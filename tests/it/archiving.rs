//! Archive: settled staging rows leave the database only once they can be read back, and are restored on request.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use db::{DatabaseConfig, Db, PoolMode};
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::MemorySource;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use stager::raw_source::{ArchiveStore, ListedObject, RawSource, ReadObject};
use stager::task::Task;
use stager::{Announcer, StagerError, TaskResult};
use tokio::time::Instant;

use crate::promotion::sync;
use crate::staging::record;

struct Silent;

impl Announcer for Silent {
    async fn announce(&self, keys: &[String]) -> Result<(), StagerError> {
        panic!("nothing is announced here, and yet {keys:?}")
    }
}

/// Returns the moment of the test runs plus some days.
fn later(days: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + days)
}

async fn run(mirror: &Mirror, store: &impl ArchiveStore, payload: &Value) -> Result<TaskResult, StagerError> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    Task::parse(payload).expect("a task").run(&mirror.db, store, &Silent, later(40), deadline).await
}

/// Returns every column of every staging row.
async fn staged(mirror: &Mirror) -> Vec<Value> {
    let mut all = Vec::new();
    for entity in model::entity::ALL {
        all.extend(mirror.rows(&format!("select * from {} order by id", entity.staging_table)).await);
    }
    all
}

async fn fill(mirror: &Mirror) {
    for (place, entity) in model::entity::ALL.into_iter().enumerate() {
        let mut records: Vec<Value> =
            (0..20).map(|number| record(&format!("{}{number}", entity.name))).collect();
        records.extend([json!({"id": null}), Value::Null, json!("a text")]);
        records.push(json!({"id": format!("{}_note", entity.name), "occurredAt": "2025-03-01T12:00:00Z", "comment": "É".repeat(300_000)}));
        sync(mirror, entity, i64::try_from(place).unwrap_or(0), &records).await;
    }
    // One that a person must look at, and one that waits.
    sync(mirror, entity("timeline"), 30, &[json!({"id": "undated"})]).await;
    sqlx::raw_sql(
        "update sync_status set records_processed = records_processed - 1 where sync_type = 'users'
            and run_id = (select run_id from stg_users where gazelle_id = 'users3');
        update stg_users set processed = false where gazelle_id = 'users3'",
    )
    .execute(&mut mirror.connection().await)
    .await
    .expect("a row that waits");
}

#[sqlx::test(migrations = false)]
async fn archived_rows_restore_unchanged(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    fill(&mirror).await;
    let store = MemorySource::default();
    let before = staged(&mirror).await;
    let young = run(&mirror, &store, &json!({"task": "archive", "days": 60})).await.expect("it is done");
    assert_eq!(young, TaskResult::default(), "none is so old");
    let archived = run(&mirror, &store, &json!({"task": "archive"})).await.expect("it is done");
    let left = staged(&mirror).await;
    assert_eq!(usize::try_from(archived.records).ok(), Some(before.len() - left.len()));
    let left: Vec<&str> = left.iter().filter_map(|row| row["gazelle_id"].as_str()).collect();
    assert_eq!(left, ["users3", "undated"], "what waits and what failed stays");
    assert!(store.keys().iter().all(|key| key.starts_with("archive/stg_") && key.ends_with(".jsonl.zst")));
    assert!(
        store.keys()[0].contains("/2024/10/04/"),
        "by the day on which they were last seen: {:?}",
        store.keys()
    );
    let production = mirror.value("select count(*) from timeline_entries").await;
    for entity in model::entity::ALL {
        let payload =
            json!({"task": "restore", "entity": entity.name, "start": "2024-10-01", "end": "2024-10-31"});
        run(&mirror, &store, &payload).await.expect("it is done");
        let twice = run(&mirror, &store, &payload).await.expect("it is done");
        assert_eq!(twice.records, 0, "what is there stays as it is");
    }
    assert_eq!(staged(&mirror).await, before, "every column of every row");
    mirror.reconcile().await;
    assert_eq!(mirror.value("select count(*) from timeline_entries").await, production);
}

#[sqlx::test(migrations = false)]
async fn archived_content_is_recognized_when_it_returns(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let with = |name: &str| json!({"id": "usr_1", "firstName": name});
    sync(&mirror, entity("users"), 0, &[with("A")]).await;
    sync(&mirror, entity("users"), 20, &[with("B")]).await;
    let archived =
        run(&mirror, &MemorySource::default(), &json!({"task": "archive"})).await.expect("it is done");
    assert_eq!(archived.records, 2);
    // A page of minute 10 is delivered only now; the newest content comes again, too.
    sync(&mirror, entity("users"), 10, &[with("A")]).await;
    sync(&mirror, entity("users"), 30, &[with("B")]).await;
    let row = mirror.rows("select first_name, version from users where id = 'usr_1'").await;
    assert_eq!(row, [json!({"first_name": "B", "version": 2})]);
    // Content that was seen twice is as young as the second sighting, archived or not.
    sync(&mirror, entity("users"), 50, &[with("B")]).await;
    let archived =
        run(&mirror, &MemorySource::default(), &json!({"task": "archive"})).await.expect("it is done");
    assert!(archived.records > 0);
    sync(&mirror, entity("users"), 40, &[with("C")]).await;
    let row = mirror.rows("select first_name, version from users where id = 'usr_1'").await;
    assert_eq!(row, [json!({"first_name": "B", "version": 2})]);
}

/// Bucket that corrupts what is written to it.
struct Spoils(MemorySource);

impl RawSource for Spoils {
    async fn read(&self, key: &str) -> Result<ReadObject, StagerError> {
        self.0.read(key).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<ListedObject>, StagerError> {
        self.0.list(prefix, after).await
    }
}

impl ArchiveStore for Spoils {
    async fn write(&self, key: &str, mut bytes: Vec<u8>) -> Result<(), StagerError> {
        // All of it: a single bit may be one that decoding does not need.
        for byte in bytes.iter_mut().skip(8) {
            *byte ^= 0x55;
        }
        self.0.write(key, bytes).await
    }
}

#[sqlx::test(migrations = false)]
async fn missing_records_are_not_archived(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    sync(&mirror, entity("users"), 0, &[record("usr_1"), record("usr_2")]).await;
    sqlx::raw_sql("insert into missing_records (entity, id, run_id, missing_since) values ('users', 'usr_1', 'r', now())")
        .execute(&mut mirror.connection().await)
        .await
        .expect("a missing record");
    let archived =
        run(&mirror, &MemorySource::default(), &json!({"task": "archive"})).await.expect("it is done");
    assert_eq!(archived.records, 1);
    assert_eq!(mirror.value("select gazelle_id from stg_users").await, json!("usr_1"));
}

#[sqlx::test(migrations = false)]
async fn corrupt_archive_deletes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    fill(&mirror).await;
    let before = staged(&mirror).await;
    let refused = run(&mirror, &Spoils(MemorySource::default()), &json!({"task": "archive"})).await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(staged(&mirror).await, before);
}

#[tokio::test]
async fn scheduled_task_is_postponed_without_a_database() {
    // No one listens there.
    let config = DatabaseConfig::new("postgres://nobody@127.0.0.1:1/none", "gazelle", PoolMode::Session);
    let (db, source) = (Db::new(&config.expect("an address")), MemorySource::default());
    let task = Task::parse(&json!({"task": "archive"})).expect("a task");
    let begin = Instant::now();
    let stopped = task.run(&db, &source, &Silent, Utc::now(), begin + Duration::from_mins(5)).await;
    let Err(error) = stopped else { panic!("{stopped:?}") };
    assert!(error.is_database_unreachable() && task.is_scheduled(), "{error}");
    // Once, not once for each entity.
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    let by_hand = json!({"task": "replay", "entity": "users", "start": "2026-01-01", "end": "2026-01-02"});
    assert!(!Task::parse(&by_hand).expect("a task").is_scheduled(), "a person waits for it");
}

#[sqlx::test(migrations = false)]
async fn archived_successor_hides_no_return(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in model::entity::ALL {
        let (mut a, mut b) = (record("x"), record("x"));
        a["humidity"] = json!(40);
        b["humidity"] = json!(41);
        sync(&mirror, entity, 1, std::slice::from_ref(&a)).await;
        sync(&mirror, entity, 2, std::slice::from_ref(&b)).await;
        // The content that replaced the first one has left staging.
        let sql = format!("delete from {} where raw_data ->> 'humidity' = '41'", entity.staging_table);
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut mirror.connection().await)
            .await
            .expect("archived");
        sync(&mirror, entity, 3, std::slice::from_ref(&a)).await;
        let now = mirror
            .value(&format!("select raw_data -> 'humidity' from {} where id = 'x'", entity.table))
            .await;
        assert_eq!(now, json!(40), "{}", entity.name);
    }
}
