//! Appointments: order, filters, oddities, references and truth.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, NaiveDate, Utc};
use chrono_tz::America::Montreal;
use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

/// Predicate that a filter is expected to apply to nodes.
type Predicate<'a> = &'a dyn Fn(&Value) -> bool;

const SELECTION: &str = "id type status start duration notes client { id } user { id } isAllDay
    location { municipality } allEventPianos { nodes { isTuning piano { id make } event { id } } }";

fn timestamp(text: &Value) -> DateTime<Utc> {
    text.as_str().unwrap().parse().unwrap()
}

fn local_day(text: &Value) -> NaiveDate {
    timestamp(text).with_timezone(&Montreal).date_naive()
}

async fn appointments(session: &Session) -> Vec<Value> {
    session.fetch_all("allEventsBatched", "", SELECTION, 100).await
}

#[tokio::test]
async fn listing_is_sorted_by_start_after_reschedule() {
    let session = Session::start(fixed_config()).await;
    let starts = |nodes: &[Value]| -> Vec<String> {
        nodes.iter().filter_map(|node| node["start"].as_str().map(str::to_owned)).collect()
    };
    let before = appointments(&session).await;
    assert!(starts(&before).is_sorted());
    session.post("/_sim/advance", json!({"edits": 150, "creates": 10, "entity": "appointments"})).await;
    let after = appointments(&session).await;
    assert!(starts(&after).is_sorted());
    assert_eq!(after.len(), before.len() + 10);
    let moved = before.iter().filter(|old| {
        after.iter().any(|new| !old.is_null() && new["id"] == old["id"] && new["start"] != old["start"])
    });
    assert!(moved.count() > 30);
    let mut latest_first =
        session.fetch_all("allEventsBatched", ", sortBy: [START_DESC]", SELECTION, 100).await;
    latest_first.reverse();
    assert_eq!(latest_first, after);
}

#[tokio::test]
async fn one_third_start_near_present() {
    let session = Session::start(fixed_config()).await;
    let rows = session.truth("appointments").await;
    let now = timestamp(&json!("2026-03-01T00:00:00Z"));
    let days: Vec<i64> = rows.values().map(|row| (timestamp(&row["starts_at"]) - now).num_days()).collect();
    assert!(days.iter().all(|days| (-731..=201).contains(days)));
    let near = 100 * days.iter().filter(|days| (-31..=91).contains(*days)).count() / days.len();
    assert!((28..=39).contains(&near), "{near}");
    let visits = rows.values().filter(|row| row["type"] == "APPOINTMENT").count();
    assert!(100 * visits / rows.len() > 70, "{visits}");
    for row in rows.values().filter(|row| row["type"] == "PERSONAL" || row["type"] == "MEMO") {
        assert_eq!(row["client_id"], Value::Null);
    }
}

#[tokio::test]
async fn oddities_are_present() {
    let session = Session::start(fixed_config()).await;
    let truth = session.get("/_sim/truth/appointments").await;
    assert_eq!(truth["skipped"], json!({"null_node": 2, "null_id": 0}));
    assert_eq!((&truth["total_count"], &truth["placeholders"]), (&json!(600), &json!([])));
    let rows = session.truth_with_children("appointments").await;
    let values =
        |column: &str| -> BTreeSet<&str> { rows.values().map(|row| row[column].as_str().unwrap()).collect() };
    let statuses = ["ACTIVE", "CANCELED", "COMPLETE", "NO_SHOW", "RESCHEDULED"];
    assert_eq!(values("status"), BTreeSet::from(statuses));
    assert_eq!(values("type"), BTreeSet::from(["APPOINTMENT", "MEMO", "PERSONAL", "SYNCED"]));
    let count = |matches: &dyn Fn(&Value) -> bool| rows.values().filter(|row| matches(row)).count();
    assert_eq!(count(&|row| row["duration"].as_i64().is_some_and(|minutes| minutes < 0)), 1);
    assert_eq!(count(&|row| row["notes"].as_str().is_some_and(|notes| notes.len() > 190_000)), 1);
    assert_eq!(count(&|row| row["type"] == "APPOINTMENT" && row["client_id"].is_null()), 1);
    assert!(count(&|row| row["is_all_day"] == true && row["local_time"] == "00:00:00") > 5);
    // 21:00 in Montréal is already tomorrow in UTC.
    assert!(
        count(&|row| row["starts_at"].as_str().unwrap()[..10] != *row["starts_on"].as_str().unwrap()) > 20
    );
    for table in ["users", "clients", "pianos"] {
        let unlisted = session.get(&format!("/_sim/truth/{table}")).await["placeholders"].clone();
        let is_unlisted = |value: &Value| unlisted.as_array().unwrap().contains(value);
        let refers = |row: &Value| match table {
            "users" => is_unlisted(&row["user_id"]),
            "clients" => is_unlisted(&row["client_id"]),
            _ => row["appointment_pianos"]
                .as_array()
                .unwrap()
                .iter()
                .any(|line| is_unlisted(&line["piano_id"])),
        };
        assert_eq!(count(&refers), 1, "{table}");
    }
}

