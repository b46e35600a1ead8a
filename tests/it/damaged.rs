//! Damaged objects and impossible envelopes: what is whole is staged, the rest is set aside by name, and no neighbour
//! waits for it.

use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

/// Writes an object again with one text of it replaced.
fn rewrite(source: &MemorySource, key: &str, from: &[u8], to: &[u8]) {
    let bytes = source.get(key).expect("an object");
    let at = bytes.windows(from.len()).position(|part| part == from).expect("the text");
    let changed = [&bytes[..at], to, &bytes[at + from.len()..]].concat();
    source.put(key, changed);
}

/// Writes one page per change of the metadata between two sound ones; returns the key of each.
fn with_neighbours(source: &MemorySource, changes: &[(&str, Value)]) -> Vec<String> {
    let mut keys = Vec::new();
    for (number, (field, value)) in changes.iter().enumerate() {
        let minute = i64::try_from(number).expect("few") * 10;
        for (offset, name) in [(0, "before"), (2, "after")] {
            let mut run = HandRun::new(entity("clients"), minute + offset);
            run.page(source, &[record(&format!("cli_{name}_{number}"))]);
            run.end(source, RunStatus::Success);
        }
        let mut run = HandRun::new(entity("clients"), minute + 1);
        let key = run.page(source, &[record(&format!("cli_bad_{number}"))]);
        let mut page: Value = serde_json::from_slice(&source.get(&key).expect("a page")).expect("JSON");
        page["metadata"][*field] = value.clone();
        source.put(&key, page.to_string());
        keys.push(key);
    }
    keys
}

#[sqlx::test(migrations = false)]
async fn impossible_envelope_costs_itself_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let changes = [
        ("fetched_at", json!("+262142-01-01T00:00:00Z")),
        ("fetched_at", json!("-262143-01-01T00:00:00Z")),
        ("fetched_at", json!("0001-01-01T00:00:00Z")),
        ("run_id", json!("20241001T000000000Z-\u{0}")),
        ("run_id", json!("x".repeat(5_000))),
        ("mode", json!("full\u{0}")),
        ("entity", json!("clients\u{0}")),
        ("record_count", json!(u64::MAX)),
        ("record_count", json!(-1)),
        ("page", json!(u32::MAX)),
        ("asked", json!(["cli_\u{0}"])),
        ("window", json!({"start": "-200000-01-01T00:00:00Z", "end": null})),
    ];
    let keys = with_neighbours(&source, &changes);
    // Keys that no fetcher writes are set aside unread.
    for key in ["raw/clients/\u{0}/page-00001.json", "runs/clients/\u{0}.json"] {
        source.put(key, "{}");
    }
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let landed = mirror.value("select count(*) from clients").await;
    assert_eq!(landed, json!(changes.len() * 2), "the neighbours");
    let aside = mirror.rows("select source_key from quarantine where resolved_at is null").await;
    let aside: Vec<&str> = aside.iter().filter_map(|row| row["source_key"].as_str()).collect();
    for (key, (field, value)) in keys.iter().zip(&changes) {
        assert!(aside.contains(&key.as_str()), "{field} {value}: {aside:?}");
    }
    assert_eq!(aside.len(), changes.len() + 2, "{aside:?}");
    let told =
        mirror.value("select count(*) from admin_actions where kind = 'quarantined' and resolved_at is null");
    assert_eq!(told.await, json!(aside.len()));
}

