//! Digests of the data of seed 1, recorded before there were models.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

const TABLES: [&str; 5] = ["users", "clients", "pianos", "timeline", "measurements"];

/// Computes the FNV-1a hash of a truth, with the members of each row sorted by name.
fn digest(truth: &Value) -> String {
    let mut text =
        format!("{}{}{}", truth["placeholders"], truth["skipped"]["null_id"], truth["total_count"]);
    for row in truth["rows"].as_array().unwrap() {
        let members: BTreeMap<&String, &Value> = row.as_object().unwrap().iter().collect();
        for (name, value) in members {
            text.extend([
                name,
                "=",
                &value.to_string(),
                "
",
            ]);
        }
    }
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

async fn digests(session: &Session) -> Vec<String> {
    let mut digests = Vec::new();
    for table in TABLES {
        digests.push(digest(&session.get(&format!("/_sim/truth/{table}")).await));
    }
    digests
}

#[tokio::test]
async fn seed_1_data_matches_recorded_digest() {
    let session = Session::start(fixed_config()).await;
    assert_eq!(
        digests(&session).await,
        ["101c653fba8c0e90", "821dfe89b2752b2d", "af3a326eca3bc490", "19ac4611e6fc8daf", "3cd24049add3fcff"]
    );
}

#[tokio::test]
async fn seed_1_changes_match_recorded_digest() {
    let session = Session::start(fixed_config()).await;
    // No more changes of each kind than there are tables without models, as the models come last.
    let request =
        json!({"creates": 4, "edits": 4, "late_edits": 3, "transfers": 2, "merges": 2, "deletes": 4});
    session.post("/_sim/advance", request).await;
    assert_eq!(
        digests(&session).await,
        ["79e1e23a8a49942b", "93c6d7461ff6a5f8", "cd4342765bb3452f", "d84f83c7cf6b2f30", "6f26e493ed1bbc4a"]
    );
}
