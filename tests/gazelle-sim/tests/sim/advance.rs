//! Changes made by `/_sim/advance` and their report.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

const TABLES: [&str; 7] =
    ["users", "clients", "pianos", "timeline", "measurements", "invoices", "appointments"];

type Truth = BTreeMap<&'static str, BTreeMap<String, Value>>;

async fn truth(session: &Session) -> Truth {
    let mut truth = Truth::new();
    for table in TABLES {
        truth.insert(table, session.truth_with_children(table).await);
    }
    truth
}

fn difference(before: &Truth, after: &Truth) -> Value {
    let mut report = json!({});
    for table in TABLES {
        let (old, new) = (&before[table], &after[table]);
        let created: Vec<_> = new.keys().filter(|id| !old.contains_key(*id)).collect();
        let deleted: Vec<_> = old.keys().filter(|id| !new.contains_key(*id)).collect();
        let edited: Vec<_> = new
            .iter()
            .filter(|(id, row)| old.get(*id).is_some_and(|known| known != *row))
            .map(|(id, _)| id)
            .collect();
        report[table] = json!({"created": created, "edited": edited, "deleted": deleted});
    }
    report
}

fn count(report: &Value, table: &str, kind: &str) -> usize {
    report[table][kind].as_array().unwrap().len()
}

#[tokio::test]
async fn report_matches_difference_in_truth() {
    let session = Session::start(fixed_config()).await;
    let mut before = truth(&session).await;
    for request in [
        json!({"creates": 12}),
        json!({"edits": 18}),
        json!({"edits": 30, "entity": "invoices"}),
        json!({"edits": 30, "entity": "appointments"}),
        json!({"late_edits": 5}),
        json!({"deletes": 8}),
        json!({"merges": 4}),
        json!({"transfers": 3}),
        json!({"creates": 5, "edits": 5, "late_edits": 5, "deletes": 5, "merges": 5, "transfers": 5}),
        json!({"restores": 6}),
        json!({"creates": 2, "edits": 2, "deletes": 1, "entity": "measurements"}),
        json!({"creates": 2, "edits": 2, "deletes": 2, "restores": 1, "entity": "invoices"}),
        json!({"creates": 2, "edits": 2, "deletes": 2, "restores": 1, "entity": "appointments"}),
    ] {
        let report = session.post("/_sim/advance", request.clone()).await;
        let after = truth(&session).await;
        assert_eq!(report, difference(&before, &after), "{request}");
        before = after;
    }
}

#[tokio::test]
async fn requested_counts_are_applied() {
    let session = Session::start(fixed_config()).await;
    let report = session.post("/_sim/advance", json!({"creates": 40, "entity": "timeline"})).await;
    assert_eq!(count(&report, "timeline", "created"), 40);
    let report = session.post("/_sim/advance", json!({"edits": 40, "entity": "clients"})).await;
    assert_eq!(count(&report, "clients", "edited"), 40);
    let report = session.post("/_sim/advance", json!({"edits": 3, "entity": "users"})).await;
    assert_eq!(count(&report, "users", "edited"), 3);
    let report = session.post("/_sim/advance", json!({"deletes": 7, "entity": "pianos"})).await;
    assert_eq!(count(&report, "pianos", "deleted"), 7);
    let report = session.post("/_sim/advance", json!({"merges": 2, "entity": "clients"})).await;
    assert_eq!(count(&report, "clients", "deleted"), 2);
    for table in ["invoices", "appointments"] {
        let request = json!({"creates": 5, "edits": 40, "deletes": 6, "entity": table});
        let report = session.post("/_sim/advance", request).await;
        let counts = ["created", "edited", "deleted"].map(|kind| count(&report, table, kind));
        assert_eq!(counts, [5, 40, 6], "{table}");
    }
    let report = session.post("/_sim/advance", json!({"transfers": 2})).await;
    assert_eq!((count(&report, "pianos", "created"), count(&report, "pianos", "edited")), (2, 2));
}

#[tokio::test]
async fn edit_updates_timestamp_and_clears_no_column() {
    let session = Session::start(fixed_config()).await;
    let before = truth(&session).await;
    let report = session.post("/_sim/advance", json!({"edits": 120})).await;
    let after = truth(&session).await;
    for table in ["users", "clients", "pianos", "invoices", "appointments"] {
        for id in report[table]["edited"].as_array().unwrap() {
            let (old, new) = (&before[table][id.as_str().unwrap()], &after[table][id.as_str().unwrap()]);
            assert!(old["gazelle_updated_at"].as_str() < new["gazelle_updated_at"].as_str(), "{table} {id}");
            for (column, value) in old.as_object().unwrap() {
                assert!(value.is_null() || !new[column].is_null(), "{table} {id} {column}");
            }
            // Edits of models may change notes.
            let is_modelled = ["invoices", "appointments"].contains(&table);
            for column in ["tags", "notes", "dampp_chaser_installed"] {
                assert!(old.get(column) == new.get(column) || (is_modelled && column == "notes"));
            }
        }
    }
}

#[tokio::test]
async fn late_edit_targets_entries_10_to_40_days_old() {
    let session = Session::start(fixed_config()).await;
    let report = session.post("/_sim/advance", json!({"late_edits": 10})).await;
    let rows = session.truth("timeline").await;
    let edited = report["timeline"]["edited"].as_array().unwrap();
    assert_eq!(edited.len(), 10);
    for id in edited {
        let occurred = rows[id.as_str().unwrap()]["occurred_at"].as_str().unwrap();
        assert!(("2026-01-20T00:00:00Z".."2026-02-20T00:00:00Z").contains(&occurred), "{occurred}");
    }
}

#[tokio::test]
async fn no_record_references_deleted_record() {
    let session = Session::start(fixed_config()).await;
    let mut deleted: Vec<String> = Vec::new();
    for _ in 0..3 {
        let report = session.post("/_sim/advance", json!({"deletes": 90, "merges": 10})).await;
        for table in ["clients", "pianos"] {
            let ids = report[table]["deleted"].as_array().unwrap();
            deleted.extend(ids.iter().map(|id| id.as_str().unwrap().to_owned()));
        }
    }
    let truth = truth(&session).await;
    let refers = |row: &Value, column: &str| {
        row[column].as_str().is_some_and(|id| deleted.iter().any(|deleted| deleted == id))
    };
    for (table, columns) in [
        ("timeline", ["client_id", "piano_id"]),
        ("pianos", ["client_id", "id"]),
        ("measurements", ["piano_id", "id"]),
        ("invoices", ["client_id", "id"]),
        ("appointments", ["client_id", "id"]),
    ] {
        assert!(
            truth[table].values().all(|row| columns.iter().all(|column| !refers(row, column))),
            "{table}"
        );
    }
    let selection = "id client { id } allPianoMeasurements { pianoId }";
    for piano in session.fetch_all("allPianos", "", selection, 100).await {
        for measurement in piano["allPianoMeasurements"].as_array().unwrap_or(&Vec::new()) {
            assert_eq!(measurement["pianoId"], piano["id"]);
        }
    }
}

#[tokio::test]
async fn unknown_field_or_entity_returns_400() {
    let session = Session::start(fixed_config()).await;
    for (path, body) in [
        ("/_sim/advance", json!({"edit": 1})),
        ("/_sim/advance", json!({"entity": "organs"})),
        ("/_sim/faults", json!({"status_418": 1.0})),
        ("/_sim/reset", json!({"sead": 1})),
    ] {
        assert_eq!(session.request(path, &body).send().await.unwrap().status(), 400, "{path} {body}");
    }
}
