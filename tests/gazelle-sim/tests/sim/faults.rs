//! Faults do what they say, at rate 1.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::session::{Session, small};

const PAGE: &str = "{ allTimelineEntries(first: 20) { totalCount nodes { id } } }";

async fn with(faults: Value) -> Session {
    let session = Session::start(small()).await;
    session.post("/_sim/faults", faults).await;
    session
}

#[tokio::test]
async fn a_429_asks_for_a_wait_in_seconds_or_as_a_date() {
    let session = with(json!({"status_429": 1.0, "retry_after_s": 7})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    session.post("/_sim/faults", json!({"status_429": 1.0, "retry_after_http_date": true})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert!(response.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(session.get("/_sim/stats").await["by_status"], json!({"429": 2}));
}

#[tokio::test]
async fn a_500_is_no_json() {
    let session = with(json!({"status_500": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 500);
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn a_hanging_answer_comes_late_and_stopping_does_not_wait_for_it() {
    let session = with(json!({"hang": 1.0, "hang_s": 0.3})).await;
    let start = Instant::now();
    assert_eq!(session.graphql(PAGE, json!({})).await.status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(300));
    session.post("/_sim/faults", json!({"hang": 1.0})).await;
    let hanging = session.request("/graphql/private", &json!({"query": PAGE}));
    let hanging = tokio::spawn(hanging.header("x-gazelle-api-key", "sim-key").send());
    while session.get("/_sim/stats").await["faults"]["hang"] != 1 {
        tokio::task::yield_now().await;
    }
    session.sim.stop().await.unwrap();
    assert!(start.elapsed() < Duration::from_mins(1));
    assert!(hanging.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_dropped_connection_gives_no_answer() {
    let session = with(json!({"drop_connection": 1.0})).await;
    assert!(session.try_graphql(PAGE, json!({})).await.is_err());
    assert_eq!(session.get("/_sim/stats").await["faults"]["drop_connection"], 1);
}

#[tokio::test]
async fn a_truncated_answer_breaks_off_in_its_midst() {
    let session = with(json!({"truncate": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err());
}

#[tokio::test]
async fn invalid_json_does_not_parse() {
    let session = with(json!({"invalid_json": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 200);
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn a_graphql_error_comes_with_null_or_partial_data() {
    let session = with(json!({"graphql_error": 1.0})).await;
    let mut shapes = BTreeSet::new();
    for _ in 0..20 {
        let answer = session.query(PAGE, json!({})).await;
        assert!(answer["errors"][0]["message"].is_string());
        assert!(answer["data"]["allTimelineEntries"]["nodes"].is_null());
        shapes.insert(answer["data"].is_null());
    }
    assert_eq!(shapes.len(), 2);
}

#[tokio::test]
async fn null_nodes_replace_the_nodes_and_leave_the_count() {
    let session = with(json!({"null_nodes": 1.0})).await;
    let answer = session.query(PAGE, json!({})).await;
    let page = &answer["data"]["allTimelineEntries"];
    assert_eq!(page["totalCount"], 100);
    assert_eq!(page["nodes"], json!(vec![Value::Null; 20]));
}

#[tokio::test]
async fn shifted_pages_show_a_node_twice() {
    let session = with(json!({"shift_pages": 1.0})).await;
    let nodes = session.walk("allTimelineEntries", "", "id", 20).await;
    let ids: Vec<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    assert!(ids.iter().collect::<BTreeSet<_>>().len() < ids.len());
}

#[tokio::test]
async fn faults_keep_to_their_root_field_and_limit_and_end_when_cleared() {
    let session = with(json!({"status_500": 1.0, "root_field": "allUsers", "limit": 2})).await;
    let mut statuses = Vec::new();
    for query in [PAGE, "{ allUsers { id } }", "{ allUsers { id } }", "{ allUsers { id } }"] {
        statuses.push(session.graphql(query, json!({})).await.status().as_u16());
    }
    assert_eq!(statuses, [200, 500, 500, 200]);
    session.post("/_sim/faults", json!({"status_500": 1.0})).await;
    session.post("/_sim/faults", json!({})).await;
    assert_eq!(session.graphql(PAGE, json!({})).await.status(), 200);
}

#[tokio::test]
async fn statistics_count_by_operation_field_and_status() {
    let session = Session::start(small()).await;
    session.query("query Users { allUsers { id } }", json!({})).await;
    session.query("{ allUsers { id } user { id } }", json!({})).await;
    let stats = session.get("/_sim/stats").await;
    assert_eq!(stats["requests"], 2);
    assert_eq!(stats["by_operation"], json!({"Users": 1, "allUsers": 1}));
    assert_eq!(stats["by_root_field"], json!({"allUsers": 2, "user": 1}));
    assert_eq!(stats["by_status"], json!({"200": 2}));
    assert!((1..=2).contains(&stats["max_per_second"].as_u64().unwrap()));
    assert_eq!(session.get("/_sim/health").await, json!({"ok": true}));
}
