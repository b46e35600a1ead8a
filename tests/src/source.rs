//! The fetcher in this process, against a simulated Gazelle, with a bucket in memory.

use std::sync::Arc;
use std::time::Duration;

use fetcher::fetch::{ATTEMPTS_MAX, fetch};
use fetcher::job::{Job, RunContext};
use fetcher::report::RunReport;
use gazelle_client::GazelleConfig;
use gazelle_client::{Authentication, Credentials, FixedTokenStore, Gazelle, TokenStore};
use gazelle_sim::{RunningSim, SimConfig, serve};
use model::entity::Entity;
use object_store::{MemoryObjectStore, ObjectStore};
use protocol::request::Mode;
use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::memory::MemorySink;

/// Mode of a tick's run.
pub const TICK: Mode = Mode::Incremental { lookback_days: None };

/// Simulated Gazelle with the state and sink of a fetcher.
#[derive(Debug)]
pub struct Source {
    /// The running simulator.
    pub sim: RunningSim,
    /// Sink of pages and manifests.
    pub sink: MemorySink,
    /// State objects shared by invocations.
    pub states: Arc<ObjectStore>,
    /// Records per page.
    pub page_size: u32,
}

impl Source {
    /// Starts a small source with an empty bucket.
    pub async fn small() -> Self {
        Self::open(SimConfig { timeline: 600, clients: 120, pianos: 130, ..SimConfig::default() }).await
    }

    /// Starts a source of this size with an empty bucket.
    pub async fn open(config: SimConfig) -> Self {
        Self {
            sim: serve(config, 0).await.expect("a simulator"),
            sink: MemorySink::default(),
            states: Arc::new(ObjectStore::Memory(MemoryObjectStore::default())),
            page_size: 50,
        }
    }

    /// Returns the client's settings.
    #[must_use]
    pub fn config(&self, authentication: Authentication) -> GazelleConfig {
        GazelleConfig {
            url: format!("{}/graphql/private", self.sim.url),
            token_url: format!("{}/developer/oauth/token", self.sim.url),
            authentication,
            requests_per_second: 500.0,
            page_size: self.page_size,
        }
    }

    /// Returns a client with this token store.
    #[must_use]
    pub fn api_with(&self, authentication: Authentication, store: TokenStore) -> Gazelle {
        let config = self.config(authentication);
        let states = || Arc::clone(&self.states);
        let credentials = Credentials::new(authentication, store, config.token_url.clone(), states());
        Gazelle::new(&config, credentials, states()).expect("a client")
    }

    /// Returns a client whose requests go to another address.
    #[must_use]
    pub fn api_at(&self, url: &str, authentication: Authentication, store: TokenStore) -> Gazelle {
        let config = GazelleConfig {
            url: format!("{url}/graphql/private"),
            token_url: format!("{url}/developer/oauth/token"),
            ..self.config(authentication)
        };
        let states = || Arc::clone(&self.states);
        let credentials = Credentials::new(authentication, store, config.token_url.clone(), states());
        Gazelle::new(&config, credentials, states()).expect("a client")
    }

    /// Returns a client with the valid key whose requests go to another address.
    #[must_use]
    pub fn api_behind(&self, url: &str) -> Gazelle {
        let store = TokenStore::Fixed(FixedTokenStore::with_key(&SecretString::from("sim-key")));
        self.api_at(url, Authentication::ApiKey, store)
    }

    /// Returns the manifests of an entity, the oldest first.
    #[must_use]
    pub fn manifests(&self, entity: &Entity) -> Vec<Value> {
        let objects = self.sink.objects().into_iter();
        let of_entity = objects.filter(|(key, _)| key.starts_with(&format!("runs/{}/", entity.name)));
        of_entity.map(|(_, bytes)| serde_json::from_slice(&bytes).expect("a manifest")).collect()
    }

    /// Returns the manifest of an entity's latest run of a mode.
    #[must_use]
    pub fn last_manifest(&self, entity: &Entity, mode: &str) -> Value {
        let mut manifests = self.manifests(entity).into_iter();
        manifests.rfind(|manifest| manifest["mode"] == mode).expect("a run of this mode")
    }

    /// Returns a client with this API key.
    #[must_use]
    pub fn api(&self, key: &str) -> Gazelle {
        let store = TokenStore::Fixed(FixedTokenStore::with_key(&SecretString::from(key)));
        self.api_with(Authentication::ApiKey, store)
    }

    /// Returns a job of a new invocation.
    #[must_use]
    pub fn job(entity: &'static Entity, mode: Mode) -> Job {
        let id = INVOCATIONS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_string();
        Job {
            entity,
            mode,
            request_id: id.clone(),
            lookback_days: 1,
            attempts_max: ATTEMPTS_MAX,
            holder: id,
            deadline: Instant::now() + Duration::from_mins(5),
        }
    }

    /// Runs a job with the valid key.
    pub async fn serve(&self, job: &Job) -> Vec<RunReport> {
        self.serve_with(&self.api("sim-key"), job).await
    }

    /// Runs a job with this client.
    pub async fn serve_with(&self, api: &Gazelle, job: &Job) -> Vec<RunReport> {
        let parts = RunContext { api, sink: &self.sink, states: &self.states, reports: None };
        Box::pin(fetch(parts, job, &|_| ())).await.expect("a request that is written down")
    }

    /// Runs a request in a new invocation.
    pub async fn fetch(&self, entity: &'static Entity, mode: Mode) -> Vec<RunReport> {
        self.serve(&Self::job(entity, mode)).await
    }

    /// Sends a request to the simulator's control API.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let client = reqwest::Client::new();
        let url = format!("{}{path}", self.sim.url);
        let request = if body.is_null() { client.get(url) } else { client.post(url).body(body.to_string()) };
        let answer = request.send().await.expect("the simulator");
        assert!(answer.status().is_success(), "{path} {body}: {}", answer.status());
        serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
    }

    /// Returns one figure of the simulator's statistics.
    pub async fn stat(&self, pointer: &str) -> Value {
        let stats = self.control("/_sim/stats", &Value::Null).await;
        stats.pointer(pointer).cloned().unwrap_or_else(|| panic!("{pointer} in {stats}"))
    }

    /// Returns the expected rows of an entity.
    pub async fn truth(&self, entity: &Entity) -> Value {
        self.control(&format!("/_sim/truth/{}", entity.name), &Value::Null).await
    }

    /// Removes every fault of the source.
    pub async fn heal(&self) {
        self.control("/_sim/faults", &json!({})).await;
    }

    /// Returns the number of stored raw pages.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.sink.objects().keys().filter(|key| key.starts_with("raw/")).count()
    }

    /// Returns the records of stored pages, parsed independently of the code under test.
    #[must_use]
    pub fn records(&self) -> Vec<Value> {
        let pages = self.sink.objects().into_iter().filter(|(key, _)| key.starts_with("raw/"));
        pages
            .flat_map(|(key, bytes)| {
                let page: Value =
                    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{key}: {error}"));
                let data = page["payload"]["data"].as_object().expect("data");
                if page["metadata"].get("asked").is_some() {
                    return data.values().filter(|record| !record.is_null()).cloned().collect();
                }
                let data = data.values().next().cloned().expect("a root");
                data.as_array().or_else(|| data["nodes"].as_array()).cloned().expect("records")
            })
            .collect()
    }
}

static INVOCATIONS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
