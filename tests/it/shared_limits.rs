//! Several compiled fetchers at once: one rate limit, one token refresh, bounded memory.
#![expect(clippy::print_stdout, reason = "what was measured is read in the output")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gazelle_sim::SimConfig;
use model::entity;
use pipeline_tests::process::{Environment, Exchange, Process, Proxy};
use pipeline_tests::stack::variable;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// Serializes these tests: they measure time and memory.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Timeline entries of the largest real installation.
const ENTRIES: usize = 154_000;

fn tokens(access_token: &str, refresh_token: &str) -> Value {
    json!({"client_id": "sim-client", "client_secret": "sim-secret", "access_token": access_token,
        "refresh_token": refresh_token, "expires_at": "2999-01-01T00:00:00Z"})
}

/// Checks that each entity had a run and none failed; a truncated listing adds one more run.
fn assert_every_entity_succeeded(runs: &[Value]) {
    assert!(runs.iter().all(|run| run["status"] == "success"), "{runs:#?}");
    for entity in entity::fetched() {
        assert!(runs.iter().any(|run| run["entity"] == entity.name), "{}: {runs:#?}", entity.name);
    }
}

/// Returns a small source behind OAuth with an expired access token.
async fn behind_oauth() -> Environment {
    let config = SimConfig { clients: 220, pianos: 230, timeline: 300, ..SimConfig::default() };
    let settings = [("GAZELLE_AUTH", "oauth"), ("PAGE_SIZE", "10"), ("LOOKBACK_DAYS", "3660")];
    let environment = Environment::open(config, &settings).await;
    environment.set_secret(&tokens("stale", "sim-refresh-1")).await;
    environment
}

/// Returns whether the secret's refresh token is still valid.
async fn trades(environment: &Environment) -> bool {
    let secret = environment.secret().await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", "sim-client"),
        ("client_secret", "sim-secret"),
        ("refresh_token", secret["refresh_token"].as_str().expect("a token")),
    ];
    let url = format!("{}/developer/oauth/token", environment.sim.url);
    reqwest::Client::new().post(url).form(&form).send().await.expect("an answer").status().is_success()
}

/// Returns the newest manifest of an entity.
async fn manifest(environment: &Environment, entity: &str) -> Value {
    let manifests = environment.objects(&format!("runs/{entity}/")).await;
    manifests.into_values().next_back().expect("a manifest")
}

/// Process that is invoked repeatedly, with its proxy and its stop flag.
struct Worker {
    process: Process,
    source: Proxy,
    entity: &'static str,
    stop: Arc<AtomicBool>,
}

impl Worker {
    async fn start(environment: &Environment, entity: &'static str) -> Arc<Self> {
        let source = Proxy::before(&environment.sim.url).await;
        let own = [("GAZELLE_URL", format!("{}/graphql/private", source.url))];
        Arc::new(Self { process: environment.start_with(&own).await, source, entity, stop: Arc::default() })
    }

    /// Invokes the process until the stop flag is set; returns the reports.
    async fn work(self: Arc<Self>) -> Vec<Value> {
        let mut runs = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            runs.extend(self.process.invoke(&json!({"entity": self.entity})).await.runs());
        }
        runs
    }

    /// Waits until a token was refused after that moment and the next one accepted.
    async fn has_met_the_end_of_a_token(&self, since: usize) {
        self.source
            .wait_for(|exchanges| {
                let new = exchanges.get(since..).unwrap_or_default();
                new.iter()
                    .position(|exchange| exchange.status == 401)
                    .is_some_and(|refused| new.iter().skip(refused).any(|exchange| exchange.status == 200))
            })
            .await;
    }
}

