//! The fetcher against the simulated Gazelle: every record, byte for byte, resumable at every page.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use fetcher::config::GazelleConfig;
use fetcher::fetch::{Job, fetch};
use fetcher::gazelle::{ApiError, Authentication, Credentials, FixedTokenStore, Gazelle, TokenStore};
use fetcher::report::Report;
use fetcher::state::NoStateStore;
use gazelle_sim::{RunningSim, SimConfig, serve};
use pipeline_tests::memory::{MemorySink, MemoryStates};
use pipeline_tests::mirror::entity;
use secrecy::SecretString;
use serde_json::{Value, json};
use shared::entity::{self, Entity};
use shared::raw_page::{self, RawPage};
use shared::request::Mode;
use tokio::time::Instant;

async fn sim() -> RunningSim {
    serve(SimConfig { timeline: 600, clients: 120, pianos: 130, ..SimConfig::default() }, 0)
        .await
        .expect("a simulator")
}

fn config(sim: &RunningSim, authentication: Authentication) -> GazelleConfig {
    GazelleConfig {
        url: format!("{}/graphql/private", sim.url),
        token_url: format!("{}/developer/oauth/token", sim.url),
        authentication,
        requests_per_second: 500.0,
        page_size: 50,
    }
}

fn with_key(sim: &RunningSim, key: &str) -> Gazelle {
    let config = config(sim, Authentication::ApiKey);
    let store = TokenStore::Fixed(FixedTokenStore::with_key(&SecretString::from(key)));
    let credentials = Credentials::new(Authentication::ApiKey, store, config.token_url.clone());
    Gazelle::new(&config, credentials).expect("a client")
}

fn job(entity: &'static Entity) -> Job {
    Job {
        entity,
        mode: Mode::Full,
        lookback_days: 1,
        holder: "test".to_owned(),
        salt: 7,
        deadline: Instant::now() + Duration::from_mins(5),
    }
}

async fn stat(sim: &RunningSim, pointer: &str) -> Value {
    let body =
        reqwest::get(format!("{}/_sim/stats", sim.url)).await.expect("stats").text().await.expect("a body");
    let stats: Value = serde_json::from_str(&body).expect("JSON");
    stats.pointer(pointer).cloned().unwrap_or_else(|| panic!("{pointer} in {stats}"))
}

/// The records of stored pages, by a reading of their own.
fn records(sink: &MemorySink) -> Vec<Value> {
    let pages = sink.objects().into_iter().filter(|(key, _)| key.starts_with("raw/"));
    pages
        .flat_map(|(key, bytes)| {
            let page: Value = serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{key}: {error}"));
            let data =
                page["payload"]["data"].as_object().expect("data").values().next().cloned().expect("a root");
            data.as_array().or_else(|| data["nodes"].as_array()).cloned().expect("records")
        })
        .collect()
}

