//! The pipeline on the deployed stack: the test invokes the fetcher, as Scheduler does, and waits;
//! events do the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::entity::{self, Entity};
use pipeline_tests::mirror::{Mirror, rows};
use pipeline_tests::stack::{Stack, variable};
use pipeline_tests::truth::differences;
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep};

/// Serializes the tests of this file, which share one source and one mirror.
static STACK: Mutex<()> = Mutex::const_new(());

pub(crate) async fn turn() -> (MutexGuard<'static, ()>, Stack) {
    (STACK.lock().await, Stack::connect().await)
}

async fn truth(stack: &Stack, entity: &Entity) -> Value {
    stack.sim("GET", &format!("/_sim/truth/{}", entity.name), &Value::Null).await
}

/// Compares every row, field by field, with the expected mirror.
async fn assert_equals_the_source(stack: &Stack, entity: &Entity) {
    let truth = truth(stack, entity).await;
    let differences = differences(&mut stack.connection().await, entity, &truth).await;
    assert!(
        differences.is_empty(),
        "{}: {} differences, such as {:#?}",
        entity.name,
        differences.len(),
        &differences[..differences.len().min(10)]
    );

    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let placeholders: BTreeSet<String> =
        truth["placeholders"].as_array().expect("ids").iter().map(text).collect();
    let mut connection = stack.connection().await;
    let made_up =
        rows(&mut connection, &format!("select id from {} where is_placeholder", entity.table)).await;
    let made_up: BTreeSet<String> = made_up.iter().map(|row| text(&row["id"])).collect();
    assert_eq!(made_up, placeholders, "{}: made up are exactly the ids that no one lists", entity.name);

    let skipped = rows(&mut connection, &format!("select last_error as reason, sum(times_seen)::int as n from {} where outcome = 'skipped' group by 1", entity.staging_table)).await;
    let reasons: BTreeSet<&str> = skipped.iter().filter_map(|row| row["reason"].as_str()).collect();
    let expected: BTreeSet<&str> =
        [("null_node", "the node is null"), ("null_id", "the id is missing or not usable")]
            .into_iter()
            .filter(|(kind, _)| truth["skipped"][kind].as_u64().unwrap_or(0) > 0)
            .map(|(_, reason)| reason)
            .collect();
    assert_eq!(reasons, expected, "{}: every skipped record has its reason", entity.name);
}

async fn assert_counts_add_up(stack: &Stack) {
    let mut connection = stack.connection().await;
    let wrong = rows(
        &mut connection,
        "select sync_type, run_id from sync_status
         where records_fetched <> records_staged + records_duplicate + records_quarantined
            or records_pending <> 0 or (status = 'success' and source_count is not null and source_count <> records_fetched + records_outside + records_passed)",
    )
    .await;
    assert_eq!(wrong, Vec::<Value>::new());
}

async fn physical(stack: &Stack) -> Vec<Value> {
    Mirror::physical(&mut stack.connection().await).await
}

async fn staged(stack: &Stack) -> Vec<Value> {
    let mut connection = stack.connection().await;
    let mut all = Vec::new();
    for entity in entity::ALL {
        all.extend(rows(&mut connection, &format!("select count(*) from {}", entity.staging_table)).await);
    }
    all
}

