//! Invalid input to each function, as Lambda delivers it: a clear error, valid records pass,
//! nothing is lost.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use pipeline_tests::mirror::rows;
use pipeline_tests::stack::{Stack, variable};
use protocol::request::SyncRequest;
use serde_json::{Value, json};

fn sqs(bodies: &[String]) -> Value {
    let records: Vec<Value> = bodies
        .iter()
        .enumerate()
        .map(|(place, body)| json!({"messageId": format!("m{place}"), "body": body}))
        .collect();
    json!({ "Records": records })
}

fn announces(bucket: &str, key: &str) -> String {
    json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}]}).to_string()
}

#[tokio::test]
async fn invalid_fetch_request_names_field_and_accepted_values() {
    let stack = Stack::connect().await;
    for (payload, field, accepted) in [
        (json!({"entity": "invoces"}), "`entity`", "all, users, clients, pianos, timeline"),
        (json!({"entity": "timeline", "start": "2025-12-31", "end": "2025-12-01"}), "`end`", "a later one"),
        (json!({"entity": "timeline", "since": "2025-12-31"}), "`since`", "lookback_days"),
        (json!([]), "`payload`", "an object"),
    ] {
        let answer = stack.invoke("FETCHER_FUNCTION", &payload).await.expect("an answer, and no incident");
        assert_eq!(answer["error"], json!("invalid_request"), "{payload} → {answer}");
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field) && detail.contains(accepted), "{payload} → {detail}");
    }
}

#[tokio::test]
async fn invalid_stager_task_names_field_and_accepted_values() {
    let stack = Stack::connect().await;
    for (task, field, accepted) in [
        (json!({"task": "delete"}), "`task`", "audit, replay"),
        (json!({"task": "replay", "entity": "measurements"}), "`entity`", "users, clients"),
    ] {
        let answer = stack.invoke("STAGER_FUNCTION", &task).await.expect("an answer, and no incident");
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(detail.contains(field) && detail.contains(accepted), "{task} → {answer}");
    }
    let done = stack.invoke("STAGER_FUNCTION", &json!({"task": "audit"})).await.expect("an audit");
    // What other tests have just stored is still on its way.
    assert!(done["objects"].is_u64() && done["announced"] == json!(0), "{done}");
}

