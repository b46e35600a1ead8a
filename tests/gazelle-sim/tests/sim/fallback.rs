//! Listings of entities without a model.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

const QUERY: &str = "{
    allTaxes { id name rate default activeOrHistorical sampleInvoices { id } }
    allMasterServiceItems { id amount createdAt isTuning name type allUsers { id } }
    allCurrencies { id code divisor label }
    allEstimates(first: 200) { totalCount nodes { id createdAt estimatedOn expiresOn isArchived number notes tags
        piano { id } } pageInfo { hasNextPage } }
}";

#[tokio::test]
async fn unmodelled_listing_is_generated_from_schema() {
    let session = Session::start(fixed_config()).await;
    let data = session.query(QUERY, json!({})).await["data"].clone();
    let estimates = &data["allEstimates"];
    assert_eq!(
        (&estimates["totalCount"], &estimates["pageInfo"]["hasNextPage"]),
        (&json!(12), &json!(false))
    );
    for (prefix, records) in [
        ("tax_", &data["allTaxes"]),
        ("mas_", &data["allMasterServiceItems"]),
        ("cur_", &data["allCurrencies"]),
        ("est_", &estimates["nodes"]),
    ] {
        let records = records.as_array().unwrap();
        let ids: BTreeSet<&str> = records.iter().map(|record| record["id"].as_str().unwrap()).collect();
        assert_eq!(ids.len(), 12, "{prefix}");
        assert!(ids.iter().all(|id| id.starts_with(prefix) && id.len() == 20), "{ids:?}");
    }
    for tax in data["allTaxes"].as_array().unwrap() {
        assert!(tax["rate"].is_i64() && tax["default"].is_boolean() && tax["name"].is_string());
        assert!(tax["activeOrHistorical"] == "ACTIVE" || tax["activeOrHistorical"] == "HISTORICAL");
        assert_eq!(tax["sampleInvoices"], json!([]));
    }
    for item in data["allMasterServiceItems"].as_array().unwrap() {
        assert!(item["name"]["fr_CA"].is_string() && item["amount"].is_i64());
        assert!(item["createdAt"].as_str().unwrap().ends_with('Z'));
    }
    for estimate in estimates["nodes"].as_array().unwrap() {
        assert!(estimate["tags"].as_array().unwrap().iter().all(Value::is_string));
        assert_eq!(estimate["estimatedOn"].as_str().unwrap().len(), 10);
    }
}

#[tokio::test]
async fn records_depend_only_on_seed() {
    let session = Session::start(fixed_config()).await;
    let before = session.text(QUERY).await;
    session.post("/_sim/advance", json!({"creates": 9, "edits": 9})).await;
    assert_eq!(session.text(QUERY).await, before);
    session.post("/_sim/reset", json!({"seed": 2, "clients": 30})).await;
    assert_ne!(session.text(QUERY).await, before);
    session.post("/_sim/reset", json!({"seed": 1})).await;
    assert_eq!(session.text(QUERY).await, before);
}

#[tokio::test]
async fn unmodelled_entity_has_no_truth() {
    let session = Session::start(fixed_config()).await;
    assert_eq!(session.get_status("/_sim/truth/estimates").await, 404);
    assert_eq!(session.get("/_sim/truth/clients").await["parts"], json!({}));
}
