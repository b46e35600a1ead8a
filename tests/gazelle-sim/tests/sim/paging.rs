//! Paging and sorting of connections.

use std::collections::BTreeSet;

use serde_json::json;

use crate::session::{Session, fixed_config};

#[tokio::test]
async fn full_listing_has_no_duplicates() {
    let session = Session::start(fixed_config()).await;
    for (field, total, sizes) in [
        ("allClients", 400, [7, 200]),
        ("allPianos", 600, [100, 200]),
        ("allTimelineEntries", 5000, [149, 200]),
        ("allInvoices", 400, [7, 200]),
        ("allEventsBatched", 600, [100, 200]),
        ("allEstimates", 12, [5, 200]),
    ] {
        for size in sizes {
            let nodes = session.fetch_all(field, "", "id", size).await;
            assert_eq!(nodes.len(), total, "{field}");
            let ids: Vec<_> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
            assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "{field}");
        }
    }
}

#[tokio::test]
async fn page_size_is_capped() {
    let session = Session::start(fixed_config()).await;
    let body = session.query("{ allPianos(first: 1000) { nodes { id } } }", json!({})).await;
    assert_eq!(body["data"]["allPianos"]["nodes"].as_array().unwrap().len(), 200);
}

#[tokio::test]
async fn descending_reverses_and_last_takes_the_end() {
    let session = Session::start(fixed_config()).await;
    let mut ascending = session.fetch_all("allClients", ", sortBy: [CREATED_AT_ASC]", "id", 100).await;
    let descending = session.fetch_all("allClients", ", sortBy: [CREATED_AT_DESC]", "id", 100).await;
    let body = session.query("{ allClients(last: 3) { nodes { id } } }", json!({})).await;
    assert_eq!(body["data"]["allClients"]["nodes"], json!(ascending[397..]));
    ascending.reverse();
    assert_eq!(ascending, descending);
}

#[tokio::test]
async fn timeline_is_newest_first_from_requested_time() {
    let session = Session::start(fixed_config()).await;
    let since = "2025-12-01T05:00:00Z";
    let selection = "id occurredAt type client { id }";
    let all = session.fetch_all("allTimelineEntries", "", selection, 200).await;
    let dates: Vec<_> = all.iter().filter_map(|node| node["occurredAt"].as_str()).collect();
    assert!(dates.is_sorted_by(|newer, older| newer >= older));
    let recent = session
        .fetch_all("allTimelineEntries", &format!(", occurredAtGet: \"{since}\""), selection, 200)
        .await;
    assert!(recent.len() > 100 && recent[..] == all[..recent.len()]);
    assert!(recent.iter().filter_map(|node| node["occurredAt"].as_str()).all(|date| date >= since));
    assert!(all[recent.len()]["occurredAt"].as_str().is_none_or(|date| date < since));
    let notes =
        session.fetch_all("allTimelineEntries", ", types: [USER_COMMENT, VOICE_NOTE]", selection, 50).await;
    let expected: Vec<_> = all
        .iter()
        .filter(|node| node["type"] == "USER_COMMENT" || node["type"] == "VOICE_NOTE")
        .cloned()
        .collect();
    assert_eq!(notes, expected);
}

#[tokio::test]
async fn clients_filter_by_creation_day() {
    let session = Session::start(fixed_config()).await;
    let filter = ", filters: {createdGet: \"2025-01-01\", createdLet: \"2025-06-30\"}";
    let listed = session.fetch_all("allClients", filter, "createdAt", 100).await;
    assert!(!listed.is_empty() && listed.len() < 200);
    let is_within = |date: &str| ("2025-01-01T05:00:00Z".."2025-07-01T04:00:00Z").contains(&date);
    assert!(listed.iter().all(|node| is_within(node["createdAt"].as_str().unwrap())));
}