fn refused(exchanges: &[Exchange]) -> usize {
    exchanges.iter().filter(|exchange| exchange.status == 401).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn token_is_refreshed_once_per_expiry() {
    const ENDS: u64 = 100;
    let _alone = ALONE.lock().await;
    let begin = Instant::now();
    let environment = behind_oauth().await;
    let mut workers = Vec::new();
    for entity in ["clients", "pianos", "timeline"] {
        workers.push(Worker::start(&environment, entity).await);
    }
    let working: Vec<_> = workers.iter().map(|worker| tokio::spawn(Arc::clone(worker).work())).collect();
    for worker in &workers {
        // Whoever begins late finds the token that another has renewed.
        worker.source.wait_for(|exchanges| exchanges.iter().any(|exchange| exchange.status == 200)).await;
    }
    assert_eq!(environment.stat("/tokens_issued").await, 1, "the first token");
    for end in 1..=ENDS {
        let since: Vec<usize> = workers.iter().map(|worker| worker.source.exchanges().len()).collect();
        environment.control("/_sim/expire", &json!({"access": true})).await;
        for (worker, since) in workers.iter().zip(since) {
            worker.has_met_the_end_of_a_token(since).await;
        }
        assert_eq!(environment.stat("/tokens_issued").await, 1 + end, "tokens after the {end}. end");
    }
    for worker in &workers {
        worker.stop.store(true, Ordering::Relaxed);
    }
    let mut runs = Vec::new();
    for work in working {
        runs.extend(work.await.expect("a worker"));
    }
    let failed: Vec<&Value> = runs.iter().filter(|run| run["status"] == "failed").collect();
    let met: Vec<usize> = workers.iter().map(|worker| refused(&worker.source.exchanges())).collect();
    println!(
        "{ENDS} ends of a token: refused requests per process {met:?}, {} runs, {} failed, in {:.1?}",
        runs.len(),
        failed.len(),
        begin.elapsed()
    );
    assert!(failed.is_empty(), "{failed:#?}");
    assert_eq!(environment.stat("/tokens_refused").await, 0);
    assert_eq!(environment.secret().await["refresh_token"], format!("sim-refresh-{}", ENDS + 2));
    assert!(trades(&environment).await, "the stored refresh token is good: {}", environment.secret().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expired_refresh_token_opens_an_action() {
    let environment = behind_oauth().await;
    let process = environment.start().await;
    // A run of each entity meets the token that has ended, all at once: one of them renews it.
    let runs = process.invoke(&json!({"entity": "all"})).await.runs();
    assert_every_entity_succeeded(&runs);
    assert_eq!((environment.stat("/tokens_issued").await, environment.stat("/tokens_refused").await), (1, 0));
    environment.control("/_sim/expire", &json!({"refresh": true, "access": true})).await;
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    let error = runs[0]["error"].as_str().unwrap_or_default();
    assert!(
        runs[0]["status"] == "failed" && error.contains("must authorise the application again"),
        "{runs:?}"
    );
    let manifest = manifest(&environment, "users").await;
    assert_eq!(
        (&manifest["status"], &manifest["action"]),
        (&json!("failed"), &json!("credentials")),
        "{manifest:#}"
    );
    // What the person does: the same process goes on.
    environment.control("/_sim/reset", &json!({})).await;
    environment.set_secret(&tokens("stale", "sim-refresh-1")).await;
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    assert_eq!(runs[0]["status"], "success", "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incident_07_unreadable_secret_is_not_a_missing_token() {
    let environment = behind_oauth().await;
    let process = environment.start().await;
    environment.proxy.refuse("GetSecretValue", u32::MAX);
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    let error = runs[0]["error"].as_str().unwrap_or_default();
    assert!(runs[0]["status"] == "failed" && error.contains("could not read the secret"), "{runs:?}");
    assert!(!error.contains("no text") && !error.contains("authorise"), "{error}");
    let manifest = manifest(&environment, "users").await;
    assert_eq!((&manifest["status"], &manifest["action"]), (&json!("failed"), &Value::Null), "{manifest:#}");
    assert_eq!((environment.stat("/tokens_issued").await, environment.stat("/tokens_refused").await), (0, 0));
    environment.proxy.refuse("GetSecretValue", 0);
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    assert_eq!(runs[0]["status"], "success", "{runs:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unwritable_secret_loses_no_token() {
    let environment = behind_oauth().await;
    let process = environment.start().await;
    // A short while: the same run waits for it.
    environment.proxy.refuse("PutSecretValue", 4);
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    assert_eq!(runs[0]["status"], "success", "{runs:?}");
    assert_eq!(environment.secret().await["refresh_token"], "sim-refresh-2");
    // A long while: the run breaks off, the next invocation has the tokens still.
    environment.control("/_sim/expire", &json!({"access": true})).await;
    environment.proxy.refuse("PutSecretValue", u32::MAX);
    let begin = Instant::now();
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    let error = runs[0]["error"].as_str().unwrap_or_default();
    assert!(runs[0]["status"] == "failed" && error.contains("could not store the secret"), "{runs:?}");
    println!("a secret that cannot be written: told after {:.1?}", begin.elapsed());
    assert_eq!(environment.secret().await["refresh_token"], "sim-refresh-2", "spent, and still there");
    environment.proxy.refuse("PutSecretValue", 0);
    let runs = process.invoke(&json!({"entity": "users"})).await.runs();
    assert_eq!(runs[0]["status"], "success", "{runs:?}");
    assert_eq!(environment.secret().await["refresh_token"], "sim-refresh-3");
    assert_eq!((environment.stat("/tokens_issued").await, environment.stat("/tokens_refused").await), (2, 0));
    assert!(trades(&environment).await, "the stored refresh token is good: {}", environment.secret().await);
}

/// Starts a process without a proxy, which would distort the measurement.
fn directly() -> [(&'static str, String); 1] {
    [("AWS_ENDPOINT_URL", variable("AWS_ENDPOINT_URL"))]
}

/// Time scale of ten: 50 requests per second instead of 5, a tick every 12 s instead of 120 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ticks_keep_their_interval_during_full_runs() {
    const PER_SECOND: u64 = 50;
    const INTERVAL: Duration = Duration::from_secs(12);
    let _alone = ALONE.lock().await;
    let pace = PER_SECOND.to_string();
    let config = SimConfig { timeline: ENTRIES, ..SimConfig::default() };
    let environment = Environment::open(config, &[("REQUESTS_PER_SECOND", &pace)]).await;
    // A mirror in its steady state: the timeline has its watermark, the other lists have been read.
    let state = json!({"watermark": chrono::Utc::now(), "asked": [], "served": []});
    environment.put("state/timeline/incremental.json", &json!({"schema_version": 2, "state": state})).await;
    let tick = json!({"entity": "all"});
    let first = environment.start().await.invoke(&tick).await.runs();
    assert_every_entity_succeeded(&first);
    environment.control("/_sim/reset", &json!({})).await;
    environment.proxy.forget();
    let sweep = environment.start().await;
    let sweeping =
        tokio::spawn(async move { sweep.invoke(&json!({"entity": "all", "mode": "full"})).await.runs() });
    // Each run has begun with a manifest: else the first tick would take up what it finds waiting.
    let is_begun = |exchange: &&Exchange| exchange.verb == "PUT" && exchange.key.starts_with("runs/");
    let entities = entity::fetched().count();
    environment.proxy.wait_for(|exchanges| exchanges.iter().filter(is_begun).count() >= entities).await;
    let begin = Instant::now();
    let mut took = Vec::new();
    for count in 0_u32.. {
        sleep_until(begin + INTERVAL * count).await;
        if sweeping.is_finished() {
            break;
        }
        let due = Instant::now();
        let runs = environment.start_with(&directly()).await.invoke(&tick).await.runs();
        took.push(due.elapsed());
        assert!(due.elapsed() < INTERVAL, "tick {count} took {:.1?}: {runs:#?}", due.elapsed());
        assert_every_entity_succeeded(&runs);
    }
    let swept = sweeping.await.expect("a sweep");
    let lasted = begin.elapsed();
    assert_every_entity_succeeded(&swept);
    let manifests = environment.objects("runs/timeline/").await;
    let full = manifests.values().find(|manifest| manifest["mode"] == "full").expect("a manifest");
    assert_eq!((&full["distinct"], &full["total_count"]), (&json!(ENTRIES), &json!(ENTRIES)), "{full:#}");
    let stats = environment.control("/_sim/stats", &Value::Null).await;
    println!("{} ticks took {took:.1?} beside a sweep, all over after {lasted:.1?}: {stats}", took.len());
    assert!(took.len() >= 3, "{took:?}");
    assert!(stats["max_per_second"].as_u64().expect("a number") <= PER_SECOND, "{stats}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetcher_memory_does_not_grow_with_the_list() {
    let _alone = ALONE.lock().await;
    let begin = Instant::now();
    let mut peaks = Vec::new();
    for entries in [5_000, ENTRIES] {
        let environment =
            Environment::open(SimConfig { timeline: entries, ..SimConfig::default() }, &[]).await;
        let process = environment.start_with(&directly()).await;
        let runs = process.invoke(&json!({"entity": "timeline", "mode": "full"})).await.runs();
        assert_eq!(
            (&runs[0]["status"], &runs[0]["records"]),
            (&json!("success"), &json!(entries)),
            "{runs:?}"
        );
        peaks.push(process.peak_memory_kib());
    }
    let per_cent = peaks[1] * 100 / peaks[0];
    println!(
        "peak memory {peaks:?} KiB for 5,000 and {ENTRIES} entries: {per_cent} %, in {:.1?}",
        begin.elapsed()
    );
    assert!(per_cent <= 130, "{peaks:?} KiB: {per_cent} %");
}
