//! Authentication: API key, OAuth grants and token expiry.

use gazelle_sim::SimConfig;
use serde_json::{Value, json};

use crate::session::{Session, small_config};

async fn refresh(session: &Session, refresh_token: &str) -> (u16, Value) {
    let form = format!(
        "grant_type=refresh_token&client_id=sim-client&client_secret=sim-secret&refresh_token={refresh_token}"
    );
    token(session, form).await
}

async fn token(session: &Session, form: String) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(format!("{}/developer/oauth/token", session.sim.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

async fn status_with(session: &Session, header: &str, value: &str) -> u16 {
    let request = session.request("/graphql/private/", &json!({"query": "{ user { id } }"}));
    request.header(header, value).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn invalid_credentials_return_401() {
    let session = Session::start(small_config()).await;
    let response =
        session.request("/graphql/private", &json!({"query": "{ user { id } }"})).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(serde_json::from_str::<Value>(&response.text().await.unwrap()).unwrap()["errors"].is_array());
    assert_eq!(status_with(&session, "x-gazelle-api-key", "wrong").await, 401);
    assert_eq!(status_with(&session, "authorization", "Bearer wrong").await, 401);
    assert_eq!(status_with(&session, "x-gazelle-api-key", "sim-key").await, 200);
    assert_eq!(session.get_status("/graphql/private").await, 405);
}

#[tokio::test]
async fn refresh_rotates_token_and_revokes_old_one() {
    let session = Session::start(small_config()).await;
    let (status, first) = refresh(&session, "sim-refresh-1").await;
    assert_eq!((status, &first["expires_in"]), (200, &json!(7200)));
    assert!(first["created_at"].is_i64());
    let bearer = format!("Bearer {}", first["access_token"].as_str().unwrap());
    assert_eq!(status_with(&session, "authorization", &bearer).await, 200);
    let (status, body) = refresh(&session, "sim-refresh-1").await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    let (status, second) = refresh(&session, first["refresh_token"].as_str().unwrap()).await;
    assert_eq!(status, 200);
    assert_ne!(first["access_token"], second["access_token"]);
    let stats = session.get("/_sim/stats").await;
    assert_eq!((&stats["tokens_issued"], &stats["tokens_refreshed"]), (&json!(2), &json!(2)));
}

#[tokio::test]
async fn refresh_without_rotation_keeps_token() {
    let session = Session::start(small_config()).await;
    session.post("/_sim/faults", json!({"rotate_refresh_token": false})).await;
    for _ in 0..2 {
        let (status, body) = refresh(&session, "sim-refresh-1").await;
        assert_eq!((status, body.get("refresh_token")), (200, None));
    }
}

#[tokio::test]
async fn unsupported_grant_and_client_are_rejected() {
    let session = Session::start(small_config()).await;
    let (status, body) = token(&session, "grant_type=client_credentials&client_id=sim-client".into()).await;
    assert_eq!((status, &body["error"]), (400, &json!("unsupported_grant_type")));
    let (status, body) = token(&session, "grant_type=refresh_token&client_id=other".into()).await;
    assert_eq!((status, &body["error"]), (401, &json!("invalid_client")));
}

#[tokio::test]
async fn tokens_expire_by_ttl_and_on_demand() {
    let session = Session::start(SimConfig { token_ttl_s: 0, ..small_config() }).await;
    let (_, expired) = refresh(&session, "sim-refresh-1").await;
    let bearer = format!("Bearer {}", expired["access_token"].as_str().unwrap());
    assert_eq!(status_with(&session, "authorization", &bearer).await, 401);
    session.post("/_sim/faults", json!({"token_ttl_s": 60})).await;
    let (_, lasting) = refresh(&session, expired["refresh_token"].as_str().unwrap()).await;
    let bearer = format!("Bearer {}", lasting["access_token"].as_str().unwrap());
    assert_eq!(status_with(&session, "authorization", &bearer).await, 200);
    session.post("/_sim/expire", json!({"access": true, "refresh": true})).await;
    assert_eq!(status_with(&session, "authorization", &bearer).await, 401);
    assert_eq!(refresh(&session, lasting["refresh_token"].as_str().unwrap()).await.0, 400);
}

#[tokio::test]
async fn stopped_server_refuses_connections() {
    let session = Session::start(small_config()).await;
    let url = session.sim.url.clone();
    session.sim.stop().await.unwrap();
    assert!(reqwest::get(format!("{url}/_sim/health")).await.is_err());
}
