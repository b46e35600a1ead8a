//! The health API on the deployed stack: page, metrics, runs, actions; and runs that end silently.

use std::collections::BTreeSet;

use model::entity;
use pipeline_tests::mirror::{Mirror, entity, rows};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::stack::variable;
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::deployed::turn;
use crate::staging::record;

/// Returns `zoe:<token>` as a browser's Basic header.
fn basic() -> String {
    format!("Basic {}", base64(format!("zoe:{}", variable("HEALTH_TOKEN")).as_bytes()))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let number =
            three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[usize::try_from(number >> (18 - 6 * place) & 63).unwrap_or(0)];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn dashboard_is_bilingual_and_requires_the_token() {
    let (_turn, stack) = turn().await;
    stack.sync(&json!({"entity": "users"})).await;
    let (status, headers, _) = stack.ask("GET", "/api/v6/dashboard", &[]).await;
    assert_eq!(status, 401);
    assert!(headers["www-authenticate"].starts_with("Basic "), "a browser asks for it: {headers:?}");
    for (accepted, word) in
        [("", "Fraîcheur"), ("en-CA,en;q=0.9", "Freshness"), ("fr-CA,en;q=0.5", "Fraîcheur")]
    {
        let shown = [("authorization", &*basic()), ("accept-language", accepted)];
        let (status, headers, page) = stack.ask("GET", "/api/v6/dashboard", &shown).await;
        assert_eq!(status, 200, "{page}");
        assert!(page.contains(word), "{accepted}: {page}");
        assert_eq!(headers["content-type"], "text/html; charset=utf-8");
        let policy = &headers["content-security-policy"];
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.contains("<script") && !page.contains("src="), "{page}");
        for entity in entity::ALL {
            assert!(
                page.contains(entity.title.french) || page.contains(entity.title.english),
                "{}",
                entity.name
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_runs_cover_every_entity() {
    let (_turn, stack) = turn().await;
    stack.sync(&json!({"entity": "users", "mode": "full"})).await;
    let bearer = format!("Bearer {}", variable("HEALTH_TOKEN"));
    let shown = [("authorization", bearer.as_str())];
    let (status, headers, text) = stack.ask("GET", "/api/v6/metrics", &shown).await;
    assert_eq!((status, headers["content-type"].as_str()), (200, "text/plain; version=0.0.4; charset=utf-8"));
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("gazelle_") && value.parse::<f64>().is_ok(), "{line}");
    }
    for entity in entity::ALL {
        assert!(text.contains(&format!("gazelle_freshness_percent{{entity=\"{}\"}}", entity.name)), "{text}");
    }
    let (status, runs) = stack.health("/api/v6/runs", Some(&variable("HEALTH_TOKEN"))).await;
    let runs = runs["runs"].as_array().expect("runs").clone();
    assert_eq!(status, 200);
    assert!(runs.iter().any(|run| run["entity"] == "users" && run["mode"] == "full"), "{runs:?}");
    let fields: BTreeSet<&str> = runs[0].as_object().expect("a run").keys().map(String::as_str).collect();
    let expected = [
        "completed_at", "entity", "error", "failed", "fetched", "mode", "pending", "promoted", "run_id",
        "started_at", "status",
    ];
    assert_eq!(fields, expected.into_iter().collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn action_is_closed_in_the_readers_name() {
    let (_turn, stack) = turn().await;
    let mut connection = stack.connection().await;
    sqlx::raw_sql("delete from admin_actions where subject = 'observing'; insert into admin_actions (kind, entity, subject) values ('unmatched', 'users', 'observing')")
        .execute(&mut connection)
        .await
        .expect("an action");
    let (_, actions) = stack.health("/api/v6/actions", Some(&variable("HEALTH_TOKEN"))).await;
    let actions = actions["actions"].as_array().expect("actions").clone();
    let action = actions.iter().find(|action| action["subject"] == "observing").expect("it is open");
    let path = format!("/api/v6/actions/{}/resolve", action["id"].as_str().expect("an id"));
    let state = "select resolved_by from admin_actions where subject = 'observing'";
    for (headers, expected) in [
        (vec![], 401),
        (vec![("authorization", basic())], 403),
        (vec![("authorization", basic()), ("sec-fetch-site", "cross-site".to_owned())], 403),
    ] {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(stack.ask("POST", &path, &headers).await.0, expected);
        assert_eq!(rows(&mut connection, state).await, [json!({"resolved_by": null})]);
    }
    let headers = [("authorization", &*basic()), ("sec-fetch-site", "same-origin")];
    let (status, answered, _) = stack.ask("POST", &path, &headers).await;
    assert_eq!((status, answered["location"].as_str()), (303, "/api/v6/dashboard"));
    assert_eq!(rows(&mut connection, state).await, [json!({"resolved_by": "zoe"})]);
    assert_eq!(stack.ask("GET", &path, &headers).await.0, 404, "the gateway knows no such route");
}

#[sqlx::test(migrations = false)]
async fn silent_run_is_closed_as_failed_and_can_resume(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    run.page(&source, &[record("usr_1")]);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let state = "select status, error_summary, completed_at is not null as ended from sync_status";
    let closed = db::runs::close_silent_runs(&mirror.db).await.expect("the database is there");
    assert_eq!(closed, Vec::<String>::new(), "its page was staged just now");
    sqlx::raw_sql("update staged_pages set staged_at = now() - interval '31 minutes'")
        .execute(&mut mirror.connection().await)
        .await
        .expect("time goes by");
    let closed = db::runs::close_silent_runs(&mirror.db).await.expect("the database is there");
    assert_eq!(closed, [format!("users {}", run.run_id.as_str())]);
    let failed = json!({"status": "failed", "error_summary": {"watchdog": "the run ended without a word"}, "ended": true});
    assert_eq!(mirror.rows(state).await, [failed]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let success: Vec<Value> = mirror.rows(state).await;
    assert_eq!(success, [json!({"status": "success", "error_summary": null, "ended": true})]);
    let score = "select data_freshness_score is not null and performance_metrics ? 'seconds' as measured from sync_status";
    assert_eq!(mirror.rows(score).await, [json!({"measured": true})]);
}