#[tokio::test]
async fn date_filters_use_local_days() {
    let session = Session::start(fixed_config()).await;
    let all = appointments(&session).await;
    let (first, last) = ("2026-03-02", "2026-03-29");
    let within: Vec<_> = all
        .iter()
        .filter(|node| !node.is_null())
        .filter(|node| (first..=last).contains(&local_day(&node["start"]).to_string().as_str()))
        .cloned()
        .collect();
    assert!(within.len() > 20 && within.len() < 200);
    for (from, to) in [("dateGet", "dateLet"), ("startOn", "endOn")] {
        let arguments = format!(", filters: {{{from}: \"{first}\", {to}: \"{last}\"}}");
        assert_eq!(session.fetch_all("allEventsBatched", &arguments, SELECTION, 7).await, within, "{from}");
    }
    // An evening whose UTC day differs: the bounds are local days, both included.
    let evening = all
        .iter()
        .find(|node| !node.is_null() && timestamp(&node["start"]).date_naive() != local_day(&node["start"]))
        .unwrap();
    let day = local_day(&evening["start"]);
    let arguments = format!(", filters: {{dateGet: \"{day}\", dateLet: \"{day}\"}}");
    let on_that_day = session.fetch_all("allEventsBatched", &arguments, SELECTION, 100).await;
    assert!(on_that_day.contains(evening));
    assert!(on_that_day.iter().all(|node| local_day(&node["start"]) == day));
}

