//! Parts of the source that are not served: each costs itself alone, and is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fetcher::report::{ReportStatus, RunReport};
use gazelle_client::Gazelle;
use gazelle_sim::SimConfig;
use model::entity::Entity;
use object_store::ObjectStore;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::process::{Middleman, Reply};
use pipeline_tests::source::{Source, TICK};
use protocol::manifest::Manifest;
use protocol::request::Mode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Position in each list of the record that is not served, from 0.
const UNSERVED: usize = 70;

/// Fault that a test can heal.
type Switch = Arc<AtomicBool>;

fn switched_on() -> Switch {
    Arc::new(AtomicBool::new(true))
}

fn is_on(switch: &Switch) -> bool {
    switch.load(Ordering::Relaxed)
}

async fn without_oddities() -> Source {
    let config =
        SimConfig { timeline: 600, clients: 120, pianos: 130, oddities: false, ..SimConfig::default() };
    Source::open(config).await
}

/// Returns whether the request is for the page that holds a position.
fn covers(body: &str, position: usize) -> bool {
    let request: Value = serde_json::from_str(body).expect("a request");
    let variables = &request["variables"];
    let offset = |cursor: &str| {
        let digits = cursor.strip_prefix("sim/").and_then(|rest| rest.strip_suffix("+=="));
        digits.and_then(|digits| usize::from_str_radix(digits, 16).ok())
    };
    let begin = variables["after"].as_str().and_then(offset).unwrap_or(0);
    let Some(first) = variables["first"].as_u64() else { return false };
    (begin..begin + usize::try_from(first).expect("a size")).contains(&position)
}

/// Returns whether the request is for the page from the end of 120 records that holds a position.
fn covers_from_behind(body: &str, position: usize) -> bool {
    let request: Value = serde_json::from_str(body).expect("a request");
    let variables = &request["variables"];
    let offset = |cursor: &str| {
        let digits = cursor.strip_prefix("sim/").and_then(|rest| rest.strip_suffix("+=="));
        digits.and_then(|digits| usize::from_str_radix(digits, 16).ok())
    };
    let end = variables["before"].as_str().and_then(offset).map_or(120, |before| before - 1);
    let Some(last) = variables["last"].as_u64() else { return false };
    (end.saturating_sub(usize::try_from(last).expect("a size"))..end).contains(&position)
}

fn is_outline(body: &str) -> bool {
    body.contains("nodes { id } }")
}

async fn tick(source: &Source, api: &Gazelle, entity: &'static Entity) -> Vec<RunReport> {
    source.serve_with(api, &Source::job(entity, TICK)).await
}