#[sqlx::test(migrations = false)]
async fn impossible_manifest_costs_itself_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut expected = 0;
    for (minute, (field, value)) in [
        ("started_at", json!("+262142-01-01T00:00:00Z")),
        ("mode", json!("\u{0}")),
        ("pages", json!(u32::MAX)),
        ("revision", json!(u32::MAX)),
        ("records_passed", json!(u64::MAX)),
    ]
    .into_iter()
    .enumerate()
    {
        let run = HandRun::new(entity("users"), i64::try_from(minute).expect("few"));
        run.end(&source, RunStatus::Success);
        let key = source.keys().into_iter().rev().find(|key| key.contains(run.run_id.as_str())).expect("it");
        let mut manifest: Value = serde_json::from_slice(&source.get(&key).expect("it")).expect("JSON");
        manifest[field] = value;
        source.put(&key, manifest.to_string());
        expected += 1;
    }
    let run = HandRun::new(entity("users"), 100);
    run.end(&source, RunStatus::Failed);
    let key = source.keys().into_iter().rev().find(|key| key.contains(run.run_id.as_str())).expect("it");
    rewrite(&source, &key, br#""error":null"#, br#""error":"a\u0000b""#);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let aside = "select count(*) from quarantine where resolved_at is null";
    assert_eq!(mirror.value(aside).await, json!(expected));
    let noted =
        mirror.value("select error_summary ->> 'fetch' from sync_status where run_id is not null").await;
    assert_eq!(noted, json!("ab"), "a text with NUL says the rest");
    // Written again as it should be, it is set aside no more.
    let manifests = source.keys();
    let first = manifests.first().expect("a manifest");
    let mut manifest: Value = serde_json::from_slice(&source.get(first).expect("it")).expect("JSON");
    manifest["started_at"] = json!("2024-10-04T00:00:00Z");
    source.put(first, manifest.to_string());
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    assert_eq!(mirror.value(aside).await, json!(expected - 1));
}