#[tokio::test]
async fn invalid_messages_do_not_fail_their_batch() {
    let stack = Stack::connect().await;
    let bucket = variable("RAW_BUCKET");
    let run = "20250101T000000000Z-0badcafe";
    let page = |entity: &str, payload: &str| {
        let metadata = json!({"schema_version": 1, "entity": entity, "mode": "repair", "run_id": run, "page": 1, "cursor": null,
            "fetched_at": "2020-01-01T00:00:00Z", "endpoint": "", "api_version": "", "query_sha256": "", "window": null,
            "record_count": 1, "fetcher_version": "test"});
        format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#)
    };
    // Under a prefix that rings nobody: this test is the one that announces it.
    let good = format!("raw/users/2025/01/01/{run}/page-00001.json");
    let broken = format!("raw/users/2025/01/01/{run}/page-00002.json");
    let unknown = format!("raw/widgets/2025/01/01/{run}/page-00001.json");
    for (key, body) in [
        (&good, page("users", r#"{"data":{"allUsers":[]}}"#)),
        (&broken, "{ no JSON".to_owned()),
        (&unknown, page("widgets", "{}")),
    ] {
        stack
            .s3
            .put_object()
            .bucket(&bucket)
            .key(key)
            .body(body.into_bytes().into())
            .send()
            .await
            .expect("an object");
    }
    let bodies = [
        announces(&bucket, &broken),
        "no JSON at all".to_owned(),
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": bucket}).to_string(),
        announces(&bucket, "raw/users/2025/01/01/gone/page-00001.json"),
        announces("another-bucket", &good),
        announces(&bucket, &unknown),
        announces(&bucket, &good),
    ];
    let answer = stack.invoke("STAGER_FUNCTION", &sqs(&bodies)).await.expect("an answer");
    assert_eq!(answer, json!({"batchItemFailures": []}), "none of them would be better the next time");
    let mut connection = stack.connection().await;
    let staged =
        rows(&mut connection, &format!("select source_key from staged_pages where run_id = '{run}'")).await;
    assert_eq!(staged, [json!({"source_key": good})]);
    let aside: BTreeMap<String, String> = rows(&mut connection, "select source_key, reason from quarantine")
        .await
        .into_iter()
        .map(|row| {
            (
                row["source_key"].as_str().unwrap_or_default().to_owned(),
                row["reason"].as_str().unwrap_or_default().to_owned(),
            )
        })
        .collect();
    for (key, reason) in [(&broken, "invalid raw page"), (&unknown, "unknown entity")] {
        assert!(aside.get(key).is_some_and(|found| found.starts_with(reason)), "{key}: {aside:#?}");
    }
    for reason in [
        "the body is not JSON",
        "it announces an object of another bucket",
        "the object does not exist any more",
    ] {
        assert!(aside.values().any(|found| found.starts_with(reason)), "{reason}: {aside:#?}");
    }
    let kept = rows(
        &mut connection,
        "select convert_from(bytes, 'UTF8') as body from quarantine where reason like 'the body is not JSON%'",
    )
    .await;
    assert!(kept.contains(&json!({"body": "no JSON at all"})), "{kept:?}");
}

#[tokio::test]
async fn unreadable_reconcile_request_reconciles_everything() {
    let stack = Stack::connect().await;
    for function in ["STAGER_FUNCTION", "RECONCILER_FUNCTION"] {
        let answer = stack.invoke(function, &json!({"detail": 1})).await.expect("an answer, and no incident");
        let detail = answer["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("`Records` is missing"), "{function}: {answer}");
    }
    let requests = ["no JSON", r#"{"entity":"widgets"}"#, r#"{"entity":"users"}"#].map(str::to_owned);
    let answer = stack.invoke("RECONCILER_FUNCTION", &sqs(&requests)).await.expect("an answer");
    assert_eq!(answer, json!({"batchItemFailures": []}));
}

#[tokio::test]
async fn unknown_route_and_method_name_the_accepted_ones() {
    let stack = Stack::connect().await;
    let event = |method: &str, path: &str| json!({"version": "2.0", "rawPath": path, "headers": {}, "requestContext": {"http": {"method": method}}});
    for (event, status, accepted) in [
        (event("GET", "/api/v5"), 404, "/api/v6/health"),
        (event("POST", "/healthz"), 405, "GET"),
        (json!({"hello": 1}), 400, "payload format 2.0"),
    ] {
        let answer = stack.invoke("HEALTH_FUNCTION", &event).await.expect("an answer");
        assert_eq!(answer["statusCode"], json!(status), "{answer}");
        assert!(answer["body"].as_str().unwrap_or_default().contains(accepted), "{answer}");
    }
}

/// Returns a sample payload of `infra/events`.
fn sample(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/events").join(name);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

#[tokio::test]
async fn every_sample_event_is_accepted_by_its_function() {
    for name in ["incremental.json", "full.json", "repair.json"] {
        let request = SyncRequest::parse(&sample(name), model::local_day::ZONE);
        assert!(request.is_ok(), "{name}: {request:?}");
    }
    let look = alerter::event::parse(&sample("look.json"), chrono::Utc::now());
    assert!(look.is_ok_and(|parsed| parsed.is_observation_due));
    let stack = Stack::connect().await;
    for (function, name) in [
        ("STAGER_FUNCTION", "sqs-s3-event.json"),
        ("STAGER_FUNCTION", "sqs-s3-test-event.json"),
        ("RECONCILER_FUNCTION", "sqs-reconcile-request.json"),
    ] {
        let answer = stack.invoke(function, &sample(name)).await.expect("an answer");
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
    }
    let answer = stack.invoke("HEALTH_FUNCTION", &sample("apigw-health.json")).await.expect("an answer");
    assert_eq!(answer["statusCode"], json!(401), "the sample's token is none: {answer}");
}

#[test]
fn invalid_variable_is_named_with_its_purpose() {
    // What the stack has deployed.
    let folder = std::env::current_exe()
        .expect("a path")
        .ancestors()
        .nth(4)
        .expect("the target folder")
        .join("lambda");
    for (function, variables, expected) in [
        ("fetcher", vec![], "RAW_BUCKET is missing (the bucket of raw pages"),
        (
            "fetcher",
            vec![("RAW_BUCKET", "b"), ("GAZELLE_SECRET_ID", "s"), ("PAGE_SIZE", "many")],
            "PAGE_SIZE is not a valid whole number",
        ),
        ("stager", vec![], "DATABASE_SECRET_ID is missing (the secret with the database's address)"),
        (
            "reconciler",
            vec![("DATABASE_MODE", "hurried")],
            "DATABASE_MODE is not accepted; accepted: session, transaction, direct",
        ),
        ("health", vec![("SYNC_INTERVAL_SECONDS", "0")], "SYNC_INTERVAL_SECONDS: accepted: 1 second or more"),
    ] {
        let output = Command::new(folder.join(function).join("bootstrap"))
            .env_clear()
            .envs(variables)
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("{function}: {error}"));
        let told =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(!output.status.success() && told.contains(expected), "{function}: {told}");
    }
}
