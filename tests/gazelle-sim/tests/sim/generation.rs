//! Generated data: determinism, oddities and truth.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

const TABLES: [&str; 7] =
    ["users", "clients", "pianos", "timeline", "measurements", "invoices", "appointments"];
const PAGE: &str = "{ allTimelineEntries(first: 200) { nodes { id type comment client { id companyName }
    piano { id make } user { id } occurredAt } edges { cursor node { id } } totalCount } }";

#[tokio::test]
async fn same_seed_gives_identical_data() {
    let (one, other) = (Session::start(fixed_config()).await, Session::start(fixed_config()).await);
    assert_eq!(one.text(PAGE).await, other.text(PAGE).await);
    for session in [&one, &other] {
        session.post("/_sim/advance", json!({"creates": 8, "edits": 8, "deletes": 4, "merges": 2})).await;
    }
    assert_eq!(one.text(PAGE).await, other.text(PAGE).await);
    for table in TABLES {
        assert_eq!(one.truth(table).await, other.truth(table).await, "{table}");
    }
}

#[tokio::test]
async fn different_seed_gives_different_data() {
    let session = Session::start(fixed_config()).await;
    let before = session.text(PAGE).await;
    session.post("/_sim/reset", json!({"seed": 2})).await;
    assert_ne!(before, session.text(PAGE).await);
    session.post("/_sim/reset", json!({"seed": 1})).await;
    assert_eq!(before, session.text(PAGE).await);
}

#[tokio::test]
async fn truth_has_row_for_every_served_id() {
    let session = Session::start(fixed_config()).await;
    for (table, field, listed) in [
        ("clients", "allClients", 400),
        ("pianos", "allPianos", 600),
        ("timeline", "allTimelineEntries", 5000),
    ] {
        let served: BTreeSet<String> = session
            .fetch_all(field, "", "id", 200)
            .await
            .iter()
            .filter_map(|node| node["id"].as_str().map(str::to_owned))
            .collect();
        let truth = session.get(&format!("/_sim/truth/{table}")).await;
        assert_eq!(truth["total_count"], listed);
        let rows: BTreeSet<String> = session.truth(table).await.into_keys().collect();
        assert_eq!(served, rows);
        let skipped = &truth["skipped"];
        let skipped = skipped["null_id"].as_u64().unwrap() + skipped["null_node"].as_u64().unwrap();
        assert_eq!(rows.len() as u64 + skipped, listed);
    }
}

#[tokio::test]
async fn truth_row_matches_api() {
    let session = Session::start(fixed_config()).await;
    let selection = "id companyName localization { locale } preferredTechnician { id } tags updatedAt
        defaultContact { firstName lastName defaultEmail { email } defaultLocation { municipality } }";
    let truth = session.truth("clients").await;
    for node in session.fetch_all("allClients", "", selection, 100).await {
        let Some(row) = node["id"].as_str().map(|id| &truth[id]) else {
            continue;
        };
        let contact = &node["defaultContact"];
        assert_eq!(row["company_name"], node["companyName"]);
        assert_eq!(row["first_name"], contact["firstName"]);
        assert_eq!(row["email"], contact["defaultEmail"]["email"]);
        assert_eq!(row["city"], contact["defaultLocation"]["municipality"]);
        assert_eq!(row["locale"], node["localization"]["locale"]);
        assert_eq!(row["preferred_technician_id"], node["preferredTechnician"]["id"]);
        assert_eq!(row["tags"], node["tags"]);
        assert_eq!(row["gazelle_updated_at"], node["updatedAt"]);
    }
}

fn share(rows: &BTreeMap<String, Value>, is_counted: impl Fn(&Value) -> bool) -> usize {
    100 * rows.values().filter(|row| is_counted(row)).count() / rows.len()
}

#[tokio::test]
async fn timeline_shares_match_real_data() {
    let session = Session::start(fixed_config()).await;
    let rows = session.truth("timeline").await;
    assert!((76..=82).contains(&share(&rows, |row| row["piano_id"].is_null())));
    assert!((43..=49).contains(&share(&rows, |row| row["user_id"].is_null())));
    let manual = ["USER_COMMENT", "PIANO_MEASUREMENT", "CONTACT_EMAIL_MANUAL", "SERVICE_ENTRY_MANUAL"];
    let is_manual = |row: &Value| {
        let kind = row["entry_type"].as_str().unwrap();
        manual.contains(&kind) || kind == "CONTACT_PHONE_MANUAL_TALKED"
    };
    assert!((5..=10).contains(&share(&rows, is_manual)));
}