/// Returns the ids that are stored.
fn stored_ids(source: &Source) -> Vec<String> {
    let mut ids: Vec<String> =
        source.records().iter().filter_map(|record| record["id"].as_str().map(str::to_owned)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[tokio::test]
async fn unserved_record_costs_itself_alone() {
    for name in ["clients", "timeline"] {
        let (source, entity, fault) = (without_oddities().await, entity(name), switched_on());
        let on = Arc::clone(&fault);
        let middleman = Middleman::before(&source.sim.url, move |_, body| {
            let is_hit = is_on(&on) && !is_outline(body) && covers(body, UNSERVED);
            if is_hit { Reply::status(400) } else { Reply::Forward }
        })
        .await;
        let api = source.api_behind(&middleman.url);
        for _ in 0..2 {
            let report = tick(&source, &api, entity).await.remove(0);
            assert_eq!(report.status, ReportStatus::Failed, "{report:?}");
        }
        let report = tick(&source, &api, entity).await.remove(0);
        assert_eq!(report.status, ReportStatus::Partial, "{report:?}");
        let truth = source.truth(entity).await;
        let all = truth["rows"].as_array().expect("rows").len();
        assert_eq!(stored_ids(&source).len(), all - 1, "{name}: every other record is stored");
        let manifest = source.last_manifest(entity, "incremental");
        let unserved = manifest["unserved"].as_array().expect("a list");
        let id = unserved[0]["id"].as_str().expect("an id");
        assert!(unserved.len() == 1 && !stored_ids(&source).contains(&id.to_owned()), "{manifest:#}");
        assert_eq!((&unserved[0]["position"], &manifest["proves_absence"]), (&json!(71), &json!(false)));
        if entity.time_filter().is_some() {
            // A later tick reaches less far; the nightly and the weekly run ask for it again.
            continue;
        }
        // Later ticks meet it again, at once, and still read everything else.
        let before = middleman.requests();
        let report = tick(&source, &api, entity).await.remove(0);
        assert_eq!(report.status, ReportStatus::Partial, "{report:?}");
        assert!(middleman.requests() - before < 60, "{}", middleman.requests() - before);
        fault.store(false, Ordering::Relaxed);
        let report = tick(&source, &api, entity).await.remove(0);
        assert_eq!(report.status, ReportStatus::Success, "{report:?}");
        assert_eq!(stored_ids(&source).len(), all, "{name}");
        assert_eq!(source.last_manifest(entity, "incremental").get("unserved"), None);
    }
}

#[tokio::test]
async fn unserved_record_of_a_full_run_costs_itself_alone() {
    let (source, clients) = (without_oddities().await, entity("clients"));
    let middleman = Middleman::before(&source.sim.url, |_, body| {
        // The position alone is served.
        let is_hit = body.contains("nodes") && covers(body, UNSERVED);
        if is_hit { Reply::status(400) } else { Reply::Forward }
    })
    .await;
    let api = source.api_behind(&middleman.url);
    source.serve_with(&api, &Source::job(clients, Mode::Full)).await;
    for _ in 0..4 {
        tick(&source, &api, clients).await;
    }
    let manifest = source.last_manifest(clients, "full");
    assert_eq!((&manifest["status"], &manifest["records"]), (&json!("partial"), &json!(119)), "{manifest:#}");
    assert_eq!(
        (&manifest["unserved"][0]["id"], &manifest["unserved"][0]["position"]),
        (&Value::Null, &json!(71))
    );
    assert_eq!((&manifest["proves_absence"], &manifest["action"]), (&json!(false), &json!("unserved")));
}

#[tokio::test]
async fn adjacent_unserved_records_are_found_one_by_one() {
    let (source, clients) = (without_oddities().await, entity("clients"));
    let middleman = Middleman::before(&source.sim.url, |_, body| {
        let is_hit = !is_outline(body) && [0, 3, 4, 119].iter().any(|position| covers(body, *position));
        if is_hit { Reply::status(400) } else { Reply::Forward }
    })
    .await;
    let api = source.api_behind(&middleman.url);
    for _ in 0..3 {
        tick(&source, &api, clients).await;
    }
    let manifest = source.last_manifest(clients, "incremental");
    let unserved = manifest["unserved"].as_array().expect("a list").iter();
    let positions: Vec<Value> = unserved.map(|unserved| unserved["position"].clone()).collect();
    assert_eq!(json!(positions), json!([1, 4, 5, 120]), "{manifest:#}");
    assert_eq!(stored_ids(&source).len(), 116);
}

#[tokio::test]
async fn record_that_hides_its_cursor_is_passed_from_behind() {
    for position in [70, 119, 49] {
        let (source, clients) = (without_oddities().await, entity("clients"));
        let middleman = Middleman::before(&source.sim.url, move |_, body| {
            let is_hit = covers(body, position) || covers_from_behind(body, position);
            if is_hit { Reply::status(400) } else { Reply::Forward }
        })
        .await;
        let api = source.api_behind(&middleman.url);
        for _ in 0..3 {
            tick(&source, &api, clients).await;
        }
        let manifest = source.last_manifest(clients, "incremental");
        let unserved = manifest["unserved"].as_array().expect("a list");
        assert_eq!((unserved.len(), &unserved[0]["position"]), (1, &json!(position + 1)), "{manifest:#}");
        assert_eq!((stored_ids(&source).len(), &manifest["status"]), (119, &json!("partial")));
        // Nor is any page stored again and again.
        tick(&source, &api, clients).await;
        let report = tick(&source, &api, clients).await.remove(0);
        assert_eq!((report.status, report.pages), (ReportStatus::Partial, 0), "{report:?}");
    }
}

#[tokio::test]
async fn unskippable_record_is_told_and_page_one_is_read() {
    let (source, clients) = (without_oddities().await, entity("clients"));
    let middleman = Middleman::before(&source.sim.url, |_, body| {
        let request: Value = serde_json::from_str(body).expect("a request");
        let is_backward = request["variables"]["last"].is_u64();
        if is_backward || covers(body, UNSERVED) { Reply::status(400) } else { Reply::Forward }
    })
    .await;
    let api = source.api_behind(&middleman.url);
    for _ in 0..3 {
        tick(&source, &api, clients).await;
    }
    let manifest = source.last_manifest(clients, "incremental");
    assert_eq!(
        (&manifest["status"], &manifest["action"]),
        (&json!("failed"), &json!("unserved")),
        "{manifest:#}"
    );
    assert_eq!(
        (&manifest["unserved"][0]["rest"], &manifest["unserved"][0]["position"]),
        (&json!(true), &json!(71))
    );
    // What is new at the beginning of the list arrives all the same.
    source.control("/_sim/advance", &json!({"edits": 3, "entity": "clients"})).await;
    let report = tick(&source, &api, clients).await.remove(0);
    assert!(report.status == ReportStatus::Failed && report.pages + report.pages_passed > 1, "{report:?}");
}

#[tokio::test]
async fn refused_cursor_begins_at_page_one() {
    for mode in [TICK, Mode::Full] {
        let (source, clients, fault) = (without_oddities().await, entity("clients"), switched_on());
        source.sink.refuse_once("page-00002.json");
        let broken = source.fetch(clients, mode.clone()).await.remove(0);
        assert_eq!((broken.status, broken.pages), (ReportStatus::Failed, 1));
        // A deployment of the source: the old cursors are worth nothing, until a new listing hands out others.
        let on = Arc::clone(&fault);
        let middleman = Middleman::before(&source.sim.url, move |_, body| {
            let request: Value = serde_json::from_str(body).expect("a request");
            if request["variables"]["after"].is_null() && request["variables"]["first"] == json!(50) {
                on.store(false, Ordering::Relaxed);
            }
            let is_refused = is_on(&on) && request["variables"]["after"].is_string();
            let error =
                json!({"errors": [{"message": "Invalid cursor", "extensions": {"code": "invalidCursor"}}]});
            if is_refused { Reply::Answer(400, Vec::new(), error.to_string()) } else { Reply::Forward }
        })
        .await;
        let api = source.api_behind(&middleman.url);
        let word = mode.lane().as_str();
        for _ in 0..6 {
            tick(&source, &api, clients).await;
        }
        let manifests = source.manifests(clients);
        let is_served = |manifest: &&Value| manifest["lane"] == word && manifest["status"] == "success";
        assert!(manifests.iter().any(|manifest| is_served(&manifest)), "{word}: {manifests:#?}");
        assert_eq!(stored_ids(&source).len(), 120);
    }
}

#[tokio::test]
async fn outage_gives_no_request_up() {
    let (source, clients, fault) = (without_oddities().await, entity("clients"), switched_on());
    let on = Arc::clone(&fault);
    let middleman =
        Middleman::before(
            &source.sim.url,
            move |_, _| {
                if is_on(&on) { Reply::status(400) } else { Reply::Forward }
            },
        )
        .await;
    let api = source.api_behind(&middleman.url);
    source.serve_with(&api, &Source::job(clients, Mode::Full)).await;
    source.serve_with(&api, &Source::job(clients, Mode::Verify { ids: vec!["cli_gone".to_owned()] })).await;
    for _ in 0..20 {
        let reports = tick(&source, &api, clients).await;
        assert!(reports.iter().all(|report| report.status == ReportStatus::Failed), "{reports:?}");
    }
    fault.store(false, Ordering::Relaxed);
    let reports = tick(&source, &api, clients).await;
    for mode in ["incremental", "full", "verify"] {
        let served = reports.iter().find(|report| report.mode == mode);
        assert!(served.is_some_and(|report| report.status == ReportStatus::Success), "{mode}: {reports:?}");
    }
    assert!(source.manifests(clients).iter().all(|manifest| manifest.get("unserved").is_none()));
}

#[tokio::test]
async fn unanswered_id_costs_the_others_nothing() {
    let (source, clients, fault) = (without_oddities().await, entity("clients"), switched_on());
    let truth = source.truth(clients).await;
    let mut ids: Vec<String> = truth["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .take(12)
        .map(|row| row["id"].as_str().expect("an id").to_owned())
        .collect();
    ids[4] = "cli_broken".to_owned();
    let on = Arc::clone(&fault);
    let middleman = Middleman::before(&source.sim.url, move |_, body| {
        let is_hit = is_on(&on) && body.contains("cli_broken");
        if is_hit { Reply::json(&json!({"data": null, "errors": [null]})) } else { Reply::Forward }
    })
    .await;
    let api = source.api_behind(&middleman.url);
    let report = source.serve_with(&api, &Source::job(clients, Mode::Verify { ids })).await.remove(0);
    assert_eq!((report.status, report.records), (ReportStatus::Partial, 11), "{report:?}");
    let served = source.last_manifest(clients, "verify")["served"].as_array().expect("ids").len();
    assert_eq!(served, 11);
    // A later request is not held up.
    let gone = Mode::Verify { ids: vec!["cli_gone".to_owned()] };
    let report = source.serve_with(&api, &Source::job(clients, gone)).await.remove(0);
    assert_eq!(report.status, ReportStatus::Success, "{report:?}");
    // Nor are unchanged pages stored again.
    tick(&source, &api, clients).await;
    let report = tick(&source, &api, clients).await.remove(0);
    assert!(report.pages == 0 && report.pages_passed > 0, "{report:?}");
    for _ in 0..4 {
        make_due(&source, "state/clients/verify.json");
        tick(&source, &api, clients).await;
    }
    let manifest = source.last_manifest(clients, "verify");
    assert_eq!(
        (&manifest["status"], &manifest["action"]),
        (&json!("partial"), &json!("unserved")),
        "{manifest:#}"
    );
    assert_eq!(manifest["unserved"][0]["id"], "cli_broken");
    let state = state_of(&source, "state/clients/verify.json");
    assert_eq!(state["state"]["asked"], json!([]), "it was given up");
}

fn state_of(source: &Source, key: &str) -> Value {
    let ObjectStore::Memory(memory) = &*source.states else { panic!("in memory") };
    let (_, bytes) = memory.objects().into_iter().find(|(known, _)| known == key).expect("a state");
    serde_json::from_slice(&bytes).expect("JSON")
}

/// Lets the pauses of the waiting requests pass.
fn make_due(source: &Source, key: &str) {
    let ObjectStore::Memory(memory) = &*source.states else { panic!("in memory") };
    let mut state = state_of(source, key);
    for request in state["state"]["asked"].as_array_mut().expect("requests") {
        request["not_before"] = Value::Null;
    }
    memory.overwrite(key, state.to_string().as_bytes());
}

#[tokio::test]
async fn overtaken_invocation_is_busy_and_fails_nothing() {
    let (source, clients) = (without_oddities().await, entity("clients"));
    let states = Arc::clone(&source.states);
    let middleman = Middleman::before(&source.sim.url, move |_, body| {
        if covers(body, UNSERVED) {
            let ObjectStore::Memory(memory) = &*states else { panic!("in memory") };
            let key = "state/clients/incremental.json";
            let (_, bytes) = memory.objects().into_iter().find(|(known, _)| known == key).expect("a state");
            let text = String::from_utf8_lossy(&bytes).replace(r#""holder":""#, r#""holder":"another-"#);
            memory.overwrite(key, text.as_bytes());
        }
        Reply::Forward
    })
    .await;
    let report = tick(&source, &source.api_behind(&middleman.url), clients).await.remove(0);
    assert_eq!(report.status, ReportStatus::Busy, "{report:?}");
    assert_eq!(source.manifests(clients), Vec::<Value>::new(), "it writes nothing more");
}

fn manifest(number: u32, lane: &str, status: &str, unserved: &Value, served: &Value) -> Manifest {
    let mode = if lane == "lookback" { "incremental" } else { lane };
    let manifest = json!({
        "schema_version": 1, "run_id": format!("20260131T12000000{number}Z-00000001"), "entity": "clients",
        "mode": mode, "lane": lane, "window": null, "status": status, "started_at": "2026-01-31T12:00:00Z",
        "ended_at": "2026-01-31T12:00:01Z", "pages": 0, "records": 0, "total_count": null,
        "resumed_from_page": null, "revision": 1, "error": null, "fetcher_version": "test",
        "action": if unserved.as_array().is_some_and(Vec::is_empty) { Value::Null } else { json!("unserved") },
        "unserved": unserved, "served": served,
    });
    serde_json::from_value(manifest).expect("a manifest")
}

#[sqlx::test(migrations = false)]
async fn action_closes_when_the_record_is_served(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let clients = entity("clients");
    let known = json!({"id": "cli_1", "page": 2, "position": 71, "reason": "400"});
    let unknown = json!({"id": null, "page": 2, "position": 72, "reason": "400"});
    let (none, both) = (json!([]), json!([known, unknown]));
    let steps = [
        (manifest(1, "full", "partial", &both, &none), vec!["cli_1", "full, page 2, record 72"]),
        (manifest(2, "incremental", "success", &none, &none), vec!["cli_1", "full, page 2, record 72"]),
        (manifest(3, "verify", "success", &none, &json!(["cli_1"])), vec!["full, page 2, record 72"]),
        (manifest(4, "full", "failed", &none, &none), vec!["full, page 2, record 72"]),
        (manifest(5, "full", "partial", &json!([known]), &none), vec!["cli_1"]),
        (manifest(6, "full", "success", &none, &none), vec![]),
    ];
    for (manifest, open) in steps {
        db::runs::record_manifest(&mirror.db, clients, &manifest).await.expect("a manifest that is recorded");
        let sql =
            "select subject from admin_actions where kind = 'unserved' and resolved_at is null order by 1";
        let subjects: Vec<Value> =
            mirror.rows(sql).await.into_iter().map(|row| row["subject"].clone()).collect();
        assert_eq!(json!(subjects), json!(open), "{manifest:?}");
    }
}
