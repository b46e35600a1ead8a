//! The fetcher against the simulated Gazelle: complete, byte for byte, resumable at every page.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fetcher::fetch::fetch;
use fetcher::job::{Job, RunContext};
use fetcher::report::{ReportStatus, RunReport};
use fetcher::state::{LaneState, QueuedRequest};
use gazelle_client::{ApiError, Authentication, FixedTokenStore, PageRequest, TokenStore};
use gazelle_sim::SimConfig;
use model::entity;
use object_store::{Object, ObjectStore};
use pipeline_tests::mirror::entity;
use pipeline_tests::process::{Middleman, Reply};
use pipeline_tests::source::{Source, TICK};
use protocol::raw_page::{self, RawPage};
use protocol::request::Mode;
use serde_json::{Value, json};

#[tokio::test]
async fn every_registry_query_stores_every_record() {
    for entity in entity::fetched() {
        let source = Source::small().await;
        let reports = source.fetch(entity, Mode::Full).await;
        for report in &reports {
            assert_eq!((report.status, &report.error), (ReportStatus::Success, &None), "{report:?}");
        }
        let truth = source.truth(entity).await;
        let stored = source.records();
        // What was cut short was asked for once more.
        let asked: u64 = reports.iter().filter(|run| run.mode == "verify").map(|run| run.records).sum();
        assert_eq!(json!(stored.len() as u64 - asked), truth["total_count"], "{}", entity.name);
        for row in truth["rows"].as_array().expect("rows") {
            assert!(
                stored.iter().any(|record| record["id"] == row["id"]),
                "{} misses {}",
                entity.name,
                row["id"]
            );
        }
    }
}

#[tokio::test]
async fn raw_page_is_the_response_byte_for_byte() {
    let (source, clients) = (Source::small().await, entity("clients"));
    source.fetch(clients, Mode::Full).await;
    let (key, bytes) =
        source.sink.objects().into_iter().find(|(key, _)| key.ends_with("page-00001.json")).expect("page 1");
    let page: RawPage<'_> = serde_json::from_slice(&bytes).expect("a raw page");
    let query = clients.query().expect("a query");
    let asked = json!({"query": query.document(), "variables": {"first": 50, "after": null}});
    let answer = reqwest::Client::new()
        .post(format!("{}/graphql/private", source.sim.url))
        .header("x-gazelle-api-key", "sim-key")
        .header("content-type", "application/json")
        .body(asked.to_string())
        .send()
        .await
        .expect("an answer");
    assert_eq!(page.payload.get(), answer.text().await.expect("a body").trim());
    assert_eq!((page.metadata.page, page.metadata.record_count, page.metadata.cursor), (1, 50, None));
    assert!(key.contains(&format!("raw/clients/{}", &page.metadata.run_id.as_str()[0..4])), "{key}");
    assert!(raw_page::nodes_of_page(clients, &bytes).is_ok());
}

#[tokio::test]
async fn broken_run_resumes_at_its_next_page() {
    let (source, timeline) = (Source::small().await, entity("timeline"));
    source.sink.refuse_once("page-00005.json");
    let broken = source.fetch(timeline, Mode::Full).await;
    let [RunReport { status: ReportStatus::Failed, pages: 4, error: Some(error), .. }] = &broken[..] else {
        panic!("{broken:?}")
    };
    assert!(error.contains("could not save page 5 of timeline"), "{error}");
    // Any tick takes it up.
    let reports = source.fetch(timeline, TICK).await;
    let report = reports.iter().find(|report| report.mode == "full").expect("the run that broke");
    assert_eq!((report.status, report.resumed_from_page), (ReportStatus::Success, Some(5)), "{report:?}");
    assert_eq!(report.run_id, broken[0].run_id, "it is the same run");
    let ticked: u64 = reports
        .iter()
        .filter(|report| report.mode == "incremental")
        .map(|report| u64::from(report.pages))
        .sum();
    assert_eq!(source.pages() as u64, u64::from(report.pages) + ticked);
    let requests = source.stat("/requests").await;
    assert_eq!(
        requests,
        json!(u64::from(report.pages) + ticked + 1),
        "only the page that could not be saved was asked for twice"
    );
}

