//! The compiled fetcher, killed at every write of a run: nothing is lost, no stored page is fetched twice.
#![expect(clippy::print_stdout, reason = "what was measured is read in the output")]

use std::collections::{BTreeMap, BTreeSet};

use gazelle_sim::SimConfig;
use model::entity::Entity;
use pipeline_tests::mirror::entity;
use pipeline_tests::process::{Ended, Environment, Moment, Page, Process, Trap};
use serde_json::{Value, json};

/// Source size: six pages of clients, five of the timeline.
const PAGE_SIZE: &str = "20";

fn small() -> SimConfig {
    SimConfig { clients: 110, pianos: 40, timeline: 100, ..SimConfig::default() }
}

/// Returns the writes of a run, without those of the rate limiter, whose number varies.
const OF_THE_RUN: fn(&str) -> bool = |key| key != "state/pace.json";
/// Returns whether a write is one of the rate limiter.
const OF_THE_PACE: fn(&str) -> bool = |key| key == "state/pace.json";

/// Run that is killed.
struct Scenario {
    entity: &'static str,
    mode: &'static str,
    /// An earlier run has stored everything, and some records have changed since.
    is_repeated: bool,
}

impl Scenario {
    /// Request to the process that is killed.
    fn request(&self) -> Value {
        json!({"entity": self.entity, "mode": self.mode})
    }

    /// Prepares the source and starts the process that will be killed.
    async fn prepare(&self, environment: &mut Environment) -> Process {
        environment.anew().await;
        let process = environment.start().await;
        if self.is_repeated {
            let first = process.invoke(&self.request()).await.runs();
            assert!(first.iter().all(|run| run["status"] == "success"), "{first:?}");
            let changes = json!({"edits": 3, "creates": 2, "entity": self.entity});
            environment.control("/_sim/advance", &changes).await;
        }
        environment.proxy.forget();
        process
    }

    /// Kills at every moment of every write, and lets the next tick resume.
    async fn play(self) {
        let mut environment = Environment::open(small(), &[("PAGE_SIZE", PAGE_SIZE)]).await;
        let entity = entity(self.entity);
        let process = self.prepare(&mut environment).await;
        let quiet = process.invoke(&self.request()).await.runs();
        assert!(quiet.iter().all(|run| run["status"] == "success"), "{quiet:?}");
        let writes = written(&environment, OF_THE_RUN);
        let mut traps: Vec<(u32, Trap)> = Vec::new();
        for moment in Moment::ALL {
            let places = (1..).take(writes.len());
            traps.extend(places.map(|nth| (nth, Trap { counts: OF_THE_RUN, nth, moment })));
            traps.push((1, Trap { counts: OF_THE_PACE, nth: 1, moment }));
        }
        let begin = std::time::Instant::now();
        let count = traps.len();
        for (nth, trap) in traps {
            let told = format!("{} of {}, killed {:?} write {nth}", self.mode, self.entity, trap.moment);
            let process = self.prepare(&mut environment).await;
            let before = environment.stat("/requests").await;
            process.dies_at(&environment.proxy, trap);
            let ended = process.invoke(&self.request()).await;
            // Killed after its last write, it may have answered.
            assert!(!environment.proxy.disarm(), "{told}: it was not killed, {ended:?}");
            resume(&environment, entity, &self, &told).await;
            let requests = environment.stat("/requests").await - before;
            judge(&environment, entity, self.is_repeated, requests, &told).await;
        }
        let (mode, entity, writes) = (self.mode, self.entity, writes.len());
        println!("{mode} of {entity}: {count} kills at {writes} writes, in {:.1?}", begin.elapsed());
    }
}

fn written(environment: &Environment, counts: fn(&str) -> bool) -> Vec<String> {
    let exchanges = environment.proxy.exchanges().into_iter();
    exchanges
        .filter(|exchange| exchange.verb == "PUT" && counts(&exchange.key))
        .map(|write| write.key)
        .collect()
}

