//! Staging: every input is accepted once, and nothing is lost.

use db::{DatabaseConfig, Db, PoolMode};
use model::entity::{self, Entity};
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Returns a record that fits every entity's table.
pub(crate) fn record(id: &str) -> Value {
    json!({
        "id": id, "occurredAt": "2025-03-01T12:00:00Z", "firstName": "Zoé", "companyName": "École «Alma»",
        "make": "Heintzman", "tags": ["a"], "takenOn": "2025-03-01", "comment": "l'accord \"440\" 🎹\n\\",
    })
}

async fn staged(mirror: &Mirror, entity: &Entity) -> Vec<Value> {
    let table = entity.staging_table;
    mirror
        .rows(&format!(
            "select gazelle_id, raw_data, times_seen, outcome from {table} order by gazelle_id, content_hash"
        ))
        .await
}

#[sqlx::test(migrations = false)]
async fn repeated_delivery_is_staged_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("clients"), 0);
    run.page(&source, &[record("cli_1"), record("cli_2")]);
    run.end(&source, RunStatus::Success);
    for _ in 0..10 {
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    }
    let rows = staged(&mirror, entity("clients")).await;
    assert_eq!(rows.iter().map(|row| row["times_seen"].clone()).collect::<Vec<_>>(), [json!(1), json!(1)]);
    let counts = mirror.rows("select records_fetched, records_staged, records_duplicate, records_pending, status from sync_status").await;
    let expected = json!({"records_fetched": 2, "records_staged": 2, "records_duplicate": 0, "records_pending": 2, "status": "running"});
    assert_eq!(counts, [expected]);
}