#[tokio::test]
async fn one_invocation_works_on_a_lane_at_a_time() {
    let (source, clients) = (Source::small().await, entity("clients"));
    let (mine, other) = (Source::job(clients, TICK), Source::job(clients, TICK));
    let (first, second) = tokio::join!(source.serve(&mine), source.serve(&other));
    let statuses = [first[0].status, second[0].status];
    assert!(
        statuses.contains(&ReportStatus::Busy) && statuses.contains(&ReportStatus::Success),
        "{first:?} {second:?}"
    );
    assert_eq!(source.pages(), 3, "one run's pages: {:?}", source.sink.objects().keys());
}

#[tokio::test]
async fn request_to_busy_lane_waits_and_runs_once() {
    let (source, clients) = (Source::small().await, entity("clients"));
    let weekly = Source::job(clients, Mode::Full);
    let again = Job { holder: "again".to_owned(), ..weekly.clone() };
    let by_hand = Source::job(clients, Mode::Full);
    let (first, second, third) =
        tokio::join!(source.serve(&weekly), source.serve(&again), source.serve(&by_hand));
    let reports: Vec<&RunReport> = first.iter().chain(&second).chain(&third).collect();
    let runs: Vec<&&RunReport> = reports.iter().filter(|report| report.run_id.is_some()).collect();
    assert!(runs.iter().all(|report| report.status == ReportStatus::Success), "{reports:?}");
    // The one by hand asks for what waits or runs already, or comes after it.
    assert!((1..=2).contains(&runs.len()), "{reports:?}");
    let later = source.serve(&Job { holder: "later".to_owned(), ..weekly }).await;
    assert!(later.is_empty(), "it was served: {later:?}");
}

#[tokio::test]
async fn incremental_run_starts_at_the_watermark() {
    let (source, timeline) = (Source::small().await, entity("timeline"));
    let first = source.fetch(timeline, TICK).await;
    let second = source.fetch(timeline, TICK).await;
    assert_eq!(
        (first[0].status, second[0].status),
        (ReportStatus::Success, ReportStatus::Success),
        "{second:?}"
    );
    assert!(first[0].pages > 8 && second[0].pages + second[0].pages_passed <= 2, "{first:?} then {second:?}");
}