/// Invokes the next tick after the killed process's lease has expired.
async fn resume(environment: &Environment, entity: &'static Entity, scenario: &Scenario, told: &str) {
    environment.let_leases_end(entity).await;
    let process = environment.start().await;
    let is_written_down =
        !environment.keys(&format!("state/{}/{}.json", entity.name, scenario.mode)).await.is_empty();
    if !is_written_down {
        // The request was not accepted: Lambda keeps it among the failed ones, to be sent again.
        let again = process.invoke(&scenario.request()).await.runs();
        assert!(again.iter().all(|run| run["status"] == "success"), "{told}: {again:?}");
        return;
    }
    let ended = process.invoke(&json!({"entity": entity.name})).await;
    let Ended::Answered(answer) = &ended else { panic!("{told}: {ended:?}\n{}", process.log()) };
    let runs = answer["runs"].as_array().expect("reports");
    assert!(!runs.is_empty() && runs.iter().all(|run| run["status"] == "success"), "{told}: {answer:#}");
}

/// Checks that the bucket holds the whole source, in runs whose counts add up.
async fn judge(
    environment: &Environment,
    entity: &'static Entity,
    is_repeated: bool,
    requests: u64,
    told: &str,
) {
    let pages = environment.pages(entity).await;
    let manifests = environment.objects(&format!("runs/{}/", entity.name)).await;
    let truth = environment.truth(entity).await;
    let mut of_runs: BTreeMap<&str, Vec<&Page>> = BTreeMap::new();
    for page in &pages {
        of_runs.entry(&page.run_id).or_default().push(page);
    }
    let mut read = 0;
    for (key, manifest) in &manifests {
        assert_eq!(manifest["status"], "success", "{told}: {key} {manifest:#}");
        let figure = |name: &str| manifest[name].as_u64().unwrap_or_default();
        let listed = figure("records") + figure("records_passed");
        assert_eq!(listed, figure("total_count"), "{told}: {manifest:#}");
        read += figure("pages") + figure("pages_passed");
        let stored = of_runs.remove(manifest["run_id"].as_str().expect("a run")).unwrap_or_default();
        assert_eq!(stored.len() as u64, figure("pages"), "{told}: {manifest:#} {stored:?}");
        let records: usize = stored.iter().map(|page| page.records.len()).sum();
        assert_eq!(records as u64, figure("records"), "{told}: {manifest:#}");
        let cursors: BTreeSet<String> = stored.iter().map(|page| page.cursor.to_string()).collect();
        assert_eq!(cursors.len(), stored.len(), "{told}: a page twice, {cursors:?}");
        if figure("pages_passed") == 0 {
            let numbers: Vec<u64> = stored.iter().map(|page| page.number).collect();
            assert!(numbers.iter().copied().eq(1..=figure("pages")), "{told}: {key} {numbers:?}");
        }
    }
    let last = manifests.values().next_back().unwrap_or_else(|| panic!("{told}: no run"));
    assert_eq!(last["total_count"], truth["total_count"], "{told}: {last:#} of {:?}", manifests.keys());
    assert!(of_runs.is_empty(), "{told}: pages of a run without a manifest, {:?}", of_runs.keys());
    // What was passed over was not stored and not checkpointed: that much may be read again.
    let again = if is_repeated { 6 } else { 1 };
    let first = if is_repeated { 6 } else { 0 };
    assert!(requests <= read - first + again, "{told}: {requests} requests for {read} pages");
    let mut newest: BTreeMap<&str, &Value> = BTreeMap::new();
    for record in pages.iter().flat_map(|page| &page.records) {
        if let Some(id) = record["id"].as_str() {
            newest.insert(id, record);
        }
    }
    for row in truth["rows"].as_array().expect("rows") {
        let id = row["id"].as_str().expect("an id");
        assert!(newest.contains_key(id), "{told}: {id} is in no page");
    }
    for record in listed(environment, entity).await.iter().filter(|record| record["id"].is_string()) {
        let ours = newest.get(record["id"].as_str().expect("an id"));
        assert_eq!(ours, Some(&record), "{told}: the newest page holds something else");
    }
    for (key, lane) in environment.objects(&format!("state/{}/", entity.name)).await {
        let state = &lane["state"];
        assert!(state["lease"].is_null() && state["checkpoint"].is_null(), "{told}: {key} {state:#}");
    }
    let mut keys: Vec<String> = written_pages(environment);
    keys.sort_unstable();
    let doubles: Vec<&String> = keys.windows(2).filter(|two| two[0] == two[1]).map(|two| &two[0]).collect();
    assert!(doubles.is_empty(), "{told}: written twice, {doubles:?}");
}

