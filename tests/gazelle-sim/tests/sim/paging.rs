//! Connections page as Relay connections do.

use std::collections::BTreeSet;

use serde_json::json;

use crate::session::{Session, fixed};

#[tokio::test]
async fn a_walk_yields_total_count_nodes_without_doubles() {
    let session = Session::start(fixed()).await;
    for (field, total, sizes) in [
        ("allClients", 400, [7, 200]),
        ("allPianos", 600, [100, 200]),
        ("allTimelineEntries", 5000, [149, 200]),
        ("allInvoices", 400, [7, 200]),
        ("allEventsBatched", 600, [100, 200]),
        ("allEstimates", 12, [5, 200]),
    ] {
        for size in sizes {
            let nodes = session.walk(field, "", "id", size).await;
            assert_eq!(nodes.len(), total, "{field}");
            let ids: Vec<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{field}");
        }
    }
}

#[tokio::test]
async fn a_larger_first_is_cut_down() {
    let session = Session::start(fixed()).await;
    let answer = session.query("{ allPianos(first: 1000) { nodes { id } } }", json!({})).await;
    assert_eq!(answer["data"]["allPianos"]["nodes"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn descending_is_ascending_backwards_and_last_is_the_end() {
    let session = Session::start(fixed()).await;
    let mut ascending = session.walk("allClients", ", sortBy: [CREATED_AT_ASC]", "id", 100).await;
    let descending = session.walk("allClients", ", sortBy: [CREATED_AT_DESC]", "id", 100).await;
    let answer = session.query("{ allClients(last: 3) { nodes { id } } }", json!({})).await;
    assert_eq!(answer["data"]["allClients"]["nodes"], json!(ascending[397..]));
    ascending.reverse();
    assert_eq!(ascending, descending);
}

#[tokio::test]
async fn the_timeline_is_newest_first_and_starts_where_asked() {
    let session = Session::start(fixed()).await;
    let since = "2025-12-01T05:00:00Z";
    let selection = "id occurredAt type client { id }";
    let all = session.walk("allTimelineEntries", "", selection, 200).await;
    let dates: Vec<_> = all.iter().filter_map(|node| node["occurredAt"].as_str()).collect();
    assert!(dates.is_sorted_by(|newer, older| newer >= older));
    let recent =
        session.walk("allTimelineEntries", &format!(", occurredAtGet: \"{since}\""), selection, 200).await;
    assert!(recent.len() > 100 && recent[..] == all[..recent.len()]);
    assert!(recent.iter().filter_map(|node| node["occurredAt"].as_str()).all(|date| date >= since));
    assert!(all[recent.len()]["occurredAt"].as_str().is_none_or(|date| date < since));
    let notes =
        session.walk("allTimelineEntries", ", types: [USER_COMMENT, VOICE_NOTE]", selection, 50).await;
    let expected: Vec<_> = all
        .iter()
        .filter(|node| node["type"] == "USER_COMMENT" || node["type"] == "VOICE_NOTE")
        .cloned()
        .collect();
    assert_eq!(notes, expected);
}

#[tokio::test]
async fn creation_days_narrow_clients() {
    let session = Session::start(fixed()).await;
    let filter = ", filters: {createdGet: \"2025-01-01\", createdLet: \"2025-06-30\"}";
    let some = session.walk("allClients", filter, "createdAt", 100).await;
    assert!(!some.is_empty() && some.len() < 200);
    let is_within = |date: &str| ("2025-01-01T05:00:00Z".."2025-07-01T04:00:00Z").contains(&date);
    assert!(some.iter().all(|node| is_within(node["createdAt"].as_str().unwrap())));
}