#[tokio::test]
async fn filters_select_matches_and_unknown_one_fails() {
    let session = Session::start(fixed_config()).await;
    let all = appointments(&session).await;
    let pianos = |node: &Value| -> Vec<Value> {
        let nodes = node["allEventPianos"]["nodes"].as_array().cloned().unwrap_or_default();
        nodes.iter().map(|line| line["piano"]["id"].clone()).collect()
    };
    let sample = all.iter().find(|node| !pianos(node).is_empty() && node["user"]["id"].is_string()).unwrap();
    let (client, user, piano) = (&sample["client"]["id"], &sample["user"]["id"], &pianos(sample)[0]);
    let cases: [(String, Predicate<'_>); 5] = [
        ("type: [MEMO, SYNCED]".into(), &|node| node["type"] == "MEMO" || node["type"] == "SYNCED"),
        ("status: [RESCHEDULED]".into(), &|node| node["status"] == "RESCHEDULED"),
        (format!("clientId: [{client}]"), &|node| node["client"]["id"] == *client),
        (format!("userId: [{user}]"), &|node| node["user"]["id"] == *user),
        (format!("pianoId: [{piano}]"), &|node| pianos(node).contains(piano)),
    ];
    for (filter, matches) in cases {
        let arguments = format!(", filters: {{{filter}}}");
        let listed = session.fetch_all("allEventsBatched", &arguments, SELECTION, 13).await;
        let expected: Vec<_> = all.iter().filter(|node| !node.is_null() && matches(node)).cloned().collect();
        assert!(!expected.is_empty() && listed == expected, "{filter}");
    }
    let query = "{ allEventsBatched(filters: {appointmentIsTuning: true}) { totalCount } }";
    let body = session.query(query, json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "notSimulated");
}

#[tokio::test]
async fn truth_matches_api_in_local_time() {
    let session = Session::start(fixed_config()).await;
    let truth = session.truth_with_children("appointments").await;
    let mut compared = 0;
    for node in appointments(&session).await.iter().filter(|node| !node.is_null()) {
        compared += 1;
        let row = &truth[node["id"].as_str().unwrap()];
        let start = timestamp(&node["start"]);
        let local = start.with_timezone(&Montreal);
        assert_eq!(row["starts_at"], node["start"]);
        assert_eq!(row["starts_on"], local.format("%Y-%m-%d").to_string());
        assert_eq!(row["local_time"], local.format("%H:%M:%S").to_string());
        let end = node["duration"]
            .as_i64()
            .filter(|minutes| *minutes >= 0)
            .map(|minutes| (start + Duration::minutes(minutes)).format("%Y-%m-%dT%H:%M:%SZ").to_string());
        assert_eq!(row["ends_at"], json!(end));
        assert_eq!((&row["client_id"], &row["user_id"]), (&node["client"]["id"], &node["user"]["id"]));
        assert_eq!(row["city"], node["location"]["municipality"]);
        let pianos = node["allEventPianos"]["nodes"].as_array().unwrap();
        let lines = row["appointment_pianos"].as_array().unwrap();
        assert_eq!(pianos.len(), lines.len());
        for (index, (piano, line)) in pianos.iter().zip(lines).enumerate() {
            assert_eq!((&line["line"], &line["is_tuning"]), (&json!(index + 1), &piano["isTuning"]));
            assert_eq!((&line["piano_id"], &piano["event"]["id"]), (&piano["piano"]["id"], &node["id"]));
        }
    }
    assert_eq!(compared, truth.len());
}

#[tokio::test]
async fn deleting_piano_renumbers_appointment_lines() {
    let session = Session::start(fixed_config()).await;
    let before = session.truth_with_children("appointments").await;
    let report = session.post("/_sim/advance", json!({"deletes": 300, "entity": "pianos"})).await;
    let deleted = report["pianos"]["deleted"].as_array().unwrap();
    let after = session.truth_with_children("appointments").await;
    let mut dropped = 0;
    for (id, row) in &before {
        let lines = row["appointment_pianos"].as_array().unwrap();
        let kept: Vec<&Value> =
            lines.iter().map(|line| &line["piano_id"]).filter(|piano| !deleted.contains(piano)).collect();
        let left = after[id]["appointment_pianos"].as_array().unwrap();
        assert_eq!(left.iter().map(|line| &line["piano_id"]).collect::<Vec<_>>(), kept);
        assert!(left.iter().enumerate().all(|(index, line)| line["line"] == index + 1));
        dropped += lines.len() - kept.len();
        // The report counts a record as edited even if only rows of its child tables differ.
        let is_edited = report["appointments"]["edited"].as_array().unwrap().contains(&json!(id));
        assert_eq!(is_edited, lines.len() != kept.len(), "{id}");
    }
    assert!(dropped > 100, "{dropped}");
}

#[tokio::test]
async fn restore_drops_references_to_deleted_records() {
    let session = Session::start(fixed_config()).await;
    let before = session.truth_with_children("appointments").await;
    let report = session.post("/_sim/advance", json!({"deletes": 40, "entity": "appointments"})).await;
    let deleted = report["appointments"]["deleted"].as_array().unwrap().clone();
    assert_eq!(deleted.len(), 40);
    let query = "query($id: String!) { event(eventId: $id) { id start } }";
    for id in &deleted {
        assert_eq!(session.query(query, json!({"id": id})).await["data"]["event"], Value::Null);
    }
    session.post("/_sim/advance", json!({"deletes": 200, "entity": "pianos"})).await;
    session.post("/_sim/advance", json!({"deletes": 100, "entity": "clients"})).await;
    let (clients, pianos) = (session.truth("clients").await, session.truth("pianos").await);
    let unlisted = [
        session.get("/_sim/truth/clients").await["placeholders"].clone(),
        session.get("/_sim/truth/pianos").await["placeholders"].clone(),
    ];
    let report = session.post("/_sim/advance", json!({"restores": 40, "entity": "appointments"})).await;
    assert_eq!(report["appointments"]["created"].as_array().unwrap().len(), 40);
    let after = session.truth_with_children("appointments").await;
    for id in deleted.iter().map(|id| id.as_str().unwrap()) {
        let (old, new) = (&before[id], &after[id]);
        assert_eq!(old["starts_at"], new["starts_at"]);
        let client = new["client_id"].as_str();
        assert!(client.is_none_or(
            |id| clients.contains_key(id) || unlisted[0].as_array().unwrap().contains(&json!(id))
        ));
        for line in new["appointment_pianos"].as_array().unwrap() {
            let id = line["piano_id"].as_str().unwrap();
            assert!(pianos.contains_key(id) || unlisted[1].as_array().unwrap().contains(&json!(id)));
        }
        assert_eq!(session.query(query, json!({"id": id})).await["data"]["event"]["start"], old["starts_at"]);
    }
}