#[tokio::test]
async fn every_query_of_the_registry_is_accepted_and_every_record_is_stored() {
    let sim = sim().await;
    for entity in entity::fetched() {
        let sink = MemorySink::default();
        let reports = fetch(&with_key(&sim, "sim-key"), &sink, &NoStateStore, &job(entity), &|_| ()).await;
        let [report] = &reports[..] else { panic!("{reports:?}") };
        assert_eq!((report.status, &report.error), ("success", &None), "{report:?}");
        let truth: Value = serde_json::from_str(
            &reqwest::get(format!("{}/_sim/truth/{}", sim.url, entity.name))
                .await
                .expect("truth")
                .text()
                .await
                .expect("a body"),
        )
        .expect("JSON");
        let stored = records(&sink);
        assert_eq!(json!(stored.len()), truth["total_count"], "{}", entity.name);
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
async fn a_raw_page_is_the_response_byte_for_byte_with_what_was_asked() {
    let sim = sim().await;
    let (sink, clients) = (MemorySink::default(), entity("clients"));
    fetch(&with_key(&sim, "sim-key"), &sink, &NoStateStore, &job(clients), &|_| ()).await;
    let (key, bytes) =
        sink.objects().into_iter().find(|(key, _)| key.ends_with("page-00001.json")).expect("page 1");
    let page: RawPage<'_> = serde_json::from_slice(&bytes).expect("a raw page");
    let query = clients.query().expect("a query");
    let asked = json!({"query": query.document(), "variables": {"first": 50, "after": null}});
    let answer = reqwest::Client::new()
        .post(format!("{}/graphql/private", sim.url))
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
async fn a_run_that_broke_resumes_at_its_next_page_and_fetches_none_again() {
    let sim = sim().await;
    let api = with_key(&sim, "sim-key");
    let (sink, states, timeline) = (MemorySink::default(), MemoryStates::default(), entity("timeline"));
    sink.refuse_once("page-00005.json");
    let broken = fetch(&api, &sink, &states, &job(timeline), &|_| ()).await;
    let [Report { status: "failed", pages: 4, error: Some(error), .. }] = &broken[..] else {
        panic!("{broken:?}")
    };
    assert!(error.contains("Could not save page 5 of timeline"), "{error}");
    let reports =
        fetch(&api, &sink, &states, &Job { holder: "next".to_owned(), ..job(timeline) }, &|_| ()).await;
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.status, report.resumed_from_page), ("success", Some(5)), "{report:?}");
    assert_eq!(report.run_id, broken[0].run_id, "it is the same run");
    assert_eq!(records(&sink).len() as u64, report.records);
    let requests = stat(&sim, "/requests").await;
    assert_eq!(
        requests,
        json!(report.pages + 1),
        "only the page that could not be saved was asked for twice"
    );
}

#[tokio::test]
async fn two_invocations_never_work_on_one_entity_at_the_same_time() {
    let sim = sim().await;
    let api = with_key(&sim, "sim-key");
    let (sink, states, clients) = (MemorySink::default(), MemoryStates::default(), entity("clients"));
    // A tick: the next one asks for the same, so that it need not wait for its turn.
    let mine = Job { mode: Mode::Incremental { lookback_days: None }, ..job(clients) };
    let other = Job { holder: "other".to_owned(), ..mine.clone() };
    let (first, second) = tokio::join!(
        fetch(&api, &sink, &states, &mine, &|_| ()),
        fetch(&api, &sink, &states, &other, &|_| ())
    );
    let mut statuses = [first[0].status, second[0].status];
    statuses.sort_unstable();
    assert!(matches!(statuses, ["busy" | "failed", "success"]), "{first:?} {second:?}");
    let pages = sink.objects().keys().filter(|key| key.starts_with("raw/")).count();
    assert_eq!(pages, 3, "one run's pages: {:?}", sink.objects().keys());
}

#[tokio::test]
async fn a_run_that_no_tick_repeats_waits_for_its_turn_instead_of_being_passed_over() {
    let sim = sim().await;
    let api = with_key(&sim, "sim-key");
    let (sink, states, clients) = (MemorySink::default(), MemoryStates::default(), entity("clients"));
    let tick = Job { mode: Mode::Incremental { lookback_days: None }, ..job(clients) };
    let full = Job { holder: "weekly".to_owned(), ..job(clients) };
    let (tick, full) = tokio::join!(
        fetch(&api, &sink, &states, &tick, &|_| ()),
        fetch(&api, &sink, &states, &full, &|_| ())
    );
    assert!(
        full.iter().any(|report| (report.mode.as_str(), report.status) == ("full", "success")),
        "{tick:?} {full:?}"
    );
}

#[tokio::test]
async fn an_incremental_run_asks_for_the_timeline_from_its_watermark_on() {
    let sim = sim().await;
    let api = with_key(&sim, "sim-key");
    let (sink, states, timeline) = (MemorySink::default(), MemoryStates::default(), entity("timeline"));
    let incremental = Job { mode: Mode::Incremental { lookback_days: None }, ..job(timeline) };
    let first = fetch(&api, &sink, &states, &incremental, &|_| ()).await;
    let second = fetch(&api, &sink, &states, &incremental, &|_| ()).await;
    assert_eq!((first[0].status, second[0].status), ("success", "success"), "{second:?}");
    assert!(
        second[0].records > 0 && second[0].records * 4 < first[0].records,
        "{} then {}",
        first[0].records,
        second[0].records
    );
}

#[tokio::test]
async fn a_wrong_key_is_told_as_such_at_once() {
    let sim = sim().await;
    let reports = fetch(
        &with_key(&sim, "wrong"),
        &MemorySink::default(),
        &NoStateStore,
        &job(entity("users")),
        &|_| (),
    )
    .await;
    let error = reports[0].error.clone().unwrap_or_default();
    assert!(reports[0].status == "failed" && error.contains("refuses the credentials (401)"), "{reports:?}");
    assert!(!error.contains("wrong"), "the key itself is never told");
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once_and_a_spent_refresh_token_asks_for_a_person() {
    let sim = sim().await;
    let oauth = |refresh_token: &str| {
        let fields = json!({"client_id": "sim-client", "client_secret": "sim-secret", "access_token": "stale",
            "refresh_token": refresh_token, "expires_at": "2999-01-01T00:00:00Z"});
        let store =
            TokenStore::Fixed(FixedTokenStore::with_fields(fields.as_object().cloned().unwrap_or_default()));
        let config = config(&sim, Authentication::OAuth);
        let credentials = Credentials::new(Authentication::OAuth, store, config.token_url.clone());
        Gazelle::new(&config, credentials).expect("a client")
    };
    let api = oauth("sim-refresh-1");
    for name in ["users", "clients"] {
        let reports = fetch(&api, &MemorySink::default(), &NoStateStore, &job(entity(name)), &|_| ()).await;
        assert_eq!(reports[0].status, "success", "{reports:?}");
    }
    let spent =
        fetch(&oauth("sim-refresh-1"), &MemorySink::default(), &NoStateStore, &job(entity("users")), &|_| ())
            .await;
    let error = spent[0].error.clone().unwrap_or_default();
    assert!(error.contains("A person must authorise the application again"), "{spent:?}");
}

#[tokio::test]
async fn incident_10_a_field_that_the_schema_does_not_know_is_an_error_that_names_it() {
    let sim = sim().await;
    let refused = with_key(&sim, "sim-key").page("query a { allUsers { id nickname } }", None, None).await;
    let Err(ApiError::Schema { code, message }) = refused else { panic!("{refused:?}") };
    assert!(code == "undefinedField" && message.contains("nickname"), "{code}: {message}");
}

#[tokio::test]
async fn the_fetch_command_writes_one_file_and_needs_neither_aws_nor_a_database() {
    let sim = sim().await;
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fetch-command");
    let file = folder.join("timeline.json");
    let command =
        std::env::current_exe().expect("a path").ancestors().nth(2).expect("the target folder").join("fetch");
    let run = |key: Option<&'static str>, entity: &'static str| {
        let (command, file, url) = (command.clone(), file.clone(), format!("{}/graphql/private", sim.url));
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
