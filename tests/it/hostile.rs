//! Hostile records: each is kept, ends with the expected outcome and reason, and affects no other record. Any
//! order of the same pages ends in the same tables.

use std::collections::{BTreeMap, BTreeSet};

use model::entity;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

/// Hostile record: description, text, staged id, outcome, start of the reason.
struct Case {
    what: &'static str,
    json: String,
    id: &'static str,
    outcome: &'static str,
    reason: &'static str,
}

fn case(
    what: &'static str,
    json: &str,
    id: &'static str,
    outcome: &'static str,
    reason: &'static str,
) -> Case {
    Case { what, json: json.to_owned(), id, outcome, reason }
}

/// Records are timeline entries: they have the most columns that can be wrong.
#[expect(clippy::too_many_lines, reason = "a table, a case a line")]
fn corpus() -> Vec<Case> {
    let at = r#""occurredAt":"2025-03-01T12:00:00Z""#;
    let with = |id: &str, fields: &str| format!(r#"{{"id":"{id}",{at},{fields}}}"#);
    let deep = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    vec![
        case("null", "null", "", "skipped", "the node is null"),
        case("a number", "42", "", "skipped", "the node is not an object"),
        case("a text", r#""tme_x""#, "", "skipped", "the node is not an object"),
        case("a list", "[[],[null]]", "", "skipped", "the node is not an object"),
        case("true", "true", "", "skipped", "the node is not an object"),
        case("an empty object", "{}", "", "skipped", "the id is missing"),
        case("a null id", &format!(r#"{{"id":null,{at}}}"#), "", "skipped", "the id is missing"),
        case("an empty id", &with("", r#""a":1"#), "", "skipped", "the id is missing"),
        case("an id that is a number", &format!(r#"{{"id":7,{at}}}"#), "7", "promoted", ""),
        case(
            "an id that is a fraction",
            &format!(r#"{{"id":7.5,{at}}}"#),
            "",
            "skipped",
            "the id is missing",
        ),
        case(
            "an id that is an object",
            &format!(r#"{{"id":{{}},{at}}}"#),
            "",
            "skipped",
            "the id is missing",
        ),
        case("an id of 600 bytes", &with(&"x".repeat(600), r#""a":1"#), "", "skipped", "the id is missing"),
        case(
            "two ids: the last one counts, as in jsonb",
            &format!(r#"{{"id":"first","id":"twice",{at}}}"#),
            "twice",
            "promoted",
            "",
        ),
        case("NUL in a text", &with("nul", r#""comment":"a\u0000b""#), "nul", "promoted", ""),
        case("a lone surrogate", &with("lone", r#""comment":"\udc00""#), "lone", "promoted", ""),
        case(
            "a number that no numeric holds",
            &with("huge", r#""duration":1e400000"#),
            "huge",
            "promoted",
            "",
        ),
        case(
            "a number that no double holds",
            &with("double", r#""duration":1e400"#),
            "double",
            "promoted",
            "",
        ),
        case("a number that no int holds", &with("int", r#""duration":99999999999"#), "int", "promoted", ""),
        case(
            "200 levels of keys",
            &with("deep", &format!(r#""extra":{}"#, deep(200))),
            "deep",
            "promoted",
            "",
        ),
        case(
            "100 levels of keys",
            &with("deepish", &format!(r#""extra":{}"#, deep(100))),
            "deepish",
            "promoted",
            "",
        ),
        case(
            "a note of 5 MB",
            &with("long", &format!(r#""comment":"{}""#, "é🎹 ".repeat(700_000))),
            "long",
            "promoted",
            "",
        ),
        case(
            "a wrong type in every field",
            &with(
                "types",
                r#""comment":{"x":1},"client":7,"user":[],"piano":"ins_1","duration":"long","type":[1]"#,
            ),
            "types",
            "promoted",
            "",
        ),
        case(
            "a reference without an id",
            &with("noref", r#""client":{"id":null},"user":{},"piano":null"#),
            "noref",
            "promoted",
            "",
        ),
        case(
            "a date that is none",
            r#"{"id":"nodate","occurredAt":"hier soir"}"#,
            "nodate",
            "failed",
            "occurredAt is missing or unreadable",
        ),
        case("no date", r#"{"id":"undated"}"#, "undated", "failed", "occurredAt is missing or unreadable"),
        case("the year 9999", r#"{"id":"far","occurredAt":"9999-12-31T23:59:59Z"}"#, "far", "promoted", ""),
        case("the year 1", r#"{"id":"old","occurredAt":"0001-01-01T00:00:00Z"}"#, "old", "promoted", ""),
        case(
            "SQL in every text",
            &with("sql'; drop table users; --", r#""comment":"'); delete from users; --""#),
            "sql'; drop table users; --",
            "promoted",
            "",
        ),
        case(
            "formats of other languages",
            &with("%s{0}$1\\u0041", r#""comment":"{{id}} ${x} %n""#),
            "%s{0}$1A",
            "promoted",
            "",
        ),
        case(
            "our own wrapper's key",
            &with("wrapped", r#""$unrepresentable":{"reason":"said so"}"#),
            "wrapped",
            "promoted",
            "",
        ),
        case(
            "a text with NUL in place of a record",
            r#""a\u0000b""#,
            "",
            "failed",
            "the record holds what jsonb cannot",
        ),
        case(
            "control characters and separators",
            &with("ctl", r#""comment":"\u0001\u001f\u2028\u202e\ufeff""#),
            "ctl",
            "promoted",
            "",
        ),
    ]
}

#[sqlx::test(migrations = false)]
async fn hostile_records_are_kept_and_isolated(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let cases = corpus();
    let mut nodes: Vec<String> = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        nodes.push(record(&format!("good_{place}")).to_string());
        nodes.push(case.json.clone());
    }
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("timeline"), 0);
    run.raw_page(&source, &nodes);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let good = mirror.value("select count(*) from timeline_entries where id like 'good%'").await;
    assert_eq!(good, json!(cases.len()), "the neighbours");
    let staged = mirror
        .rows("select gazelle_id, outcome, last_error, coalesce(raw_data #>> '{$unrepresentable,json}', '') as bytes, raw_data::text as raw from stg_timeline_entries")
        .await;
    for case in &cases {
        let is_it = |row: &&Value| {
            let read = |text: &str| serde_json::from_str::<Value>(text).ok();
            row["gazelle_id"] == case.id
                && (!case.id.is_empty()
                    || row["bytes"] == case.json.as_str()
                    || row["raw"].as_str().and_then(read) == read(&case.json))
        };
        let row = staged.iter().find(is_it).unwrap_or_else(|| panic!("{} is not staged", case.what));
        let reason = row["last_error"].as_str().unwrap_or_default();
        assert_eq!(row["outcome"], case.outcome, "{}: {reason}", case.what);
        assert!(reason.starts_with(case.reason), "{}: {reason}", case.what);
        let is_kept = !["nul", "lone", "huge"].contains(&case.id) || row["bytes"] == case.json.as_str();
        assert!(is_kept, "{}: its very bytes", case.what);
    }
    let run = mirror.rows("select status, records_fetched, records_pending, records_fetched = records_staged + records_duplicate as closes from sync_status where sync_type = 'timeline'").await;
    assert_eq!(
        run,
        [
            json!({"status": "partial", "records_fetched": cases.len() * 2, "records_pending": 0, "closes": true})
        ]
    );
    let users = mirror.value("select count(*) >= 0 from users").await;
    assert_eq!(users, json!(true), "the table is still there");
}

/// Returns every production column except timestamps.
async fn content(mirror: &Mirror) -> Vec<Vec<Value>> {
    let mut all = Vec::new();
    for entity in entity::ALL {
        let sql = format!(
            "select to_jsonb(t) - '{{created_at,updated_at,version,synced_at,source_key}}'::text[] as row from {} t order by id",
            entity.table
        );
        all.push(mirror.rows(&sql).await);
    }
    all
}

/// Returns the number of different contents of each record in the pages, by table and id.
fn contents(source: &MemorySource) -> BTreeMap<(&'static str, String), BTreeSet<String>> {
    let mut contents: BTreeMap<(&'static str, String), BTreeSet<String>> = BTreeMap::new();
    for key in source.keys() {
        let page: Value = serde_json::from_slice(&source.get(&key).expect("a page")).expect("JSON");
        let entity = entity(page["metadata"]["entity"].as_str().expect("a name"));
        let data = &page["payload"]["data"][entity.query().expect("a query").root];
        let nodes = data.as_array().or_else(|| data["nodes"].as_array()).expect("nodes");
        for node in nodes {
            let id = node["id"].as_str().expect("an id").to_owned();
            contents.entry((entity.table, id)).or_default().insert(node.to_string());
        }
    }
    contents
}

/// Checks that a row's version never exceeds the number of its contents, a placeholder included.
async fn assert_versions_count_changes(
    mirror: &Mirror,
    contents: &BTreeMap<(&'static str, String), BTreeSet<String>>,
) {
    for entity in entity::ALL {
        let rows = mirror.rows(&format!("select id, version, is_placeholder from {}", entity.table)).await;
        for row in rows {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            let known = contents.get(&(entity.table, id)).map_or(0, BTreeSet::len) as u64;
            let version = row["version"].as_u64().unwrap_or_default();
            assert!((1..=known + 1).contains(&version), "{}: {row}, {known} contents", entity.name);
            assert!(row["is_placeholder"] == json!(false) || version == 1, "{}: {row}", entity.name);
        }
    }
}

#[sqlx::test(migrations = false)]
async fn page_order_does_not_change_the_tables(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    // Four runs of each entity; a record changes, changes back, and refers to what comes later or never.
    for entity in entity::fetched() {
        for minute in 0..4_i64 {
            let mut run = HandRun::new(entity, minute);
            for page in 0..2 {
                let nodes: Vec<Value> = (0..6)
                    .map(|number| {
                        let mut node = record(&format!("x{page}{number}"));
                        node["comment"] = json!((minute * (number + 1)) % 3);
                        node["notes"] = json!(format!("{}", (minute + number) % 2));
                        node["client"] = json!({"id": format!("x{}{}", 1 - page, number)});
                        node["user"] = json!({"id": format!("u{}", (minute + number) % 5)});
                        node
                    })
                    .collect();
                run.page(&source, &nodes);
            }
        }
    }
    let contents = contents(&source);
    let keys = source.keys();
    let mut first: Option<Vec<Vec<Value>>> = None;
    for seed in 1..=24_u64 {
        mirror.empty().await;
        let mut order: Vec<(u64, &String)> = keys
            .iter()
            .enumerate()
            .map(|(place, key)| {
                ((place as u64 + 1).wrapping_mul(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)) >> 7, key)
            })
            .collect();
        order.sort();
        // Some together, some alone, reconciled in between.
        for (place, some) in order.chunks(1 + usize::try_from(seed % 5).unwrap_or(0)).enumerate() {
            let some: Vec<String> = some.iter().map(|(_, key)| (*key).clone()).collect();
            let staged = stager::stage::stage(&mirror.db, &source, &some).await;
            assert!(staged.failed.is_empty(), "{:?}", staged.failed);
            if place % 2 == 0 {
                mirror.reconcile().await;
            }
        }
        mirror.reconcile().await;
        let now = content(&mirror).await;
        assert_versions_count_changes(&mirror, &contents).await;
        match &first {
            None => first = Some(now),
            Some(first) => assert_eq!(&now, first, "order {seed}"),
        }
    }
}
