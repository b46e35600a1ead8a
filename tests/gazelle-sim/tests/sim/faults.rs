//! Injected faults, at a rate of 1, and request statistics.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::session::{Session, small_config};

const PAGE: &str = "{ allTimelineEntries(first: 20) { totalCount nodes { id } } }";

async fn with_faults(faults: Value) -> Session {
    let session = Session::start(small_config()).await;
    session.post("/_sim/faults", faults).await;
    session
}

#[tokio::test]
async fn status_429_sends_retry_after_seconds_or_date() {
    let session = with_faults(json!({"status_429": 1.0, "retry_after_s": 7})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers()["retry-after"], "7");
    session.post("/_sim/faults", json!({"status_429": 1.0, "retry_after_http_date": true})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert!(response.headers()["retry-after"].to_str().unwrap().ends_with(" GMT"));
    assert_eq!(session.get("/_sim/stats").await["by_status"], json!({"429": 2}));
}

#[tokio::test]
async fn status_500_body_is_not_json() {
    let session = with_faults(json!({"status_500": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 500);
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn hang_delays_response_but_not_shutdown() {
    let session = with_faults(json!({"hang": 1.0, "hang_s": 0.3})).await;
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
async fn dropped_connection_gives_no_response() {
    let session = with_faults(json!({"drop_connection": 1.0})).await;
    assert!(session.try_graphql(PAGE, json!({})).await.is_err());
    assert_eq!(session.get("/_sim/stats").await["faults"]["drop_connection"], 1);
}

#[tokio::test]
async fn truncated_response_body_is_incomplete() {
    let session = with_faults(json!({"truncate": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err());
}

#[tokio::test]
async fn invalid_json_does_not_parse() {
    let session = with_faults(json!({"invalid_json": 1.0})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 200);
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).is_err());
}

#[tokio::test]
async fn graphql_error_has_null_or_partial_data() {
    let session = with_faults(json!({"graphql_error": 1.0})).await;
    let mut shapes = BTreeSet::new();
    for _ in 0..20 {
        let body = session.query(PAGE, json!({})).await;
        assert!(body["errors"][0]["message"].is_string());
        assert!(body["data"]["allTimelineEntries"]["nodes"].is_null());
        shapes.insert(body["data"].is_null());
    }
    assert_eq!(shapes.len(), 2);
}

#[tokio::test]
async fn null_nodes_keep_total_count() {
    let session = with_faults(json!({"null_nodes": 1.0})).await;
    let body = session.query(PAGE, json!({})).await;
    let page = &body["data"]["allTimelineEntries"];
    assert_eq!(page["totalCount"], 100);
    assert_eq!(page["nodes"], json!(vec![Value::Null; 20]));
}

#[tokio::test]
async fn shifted_pages_repeat_a_node() {
    let session = with_faults(json!({"shift_pages": 1.0})).await;
    let nodes = session.fetch_all("allTimelineEntries", "", "id", 20).await;
    let ids: Vec<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    assert!(ids.iter().collect::<BTreeSet<_>>().len() < ids.len());
}

#[tokio::test]
async fn faults_respect_root_field_limit_and_clear() {
    let session = with_faults(json!({"status_500": 1.0, "root_field": "allUsers", "limit": 2})).await;
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
async fn stats_count_by_operation_field_and_status() {
    let session = Session::start(small_config()).await;
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

async fn body(response: reqwest::Response) -> Value {
    serde_json::from_str(&response.text().await.unwrap()).unwrap()
}

#[tokio::test]
async fn lasting_faults_follow_their_records() {
    let session = Session::start(small_config()).await;
    let listing = "{ allClients(first: 20) { totalCount nodes { id } } }";
    let page = session.query(listing, json!({})).await;
    let nodes = page["data"]["allClients"]["nodes"].as_array().unwrap();
    let ids: Vec<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let place = nodes.iter().position(|node| node["id"] == ids[0]).unwrap();
    let lookup =
        format!("{{ a: client(id: \"{}\") {{ id }} b: client(id: \"{}\") {{ id }} }}", ids[0], ids[1]);
    session.post("/_sim/faults", json!({"records": {"unservable": [ids[0]]}})).await;
    assert_eq!(session.graphql(listing, json!({})).await.status(), 502);
    assert_eq!(session.graphql(&lookup, json!({})).await.status(), 502);
    session.post("/_sim/faults", json!({"records": {"unanswered": [ids[0]], "count_cap": 2}})).await;
    let answer = body(session.graphql(&lookup, json!({})).await).await;
    assert_eq!(answer["data"], json!({"a": null, "b": {"id": ids[1]}}));
    assert_eq!(answer["errors"][0]["path"], json!(["a"]));
    assert_eq!(session.query(listing, json!({})).await["data"]["allClients"]["totalCount"], 2);
    session.post("/_sim/faults", json!({"records": {"restricted": [ids[0]]}})).await;
    assert_eq!(session.query(listing, json!({})).await["data"]["allClients"]["nodes"][place], Value::Null);
    assert_eq!(session.query(&lookup, json!({})).await["data"]["a"], Value::Null);
}

#[tokio::test]
async fn value_faults_change_the_form_and_not_the_value() {
    let session = with_faults(json!({
        "records": {"text_numbers": true, "long_instants": true, "malformed_errors": true},
    }))
    .await;
    let answer = session.graphql("{ allPianos(first: 20) { nodes { id year createdAt } } }", json!({})).await;
    let answer = body(answer).await;
    let nodes = answer["data"]["allPianos"]["nodes"].as_array().unwrap();
    assert!(nodes.iter().all(|node| !node["year"].is_number()));
    assert!(nodes.iter().any(|node| node["year"].is_string()));
    assert!(
        nodes.iter().any(|node| node["createdAt"].as_str().is_some_and(|text| text.ends_with(".0000000Z")))
    );
    assert_eq!(answer["errors"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn body_error_has_status_200_and_its_code() {
    let session = with_faults(json!({"body_error": 1.0, "body_error_code": "UNAUTHENTICATED"})).await;
    let response = session.graphql(PAGE, json!({})).await;
    assert_eq!(response.status(), 200);
    let body = body(response).await;
    assert_eq!(body["data"], Value::Null);
    assert_eq!(body["errors"][0]["extensions"]["code"], "UNAUTHENTICATED");
}