/// Returns the ids that `advance` changed, by entity and kind of change.
fn moved_ids(advance: &Value, entity: &Entity, kind: &str) -> BTreeSet<String> {
    let ids = advance[entity.name][kind].as_array().cloned().unwrap_or_default();
    ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn production_equals_source_and_only_changes_move() {
    let (_turn, stack) = turn().await;
    let runs = stack.sync(&json!({"entity": "all", "mode": "full"})).await;
    // What was cut short is asked for in a run of its own.
    let full = runs.iter().filter(|run| run["mode"] == "full");
    let statuses: Vec<_> = full.map(|run| (run["entity"].clone(), run["status"].clone())).collect();
    let expected: Vec<_> = entity::fetched().map(|entity| (json!(entity.name), json!("success"))).collect();
    assert_eq!(statuses, expected, "{runs:#?}");
    for entity in entity::ALL {
        assert_equals_the_source(&stack, entity).await;
    }
    assert_counts_add_up(&stack).await;

    let (before, staged_before) = (physical(&stack).await, staged(&stack).await);
    stack.sync(&json!({"entity": "all", "mode": "full"})).await;
    assert_eq!(staged(&stack).await, staged_before, "no staging row is added");
    let after = physical(&stack).await;
    assert!(
        after == before,
        "{} rows were written",
        after.iter().filter(|row| !before.contains(row)).count()
    );

    let key = |row: &Value| format!("{} {}", row["entity"], row["id"]);
    let versions: BTreeMap<_, _> = before.iter().map(|row| (key(row), row["version"].clone())).collect();
    let advance = stack.sim("POST", "/_sim/advance", &json!({"creates": 12, "edits": 16})).await;
    stack.sync(&json!({"entity": "all", "mode": "full"})).await;
    for entity in entity::ALL {
        assert_equals_the_source(&stack, entity).await;
        let mut created = BTreeSet::new();
        let mut edited = BTreeSet::new();
        for row in physical(&stack).await.into_iter().filter(|row| row["entity"] == entity.table) {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            match versions.get(&key(&row)) {
                None => drop(created.insert(id)),
                Some(version) if *version != row["version"] => drop(edited.insert(id)),
                Some(_) => {}
            }
        }
        assert_eq!(created, moved_ids(&advance, entity, "created"), "{}: {advance:#}", entity.name);
        assert_eq!(edited, moved_ids(&advance, entity, "edited"), "{}: {advance:#}", entity.name);
    }
    assert_counts_add_up(&stack).await;

    let token = variable("HEALTH_TOKEN");
    let (status, health) = stack.health("/api/v6/health", Some(&token)).await;
    assert_eq!(status, 200, "{health:#}");
    let names: BTreeSet<&str> = health.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(names, entity::ALL.into_iter().map(|entity| entity.name).collect(), "one key per entity");
    for (name, entity) in health.as_object().expect("an object") {
        let fields: BTreeSet<&str> =
            entity.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = ["completeness", "freshness", "indicators", "last_sync", "records_pending", "status"];
        assert!(expected.iter().all(|field| fields.contains(field)), "{name}: {fields:?}");
        assert_eq!((&entity["status"], &entity["records_pending"]), (&json!("healthy"), &json!(0)), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deletions_are_looked_up_and_marked_by_themselves() {
    let (_turn, stack) = turn().await;
    stack.sync(&json!({"entity": "all", "mode": "full"})).await;
    let moved = stack.sim("POST", "/_sim/advance", &json!({"deletes": 8, "merges": 2})).await;
    stack.sync(&json!({"entity": "all", "mode": "full"})).await;
    // The reconciler asks, the fetcher answers, the reconciler marks: by queues alone.
    let deadline = Instant::now() + Duration::from_mins(4);
    loop {
        let mut open = Vec::new();
        for entity in entity::ALL {
            let truth = truth(&stack, entity).await;
            open.extend(differences(&mut stack.connection().await, entity, &truth).await);
        }
        if open.is_empty() {
            break;
        }
        assert!(Instant::now() < deadline, "{open:#?}");
        sleep(Duration::from_secs(1)).await;
    }
    for entity in entity::ALL {
        let sql = format!("select id from {} where deleted_at is not null", entity.table);
        let rows = rows(&mut stack.connection().await, &sql).await;
        let deleted: BTreeSet<String> =
            rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect();
        let gone = moved_ids(&moved, entity, "deleted");
        assert!(gone.is_subset(&deleted), "{}: {gone:?} of {deleted:?}", entity.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_api_requires_token_except_healthz() {
    let (_turn, stack) = turn().await;
    for token in [None, Some("wrong"), Some("")] {
        let (status, body) = stack.health("/api/v6/health", token).await;
        assert_eq!((status, &body["error"]), (401, &json!("unauthorised")), "{token:?}");
    }
    let (status, body) = stack.health("/healthz", None).await;
    assert!(matches!(status, 200 | 503), "{body}");
    assert_eq!(body.as_object().map(|body| body.keys().cloned().collect()), Some(vec!["status".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn archive_restore_and_retry_work_by_invocation() {
    let (_turn, stack) = turn().await;
    stack.sync(&json!({"entity": "clients", "mode": "full"})).await;
    let mut connection = stack.connection().await;
    // Half a year has gone by.
    sqlx::raw_sql("update stg_clients set fetched_at = fetched_at - interval '180 days', first_fetched_at = first_fetched_at - interval '180 days'")
        .execute(&mut connection)
        .await
        .expect("older rows");
    let staged = "select count(*) as n, min(fetched_at)::date as first, max(fetched_at)::date as last from stg_clients";
    let before = rows(&mut connection, staged).await.remove(0);
    let archived = stack.invoke("STAGER_FUNCTION", &json!({"task": "archive"})).await.expect("it is done");
    assert_eq!(archived["records"], before["n"], "{archived}");
    assert_eq!(rows(&mut connection, staged).await[0]["n"], json!(0));
    let payload =
        json!({"task": "restore", "entity": "clients", "start": before["first"], "end": before["last"]});
    let restored = stack.invoke("STAGER_FUNCTION", &payload).await.expect("it is done");
    assert_eq!(restored["records"], before["n"], "{restored}");
    assert_eq!(rows(&mut connection, staged).await.remove(0), before);
    let retried = stack
        .invoke("RECONCILER_FUNCTION", &json!({"task": "retry", "entity": "all"}))
        .await
        .expect("it is done");
    assert_eq!(
        retried["retried"].as_object().map(serde_json::Map::len),
        Some(entity::ALL.len()),
        "{retried}"
    );
    let refused = stack.invoke("RECONCILER_FUNCTION", &json!({"task": "retry", "entity": "widgets"})).await;
    let message = refused.expect("an answer, and no incident")["detail"].to_string();
    assert!(message.contains("`entity`") && message.contains("users"), "{message}");
}