#[tokio::test]
async fn only_changed_pages_are_stored() {
    for entity in entity::fetched() {
        let source = Source::small().await;
        source.fetch(entity, TICK).await;
        let stored = source.pages();
        let again = source.fetch(entity, TICK).await;
        // The timeline's second run reaches less far: other pages. A truncated record that was looked up for the first
        // time makes every page be stored once more.
        let is_steady = entity.time_filter().is_none() && again.len() == 1;
        let again = if is_steady { again } else { source.fetch(entity, TICK).await };
        let [report] = &again[..] else { panic!("{again:?}") };
        assert_eq!((report.status, report.pages), (ReportStatus::Success, 0), "{report:?}");
        assert!(report.pages_passed > 0, "{report:?}");
        let stored = stored.max(source.pages());
        let changes = json!({"edits": 1, "creates": 1, "entity": entity.name});
        source.control("/_sim/advance", &changes).await;
        let changed = source.fetch(entity, TICK).await;
        assert!(
            changed[0].status == ReportStatus::Success && source.pages() > stored,
            "{}: {changed:?}",
            entity.name
        );
        // What another lane stores makes the frequent one store everything once more.
        source.fetch(entity, Mode::Full).await;
        let after = source.fetch(entity, TICK).await;
        assert_eq!(
            (after[0].pages_passed, after[0].status),
            (0, ReportStatus::Success),
            "{}: {after:?}",
            entity.name
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn report_is_told_before_other_lanes_end() {
    let (source, clients) = (Source::small().await, entity("clients"));
    source.serve(&Source::job(clients, TICK)).await;
    let (is_told, told) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    let gate = Arc::clone(&is_told);
    // A lookup that takes until the report of the incremental run has arrived.
    let middleman = Middleman::before(&source.sim.url, move |_, body| {
        let held_until = std::time::Instant::now() + Duration::from_secs(10);
        let is_held = || !gate.load(Ordering::Relaxed) && std::time::Instant::now() < held_until;
        if body.contains("ById") {
            // The other tasks of this thread go on in another one.
            tokio::task::block_in_place(|| {
                while is_held() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            });
        }
        Reply::Forward
    })
    .await;
    let mut object: Object<LaneState> =
        source.states.load("state/clients/verify.json").await.expect("a state");
    let mode = Mode::Verify { ids: vec!["cli_gone".to_owned()] };
    let request = QueuedRequest { request_id: "ask".to_owned(), mode, attempt: 1, not_before: None };
    object.value.queued.push(request);
    source.states.save(&mut object).await.expect("a queued request");
    let (sender, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let (api, job) = (source.api_behind(&middleman.url), Source::job(clients, TICK));
    let context =
        RunContext { api: &api, sink: &source.sink, states: &source.states, reports: Some(&sender) };
    let watch = async {
        let first: RunReport = reports.recv().await.expect("a report");
        told.store(first.mode == "incremental", Ordering::Relaxed);
        is_told.store(true, Ordering::Relaxed);
    };
    let (served, ()) = tokio::join!(Box::pin(fetch(context, &job, &|_| ())), watch);
    assert!(told.load(Ordering::Relaxed));
    assert_eq!(served.expect("reports").len(), 2);
}

#[tokio::test]
async fn deadline_pauses_between_pages_and_tick_resumes() {
    let (source, timeline) = (Source::small().await, entity("timeline"));
    let mut runs = Vec::new();
    let mut job = Source::job(timeline, Mode::Full);
    job.deadline = tokio::time::Instant::now() + Duration::from_millis(15);
    runs.extend(source.serve(&job).await);
    for _ in 0..1_000 {
        if runs.iter().any(|report| report.mode == "full" && report.status == ReportStatus::Success) {
            break;
        }
        let mut tick = Source::job(timeline, TICK);
        tick.deadline = tokio::time::Instant::now() + Duration::from_millis(15);
        runs.extend(source.serve(&tick).await);
    }
    let full: Vec<&RunReport> = runs.iter().filter(|report| report.mode == "full").collect();
    assert!(full.len() > 1 && full.iter().all(|report| report.run_id == full[0].run_id), "{full:?}");
    assert_eq!(
        full.last().map(|report| (report.status, report.records)),
        Some((ReportStatus::Success, 600)),
        "{full:?}"
    );
}

#[tokio::test]
async fn malformed_state_is_an_error_with_a_remedy() {
    for state in [
        "",
        "[]",
        r#"{"schema_version": 1, "state": {}}"#,
        r#"{"schema_version": 2}"#,
        r#"{"schema_version": 2, "state": {"watermark": "soon"}}"#,
    ] {
        let source = Source::small().await;
        let ObjectStore::Memory(memory) = &*source.states else { panic!("in memory") };
        memory.overwrite("state/clients/incremental.json", state.as_bytes());
        let reports = source.fetch(entity("clients"), TICK).await;
        let error = reports[0].error.clone().unwrap_or_default();
        assert_eq!((reports[0].status, source.pages()), (ReportStatus::Failed, 0), "{reports:?}");
        for part in ["state/clients/incremental.json cannot be read", "delete it", "nothing is lost"] {
            assert!(error.contains(part), "{state}: {error}");
        }
    }
}

#[tokio::test]
async fn full_run_over_moving_source_is_partial_and_retried() {
    let config = SimConfig { timeline: 600, oddities: false, ..SimConfig::default() };
    let source = Source::open(config).await;
    // An entry appears after each of the first three requests; then the source is quiet.
    source.control("/_sim/faults", &json!({"shift_pages": 0.5})).await;
    let moved = source.fetch(entity("timeline"), Mode::Full).await;
    assert_eq!(moved.len(), 3, "{moved:?}");
    for report in &moved {
        let error = report.error.as_deref().unwrap_or_default();
        assert!(report.status == ReportStatus::Partial && error.contains("different ones"), "{report:?}");
    }
    source.heal().await;
    let quiet = source.fetch(entity("timeline"), Mode::Full).await;
    assert!(quiet.len() == 1 && quiet[0].status == ReportStatus::Success, "{quiet:?}");
}

#[tokio::test]
async fn lookup_response_is_stored_unchanged() {
    let source = Source::small().await;
    for entity in entity::ALL.into_iter().filter(|entity| entity.lookup_document(1).is_some()) {
        let truth = source.truth(entity).await;
        let rows = truth["rows"].as_array().expect("rows");
        let mut ids: Vec<String> =
            rows.iter().take(23).map(|row| row["id"].as_str().expect("an id").to_owned()).collect();
        ids.insert(7, "x_gone".to_owned());
        let reports = source.fetch(entity, Mode::Verify { ids: ids.clone() }).await;
        let [report] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!((report.status, report.pages), (ReportStatus::Success, 3), "{report:?}");
        let mut answers = Vec::new();
        for (key, bytes) in source.sink.objects() {
            if key.starts_with(&format!("raw/{}/", entity.name)) {
                let nodes = raw_page::nodes_of_page(entity, &bytes).expect("a page");
                answers.extend(nodes.lookup_results);
            }
        }
        let gone: Vec<&String> = answers
            .iter()
            .filter(|(_, said)| *said == protocol::lookup::LookupResult::Gone)
            .map(|(id, _)| id)
            .collect();
        assert_eq!((answers.len(), gone), (24, vec![&ids[7]]), "{}", entity.name);
    }
}

#[tokio::test]
async fn transient_faults_are_retried_until_all_arrive() {
    for fault in [
        json!({"status_500": 0.3}),
        json!({"drop_connection": 0.3}),
        json!({"truncate": 0.3}),
        json!({"invalid_json": 0.3}),
        json!({"status_429": 0.3, "retry_after_s": 0}),
        json!({"status_429": 0.1, "retry_after_s": 1, "retry_after_http_date": true}),
    ] {
        let (source, clients) = (Source::small().await, entity("clients"));
        source.control("/_sim/faults", &fault).await;
        let report = source.fetch(clients, TICK).await.remove(0);
        assert_eq!((report.status, report.records), (ReportStatus::Success, 120), "{fault}: {report:?}");
    }
}

#[tokio::test]
async fn lasting_fault_fails_the_run_and_tick_resumes() {
    let (source, clients) = (Source::small().await, entity("clients"));
    source.control("/_sim/faults", &json!({"status_500": 1.0})).await;
    let failed = source.fetch(clients, TICK).await.remove(0);
    let error = failed.error.clone().unwrap_or_default();
    assert!(
        failed.status == ReportStatus::Failed && error.contains("no usable response in 6 attempts"),
        "{failed:?}"
    );
    assert!(error.contains("500"), "{error}");
    source.heal().await;
    let resumed = source.fetch(clients, TICK).await.remove(0);
    assert_eq!((resumed.status, &resumed.run_id), (ReportStatus::Success, &failed.run_id), "{resumed:?}");
}

#[tokio::test]
async fn looping_cursor_ends_in_an_error() {
    for fault in ["lost_cursor", "circling_cursor"] {
        for rate in [1.0, 0.3] {
            let (source, timeline) = (Source::small().await, entity("timeline"));
            source.control("/_sim/faults", &json!({fault: rate})).await;
            let report = source.fetch(timeline, Mode::Full).await.remove(0);
            let error = report.error.clone().unwrap_or_default();
            assert!(
                report.status == ReportStatus::Failed && error.contains("a cursor that does not advance"),
                "{fault} at {rate}: {report:?}"
            );
            assert!(source.stat("/requests").await.as_u64() < Some(100), "{fault} at {rate}");
        }
    }
}

#[tokio::test]
async fn response_without_data_is_retried_until_it_has_some() {
    let (source, clients) = (Source::small().await, entity("clients"));
    source.control("/_sim/faults", &json!({"graphql_error": 0.3})).await;
    let report = source.fetch(clients, Mode::Full).await.remove(0);
    assert_eq!((report.status, report.records), (ReportStatus::Success, 120), "{report:?}");
}

#[tokio::test]
async fn invalid_key_is_reported_at_once() {
    let source = Source::small().await;
    let reports = source.serve_with(&source.api("wrong"), &Source::job(entity("users"), TICK)).await;
    let error = reports[0].error.clone().unwrap_or_default();
    assert!(
        reports[0].status == ReportStatus::Failed && error.contains("refuses the credentials (401)"),
        "{reports:?}"
    );
    assert!(!error.contains("wrong"), "the key itself is never told");
}

#[tokio::test]
async fn expired_token_refreshes_once_spent_one_opens_action() {
    let source = Source::small().await;
    let oauth = |refresh_token: &str| {
        let fields = json!({"client_id": "sim-client", "client_secret": "sim-secret", "access_token": "stale",
            "refresh_token": refresh_token, "expires_at": "2999-01-01T00:00:00Z"});
        let fields = fields.as_object().cloned().unwrap_or_default();
        source.api_with(Authentication::OAuth, TokenStore::Fixed(FixedTokenStore::with_fields(fields)))
    };
    let api = oauth("sim-refresh-1");
    for name in ["users", "clients"] {
        let reports = source.serve_with(&api, &Source::job(entity(name), TICK)).await;
        assert_eq!(reports[0].status, ReportStatus::Success, "{reports:?}");
    }
    let spent = source.serve_with(&oauth("sim-refresh-1"), &Source::job(entity("users"), TICK)).await;
    let error = spent[0].error.clone().unwrap_or_default();
    assert!(error.contains("must authorise the application again"), "{spent:?}");
    let manifests = source.sink.objects();
    let manifest: Value = manifests
        .iter()
        .rfind(|(key, _)| key.starts_with("runs/users/"))
        .map(|(_, bytes)| serde_json::from_slice(bytes).expect("a manifest"))
        .expect("a manifest");
    assert_eq!((&manifest["status"], &manifest["action"]), (&json!("failed"), &json!("credentials")));
}

#[tokio::test]
async fn incident_10_unknown_schema_field_is_named() {
    let source = Source::small().await;
    let refused = source
        .api("sim-key")
        .fetch_page("query a { allUsers { id nickname } }", PageRequest::default())
        .await;
    let Err(ApiError::Schema { code, message }) = refused else { panic!("{refused:?}") };
    assert!(code == "undefinedField" && message.contains("nickname"), "{code}: {message}");
}

#[tokio::test]
async fn fetch_command_needs_no_aws_and_no_database() {
    let source = Source::small().await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fetch-command");
    let file = folder.join("timeline.json");
    let command =
        std::env::current_exe().expect("a path").ancestors().nth(2).expect("the target folder").join("fetch");
    let run = |key: Option<&'static str>, entity: &'static str| {
        let (command, file, url) =
            (command.clone(), file.clone(), format!("{}/graphql/private", source.sim.url));
        tokio::task::spawn_blocking(move || {
            let mut command = Command::new(command);
            command
                .env_clear()
                .env("GAZELLE_URL", url)
                .env("REQUESTS_PER_SECOND", "500")
                .envs(key.map(|key| ("GAZELLE_API_KEY", key)));
            let output = command.args([entity, "--output"]).arg(file).output().expect("the command");
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        })
    };
    let (ok, told) = run(Some("sim-key"), "timeline").await.expect("a run");
    assert!(ok && told.contains("timeline : "), "{told}");
    let pages: Vec<Value> =
        serde_json::from_slice(&std::fs::read(&file).expect("the file")).expect("a JSON list");
    let stored: u64 = pages.iter().filter_map(|page| page["metadata"]["record_count"].as_u64()).sum();
    assert_eq!(json!(stored), pages[0]["payload"]["data"]["allTimelineEntries"]["totalCount"]);
    let (ok, told) = run(None, "timeline").await.expect("a run");
    assert!(!ok && told.contains("GAZELLE_API_KEY is missing"), "{told}");
    let (ok, told) = run(Some("sim-key"), "invoces").await.expect("a run");
    assert!(!ok && told.contains("users, clients, pianos, timeline"), "{told}");
}