#[tokio::test]
async fn timeline_oddities_are_present() {
    let session = Session::start(fixed_config()).await;
    let rows = session.truth("timeline").await;
    let any = |matches: &dyn Fn(&Value) -> bool| rows.values().any(matches);
    let comment = |row: &Value| row["comment"].as_str().unwrap_or("-").to_owned();
    assert!(any(&|row| comment(row).is_empty()));
    assert!(any(&|row| row["comment"].is_null()));
    assert!(any(&|row| comment(row).len() > 190_000));
    for part in ["é", "🎹", "\"", "\\", "\n", "Accord 440Hz, 21C, 39%"] {
        assert!(any(&|row| comment(row).contains(part)), "{part}");
    }
    assert!(any(&|row| row["entry_type"] == "VOICE_NOTE"));
    assert!(any(&|row| row["occurred_at"].as_str().unwrap() > "2026-03-02"));
    // 22:00 in Montréal is already tomorrow in UTC.
    assert!(any(&|row| row["occurred_at"].as_str().unwrap()[..10] != *row["occurred_on"].as_str().unwrap()));
    for field in ["appointment_id", "invoice_id", "estimate_id", "related_id", "duration"] {
        assert!(any(&|row| !row[field].is_null()), "{field}");
    }
    for table in ["users", "clients", "pianos"] {
        let truth = session.get(&format!("/_sim/truth/{table}")).await;
        assert_eq!(truth["placeholders"].as_array().unwrap().len(), 2, "{table}");
    }
    assert_eq!(session.get("/_sim/truth/timeline").await["skipped"], json!({"null_node": 3, "null_id": 0}));
}

#[tokio::test]
async fn client_and_piano_oddities_are_present() {
    let session = Session::start(fixed_config()).await;
    let clients = session.truth("clients").await;
    let pianos = session.truth("pianos").await;
    assert!(clients.values().any(|row| row["display_name"].is_null()));
    assert!(clients.values().any(|row| row["status"] == "DORMANT"));
    assert!(clients.values().any(|row| row["company_name"] == "  "));
    assert!(pianos.values().any(|row| row["type"] == "PLAYER_GRAND"));
    assert!(pianos.values().any(|row| row["client_id"].is_null()));
    assert!(pianos.values().any(|row| row["notes"].as_str().is_some_and(|notes| notes.len() > 190_000)));
    assert!(pianos.values().any(|row| row["location"] == ""));
    for table in ["clients", "pianos"] {
        let truth = session.get(&format!("/_sim/truth/{table}")).await;
        assert_eq!(truth["skipped"], json!({"null_node": 2, "null_id": 2}), "{table}");
    }
    assert_eq!(session.get("/_sim/truth/measurements").await["skipped"]["null_id"], 3);
    let is_transferred = |old: &Value, new: &Value| {
        old["status"] == "INACTIVE"
            && new["status"] == "ACTIVE"
            && !old["serial_number"].as_str().unwrap_or_default().is_empty()
            && old["serial_number"] == new["serial_number"]
            && old["make"] == new["make"]
            && old["client_id"] != new["client_id"]
    };
    assert!(pianos.values().any(|old| pianos.values().any(|new| is_transferred(old, new))));
}

#[tokio::test]
async fn disabling_oddities_removes_them_all() {
    let session = Session::start(fixed_config()).await;
    session.post("/_sim/reset", json!({"oddities": false})).await;
    for table in TABLES {
        let truth = session.get(&format!("/_sim/truth/{table}")).await;
        assert_eq!(truth["placeholders"], json!([]), "{table}");
        assert_eq!(truth["skipped"], json!({"null_node": 0, "null_id": 0}), "{table}");
    }
}

#[tokio::test]
async fn unlisted_record_resolves_by_reference() {
    let session = Session::start(fixed_config()).await;
    let listed = session.truth("clients").await;
    let selection = "client { id defaultContact { firstName } } piano { id make } user { id firstName }";
    let nodes = session.fetch_all("allTimelineEntries", "", selection, 200).await;
    let unlisted =
        nodes.iter().filter_map(|node| node["client"]["id"].as_str()).find(|id| !listed.contains_key(*id));
    let body = session.query("query($id: String) { client(id: $id) { id } }", json!({"id": unlisted})).await;
    assert_eq!(body["data"]["client"]["id"], unlisted.unwrap());
    assert!(nodes.iter().all(|node| node.is_null() || node["client"]["id"].is_string()));
}