/// Returns the keys of pages whose write was accepted.
fn written_pages(environment: &Environment) -> Vec<String> {
    let exchanges = environment.proxy.exchanges().into_iter();
    exchanges
        .filter(|exchange| {
            exchange.verb == "PUT" && exchange.key.starts_with("raw/") && exchange.status == 200
        })
        .map(|write| write.key)
        .collect()
}

/// Requests the source's whole list directly.
async fn listed(environment: &Environment, entity: &Entity) -> Vec<Value> {
    let document = entity.query().expect("a query").document();
    let answer = reqwest::Client::new()
        .post(format!("{}/graphql/private", environment.sim.url))
        .header("x-gazelle-api-key", "sim-key")
        .body(json!({"query": document, "variables": {"first": 200, "after": null}}).to_string())
        .send()
        .await
        .expect("an answer");
    let answer: Value = serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON");
    let root = answer["data"].as_object().and_then(|data| data.values().next()).expect("a root");
    root["nodes"].as_array().expect("nodes").clone()
}

#[tokio::test]
async fn incremental_run_killed_at_any_write_loses_nothing() {
    Scenario { entity: "clients", mode: "incremental", is_repeated: false }.play().await;
}

#[tokio::test]
async fn killed_run_over_known_pages_misses_no_change() {
    Scenario { entity: "clients", mode: "incremental", is_repeated: true }.play().await;
}

#[tokio::test]
async fn full_run_killed_at_any_write_loses_nothing() {
    Scenario { entity: "clients", mode: "full", is_repeated: false }.play().await;
}

#[tokio::test]
async fn full_timeline_run_killed_loses_nothing() {
    Scenario { entity: "timeline", mode: "full", is_repeated: false }.play().await;
}

#[tokio::test]
async fn kill_at_page_254_refetches_one_page_at_most() {
    let config = SimConfig { timeline: 100_000, ..SimConfig::default() };
    let environment = Environment::open(config, &[]).await;
    let timeline = entity("timeline");
    let begin = std::time::Instant::now();
    let process = environment.start().await;
    let counts: fn(&str) -> bool = |key| key.ends_with("page-00254.json");
    process.dies_at(&environment.proxy, Trap { counts, nth: 1, moment: Moment::Before });
    let request = json!({"entity": "timeline", "mode": "full"});
    assert_eq!(process.invoke_as("weekly", &request).await, Ended::Died, "{}", process.log());
    assert_eq!(environment.keys("raw/timeline/").await.len(), 253, "pages stored before");
    environment.let_leases_end(timeline).await;
    // Not a tick, which would bring a run of its own: the same request once more finds its run.
    let ended = environment.start().await.invoke_as("weekly", &request).await;
    let Ended::Answered(answer) = &ended else { panic!("{ended:?}") };
    let run = &answer["runs"][0];
    assert_eq!((&run["status"], &run["resumed_from_page"]), (&json!("success"), &json!(254)), "{answer:#}");
    let (requests, pages) =
        (environment.stat("/requests").await, environment.keys("raw/timeline/").await.len());
    assert_eq!((requests, pages), (1_001, 1_000), "{answer:#}");
    let manifests = environment.objects("runs/timeline/").await;
    let manifest = manifests.values().next().expect("a manifest");
    let count = json!(100_000);
    let counted = [&manifest["distinct"], &manifest["total_count"], &manifest["total_count_first"]];
    assert!(counted.iter().all(|counted| **counted == count), "{manifest:#}");
    println!("page 254 of 1,000: {requests} requests for {pages} pages, in {:.1?}", begin.elapsed());
}