#[sqlx::test(migrations = false)]
async fn repeated_content_is_one_row_with_a_count(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::fetched() {
        let source = MemorySource::default();
        for minute in 0..10 {
            let mut run = HandRun::new(entity, minute);
            run.page(&source, &[record("x"), Value::Null]);
            run.end(&source, RunStatus::Success);
        }
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        let rows = staged(&mirror, entity).await;
        let seen: Vec<_> =
            rows.iter().map(|row| (row["gazelle_id"].clone(), row["times_seen"].clone())).collect();
        assert_eq!(seen, [(json!(""), json!(10)), (json!("x"), json!(10))], "{}", entity.name);
        mirror.drain(entity).await;
        let open = mirror
            .value(&format!(
                "select count(*) from sync_status where sync_type = '{}' and status <> 'success'",
                entity.name
            ))
            .await;
        assert_eq!(open, json!(0), "{}: every run's equation closes", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn invalid_jsonb_is_repaired_without_loss(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let hostile = [
        r#"{"id":"nul","occurredAt":"2025-03-01T12:00:00Z","comment":"a\u0000b"}"#,
        r#"{"id":"surrogate","occurredAt":"2025-03-01T12:00:00Z","comment":"\ud800"}"#,
        r#"{"id":"number","occurredAt":"2025-03-01T12:00:00Z","duration":1e400000}"#,
    ];
    let mut nodes: Vec<String> =
        (0..50).map(|number| record(&format!("tme_{number:02}")).to_string()).collect();
    for (place, json) in hostile.into_iter().enumerate() {
        nodes.insert(place * 17 + 3, json.to_owned());
    }
    HandRun::new(entity("timeline"), 0).raw_page(&source, &nodes);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    for json in hostile {
        let id = json.split('"').nth(3).expect("an id");
        let kept = mirror
            .value(&format!("select raw_data #>> '{{$unrepresentable,json}}' from stg_timeline_entries where gazelle_id = '{id}'"))
            .await;
        assert_eq!(kept, json!(json), "the very bytes of {id}");
    }
    mirror.reconcile().await;
    let outcomes =
        mirror.rows("select outcome, count(*) from stg_timeline_entries group by 1 order by 1").await;
    assert_eq!(outcomes, [json!({"outcome": "promoted", "count": 53})]);
}

#[sqlx::test(migrations = false)]
async fn unreadable_object_is_quarantined_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    run.page(&source, &[record("usr_1")]);
    source.put("raw/users/2025/01/01/r/page-00001.json", "not JSON");
    source.put("raw/users/2025/01/01/r/page-00002.json", r#"{"metadata":{},"payload":{}}"#);
    source.put("raw/users/2025/01/01/r/page-00003.json", [0xff, 0xfe, 0x00]);
    source.put("raw/invoces/2025/01/01/r/page-00001.json", envelope("invoces", "{}"));
    source.put(
        "raw/clients/2025/01/01/r/page-00001.json",
        envelope("clients", r#"{"data":{"allClients":null}}"#),
    );
    source.put("runs/users/r.json", "{}");
    source.put("elsewhere/x.txt", "?");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let gone = stager::stage::stage(
        &mirror.db,
        &MemorySource::default(),
        &["raw/users/x/page-00009.json".to_owned()],
    )
    .await;
    assert!(gone.failed.is_empty(), "{gone:?}");
    assert_eq!(staged(&mirror, entity("users")).await.len(), 1);
    let aside = mirror.rows("select source_key, reason from quarantine order by source_key").await;
    let reason = |key: &str| {
        let row =
            aside.iter().find(|row| row["source_key"] == key).unwrap_or_else(|| panic!("{key} in {aside:?}"));
        row["reason"].as_str().unwrap_or_default().to_owned()
    };
    for (key, expected) in [
        ("raw/users/2025/01/01/r/page-00001.json", "invalid raw page"),
        ("raw/users/2025/01/01/r/page-00002.json", "invalid raw page: missing field"),
        ("raw/users/2025/01/01/r/page-00003.json", "invalid raw page"),
        ("raw/invoces/2025/01/01/r/page-00001.json", "unknown entity"),
        ("raw/clients/2025/01/01/r/page-00001.json", "`data.allClients` is missing or null"),
        ("runs/users/r.json", "invalid manifest"),
        ("elsewhere/x.txt", "the key is neither that of a raw page nor that of a manifest"),
        ("raw/users/x/page-00009.json", "the object does not exist any more"),
    ] {
        assert!(reason(key).starts_with(expected), "{key}: {}", reason(key));
    }
    let run = mirror.rows("select pages_staged, records_fetched, records_quarantined from sync_status where sync_type = 'clients'").await;
    let expected = json!({"pages_staged": 1, "records_fetched": 3, "records_quarantined": 3});
    assert_eq!(run, [expected], "the run of the unreadable page does not wait for it");
    let actions = mirror
        .value("select count(*) from admin_actions where kind = 'quarantined' and resolved_at is null")
        .await;
    assert_eq!(actions, json!(8), "a person is asked to look at each");
}

fn envelope(entity: &str, payload: &str) -> String {
    let metadata = json!({
        "schema_version": 1, "entity": entity, "mode": "full", "run_id": "r", "page": 1, "cursor": null,
        "fetched_at": "2025-01-01T00:00:00Z", "endpoint": "", "api_version": "", "query_sha256": "", "window": null,
        "record_count": 3, "fetcher_version": "test",
    });
    format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#)
}

#[sqlx::test(migrations = false)]
async fn concurrent_stagers_stage_each_page_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options.clone()).await;
    let other = Mirror::open(options).await;
    let source = MemorySource::default();
    for entity in entity::fetched() {
        let mut run = HandRun::new(entity, 0);
        for page in 0..20 {
            let nodes: Vec<Value> = (0..50).map(|number| record(&format!("{page}-{number}"))).collect();
            run.page(&source, &nodes);
        }
    }
    let (first, second) = tokio::join!(mirror.stage(&source), other.stage(&source));
    assert_eq!((first, second), (vec![], vec![]));
    for entity in entity::fetched() {
        let seen =
            mirror.rows(&format!("select count(*), sum(times_seen) from {}", entity.staging_table)).await;
        assert_eq!(seen, [json!({"count": 1000, "sum": 1000})], "{}", entity.name);
    }
}

#[tokio::test]
async fn database_outage_loses_nothing() {
    // No one listens there.
    let config = DatabaseConfig::new("postgres://nobody@127.0.0.1:1/none", "gazelle", PoolMode::Session)
        .expect("an address");
    let db = Db::new(&config);
    let source = MemorySource::default();
    let key = HandRun::new(entity("users"), 0).page(&source, &[record("usr_1")]);
    let staged = stager::stage::stage(&db, &source, std::slice::from_ref(&key)).await;
    let failed: Vec<&String> = staged.failed.iter().map(|(key, _)| key).collect();
    assert_eq!(failed, [&key], "it is announced again");
    assert!(staged.entities_to_reconcile.is_empty());
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    let drained = reconciler::reconcile::drain(&db, entity("users"), deadline).await;
    assert!(drained.is_err(), "{drained:?}");
}