#[sqlx::test(migrations = false)]
async fn truncated_page_gives_its_whole_records(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for (number, name) in ["users", "clients", "pianos", "timeline"].into_iter().enumerate() {
        let (source, entity) = (MemorySource::default(), entity(name));
        let mut run = HandRun::new(entity, i64::try_from(number).expect("few"));
        let records: Vec<Value> = (0..5).map(|record_| record(&format!("{name}_{record_}"))).collect();
        let key = run.page(&source, &records);
        run.end(&source, RunStatus::Success);
        let whole = source.get(&key).expect("a page");
        // In the middle of the fourth record.
        let needle = format!("{name}_3");
        let cut = whole.windows(needle.len()).position(|part| part == needle.as_bytes()).expect("it");
        source.put(&key, &whole[..cut]);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.reconcile().await;
        let rows = format!("select id from {} where id like '{name}%' order by id", entity.table);
        let landed = mirror.rows(&rows).await;
        assert!(landed.len() >= 2 && landed.len() <= 4, "{name}: {landed:?}");
        let run = format!(
            "select status, records_fetched, records_quarantined, records_pending from sync_status where sync_type = '{name}'"
        );
        let lost = 5 - landed.len();
        let expected = json!({"status": "partial", "records_fetched": 5, "records_quarantined": lost, "records_pending": 0});
        assert_eq!(mirror.rows(&run).await, [expected], "{name}");
        let open = format!("select (select count(*) from quarantine where source_key = '{key}' and resolved_at is null) as aside,
            (select count(*) from admin_actions where subject = '{key}' and kind = 'quarantined' and resolved_at is null) as told");
        assert_eq!(mirror.rows(&open).await, [json!({"aside": 1, "told": 1})], "{name}");
        // Delivered again, nothing doubles; found whole and replayed, all is well.
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        source.put(&key, whole);
        db::staging::prepare_replay(&mirror.db, &[key]).await.expect("the database");
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.reconcile().await;
        assert_eq!(mirror.rows(&rows).await.len(), 5, "{name}");
        assert_eq!(mirror.rows(&open).await, [json!({"aside": 0, "told": 0})], "{name}");
    }
}

#[sqlx::test(migrations = false)]
async fn broken_text_costs_no_record(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("timeline"), 0);
    let at = r#""occurredAt":"2025-03-01T12:00:00Z""#;
    let nodes = [
        format!(r#"{{"id":"utf8",{at},"comment":"a@@b"}}"#),
        format!(r#"{{"id":"good",{at},"comment":"é"}}"#),
        format!(r#"{{"id":"nul",{at},"comment":"a\u0000b"}}"#),
        format!(r#"{{"id":"lone",{at},"comment":"a\udc00b"}}"#),
        format!(r#"{{"id":"huge",{at},"comment":"ab","duration":1e400000}}"#),
        format!(r#"{{"id":"tiny",{at},"comment":"ab","duration":1e-400000}}"#),
        format!(r#"{{"id":"deep",{at},"comment":"ab","x":{}1{}}}"#, "[".repeat(9_000), "]".repeat(9_000)),
        format!(r#"{{"id":"both@@",{at},"comment":"\ud800@@"}}"#),
        format!(r#"{{"id":"nul\u0000",{at}}}"#),
    ];
    let key = run.raw_page(&source, &nodes);
    run.end(&source, RunStatus::Success);
    let broken = source.get(&key).expect("a page");
    let broken: Vec<u8> = broken.iter().map(|byte| if *byte == b'@' { 0xff } else { *byte }).collect();
    source.put(&key, broken);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let rows = mirror.rows("select id, comment, duration from timeline_entries order by id").await;
    let expected = |id: &str, comment: &str| json!({"id": id, "comment": comment, "duration": null});
    let mut wanted = vec![
        expected("both\u{fffd}\u{fffd}", "\u{fffd}\u{fffd}"),
        expected("deep", "ab"),
        expected("good", "é"),
        expected("huge", "ab"),
        expected("lone", "ab"),
        expected("nul", "ab"),
        expected("tiny", "ab"),
        expected("utf8", "a\u{fffd}\u{fffd}b"),
    ];
    wanted.sort_by_key(|row| row["id"].to_string());
    let mut rows = rows;
    rows.sort_by_key(|row| row["id"].to_string());
    assert_eq!(rows, wanted);
    // The text as received is there: as text where it is one, else byte for byte.
    let kept = mirror
        .rows("select gazelle_id as id, outcome, note is not null as noted, raw_data #>> '{$unrepresentable,json}' as json,
            raw_data #>> '{$unrepresentable,hex}' as hex from stg_timeline_entries")
        .await;
    for (id, node) in [("nul", &nodes[2]), ("lone", &nodes[3]), ("huge", &nodes[4]), ("tiny", &nodes[5])] {
        let row = kept.iter().find(|row| row["id"] == id).expect("staged");
        assert_eq!((&row["json"], &row["noted"]), (&json!(node), &json!(true)), "{id}");
    }
    let utf8 = kept.iter().find(|row| row["id"] == "utf8").expect("staged");
    let original: Vec<u8> = nodes[0].bytes().map(|byte| if byte == b'@' { 0xff } else { byte }).collect();
    let hex: String = original.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(utf8["hex"], json!(hex));
    let skipped = kept.iter().filter(|row| row["outcome"] == "skipped").count();
    assert_eq!(skipped, 1, "an id that needs a repair is none: {kept:?}");
}

#[sqlx::test(migrations = false)]
async fn page_from_the_future_freezes_no_row(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for hours in [1, 48, 24 * 3_650] {
        let (source, id) = (MemorySource::default(), format!("cli_{hours}"));
        let later = chrono::Utc::now() + chrono::TimeDelta::hours(hours);
        let mut run = HandRun::started(entity("clients"), later, 1);
        let mut wrong = record(&id);
        wrong["companyName"] = json!("from the future");
        run.page(&source, &[wrong]);
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.reconcile().await;
        let noted = format!("select note like '%in the future%' from stg_clients where gazelle_id = '{id}'");
        assert_eq!(mirror.value(&noted).await, json!(true), "{hours} hours");
        let source = MemorySource::default();
        let mut run = HandRun::started(entity("clients"), chrono::Utc::now(), 2);
        let mut right = record(&id);
        right["companyName"] = json!("now");
        run.page(&source, &[right]);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.reconcile().await;
        let name = format!("select company_name from clients where id = '{id}'");
        // The second page was written a second after the start of its run.
        assert_eq!(mirror.value(&name).await, json!("now"), "{hours} hours");
    }
    let late = "select count(*) from sync_status where started_at > now()";
    assert_eq!(mirror.value(late).await, json!(0));
}
