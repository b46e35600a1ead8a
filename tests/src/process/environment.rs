//! Environment of a test process: a simulated Gazelle, a bucket and a secret of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::CreateBucketConfiguration;
use futures::future::join_all;
use gazelle_sim::{RunningSim, SimConfig, serve};
use lambda::is_path_style;
use model::entity::Entity;
use serde_json::{Value, json};

use super::{Process, Proxy};
use crate::stack::variable;

/// Environment of a test.
#[derive(Debug)]
pub struct Environment {
    /// The simulated Gazelle.
    pub sim: RunningSim,
    /// Proxy in front of bucket and secret.
    pub proxy: Proxy,
    /// Name of the bucket.
    pub bucket: String,
    secret_id: String,
    settings: BTreeMap<String, String>,
    s3: aws_sdk_s3::Client,
    secrets: aws_sdk_secretsmanager::Client,
    http: reqwest::Client,
}

/// Stored raw page, parsed independently of the code under test.
#[derive(Debug, Clone)]
pub struct Page {
    /// Key of the object.
    pub key: String,
    /// Run id of the page.
    pub run_id: String,
    /// Number of the page in its run.
    pub number: u64,
    /// Cursor of the request.
    pub cursor: Value,
    /// Records of the page.
    pub records: Vec<Value>,
}

impl Environment {
    /// Creates a source of this size, an empty bucket, and settings that differ from the defaults.
    pub async fn open(config: SimConfig, settings: &[(&str, &str)]) -> Self {
        let aws = lambda::aws_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        let mut environment = Self {
            sim: serve(config, 0).await.expect("a simulator"),
            proxy: Proxy::before(&variable("AWS_ENDPOINT_URL")).await,
            bucket: String::new(),
            secret_id: format!("{}/gazelle", unique()),
            settings: BTreeMap::new(),
            s3: aws_sdk_s3::Client::from_conf(s3),
            secrets: aws_sdk_secretsmanager::Client::new(&aws),
            http: reqwest::Client::new(),
        };
        let key = json!({"api_key": "sim-key"}).to_string();
        let secret = environment.secrets.create_secret().name(&environment.secret_id).secret_string(key);
        secret.send().await.expect("a secret");
        environment
            .settings
            .extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        environment.empty_bucket().await;
        environment
    }

    /// Resets the source and uses a new bucket.
    pub async fn anew(&mut self) {
        self.control("/_sim/reset", &json!({})).await;
        self.proxy.forget();
        self.empty_bucket().await;
    }

    /// Uses a new bucket from now on.
    pub async fn empty_bucket(&mut self) {
        self.bucket = unique();
        // Outside us-east-1, S3 wants the region in the request, too.
        let region = variable("AWS_REGION").as_str().into();
        let place = CreateBucketConfiguration::builder().location_constraint(region).build();
        let request = self.s3.create_bucket().bucket(&self.bucket).create_bucket_configuration(place);
        request.send().await.expect("a bucket");
    }

    /// Starts a fetcher process.
    pub async fn start(&self) -> Process {
        self.start_with(&[]).await
    }

    /// Starts a fetcher process with additional settings.
    pub async fn start_with(&self, own: &[(&str, String)]) -> Process {
        let mut settings: BTreeMap<String, String> = BTreeMap::new();
        for name in [
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_CONFIG_FILE",
            "AWS_SHARED_CREDENTIALS_FILE",
            "AWS_EC2_METADATA_DISABLED",
        ] {
            settings.insert(name.to_owned(), variable(name));
        }
        let mut set = |name: &str, value: String| drop(settings.insert(name.to_owned(), value));
        set("AWS_ENDPOINT_URL", self.proxy.url.clone());
        set("AWS_LAMBDA_FUNCTION_NAME", "fetcher".to_owned());
        set("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned());
        set("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned());
        set("RAW_BUCKET", self.bucket.clone());
        set("GAZELLE_SECRET_ID", self.secret_id.clone());
        set("GAZELLE_URL", format!("{}/graphql/private", self.sim.url));
        set("GAZELLE_TOKEN_URL", format!("{}/developer/oauth/token", self.sim.url));
        set("REQUESTS_PER_SECOND", "1000".to_owned());
        settings.extend(self.settings.clone());
        settings.extend(own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Process::start(settings).await
    }

    /// Returns the content of the secret.
    pub async fn secret(&self) -> Value {
        let secret = self.secrets.get_secret_value().secret_id(&self.secret_id).send().await;
        let secret = secret.expect("the secret");
        serde_json::from_str(secret.secret_string().expect("a text")).expect("JSON")
    }

    /// Replaces the content of the secret.
    pub async fn set_secret(&self, value: &Value) {
        let put = self.secrets.put_secret_value().secret_id(&self.secret_id);
        put.secret_string(value.to_string()).send().await.expect("the secret");
    }

    /// Returns the keys with this prefix, in order.
    pub async fn keys(&self, prefix: &str) -> Vec<String> {
        let mut pages = self.s3.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.expect("a listing");
            keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
        }
        keys.sort_unstable();
        keys
    }

    /// Returns an object as JSON.
    pub async fn object(&self, key: &str) -> Value {
        let object = self.s3.get_object().bucket(&self.bucket).key(key).send().await;
        let body =
            object.unwrap_or_else(|error| panic!("{key}: {error}")).body.collect().await.expect("a body");
        serde_json::from_slice(&body.into_bytes()).unwrap_or_else(|error| panic!("{key}: {error}"))
    }

    /// Writes an object as JSON.
    pub async fn put(&self, key: &str, value: &Value) {
        let body = ByteStream::from(value.to_string().into_bytes());
        self.s3.put_object().bucket(&self.bucket).key(key).body(body).send().await.expect("an object");
    }

    /// Returns every object whose key has this prefix.
    pub async fn objects(&self, prefix: &str) -> BTreeMap<String, Value> {
        let keys = self.keys(prefix).await;
        let mut objects = BTreeMap::new();
        // So many at a time: the bucket's store is one process.
        for some in keys.chunks(16) {
            let read = join_all(some.iter().map(|key| self.object(key))).await;
            objects.extend(some.iter().cloned().zip(read));
        }
        objects
    }

    /// Returns the raw pages of an entity, in the order of runs and pages.
    pub async fn pages(&self, entity: &Entity) -> Vec<Page> {
        let objects = self.objects(&format!("raw/{}/", entity.name)).await;
        objects
            .into_iter()
            .map(|(key, mut page)| {
                let metadata = page["metadata"].take();
                let data =
                    page["payload"]["data"].as_object().unwrap_or_else(|| panic!("{key} holds no data"));
                let root = data.values().next().expect("a root");
                let records = root.as_array().or_else(|| root["nodes"].as_array()).expect("records").clone();
                Page {
                    key,
                    run_id: metadata["run_id"].as_str().expect("a run").to_owned(),
                    number: metadata["page"].as_u64().expect("a number"),
                    cursor: metadata["cursor"].clone(),
                    records,
                }
            })
            .collect()
    }

    /// Expires every lease of an entity's lanes.
    pub async fn let_leases_end(&self, entity: &Entity) {
        for (key, mut lane) in self.objects(&format!("state/{}/", entity.name)).await {
            if lane["state"]["lease"].is_object() {
                lane["state"]["lease"]["expires_at"] = json!("2000-01-01T00:00:00Z");
                self.put(&key, &lane).await;
            }
        }
    }

    /// Sends a request to the simulator's control API.
    pub async fn control(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.sim.url);
        let request =
            if body.is_null() { self.http.get(url) } else { self.http.post(url).body(body.to_string()) };
        let answer = request.send().await.expect("the simulator");
        assert!(answer.status().is_success(), "{path} {body}: {}", answer.status());
        serde_json::from_str(&answer.text().await.expect("a body")).expect("JSON")
    }

    /// Returns one figure of the simulator's statistics.
    pub async fn stat(&self, pointer: &str) -> u64 {
        let stats = self.control("/_sim/stats", &Value::Null).await;
        stats.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} in {stats}"))
    }

    /// Returns the expected rows of an entity.
    pub async fn truth(&self, entity: &Entity) -> Value {
        self.control(&format!("/_sim/truth/{}", entity.name), &Value::Null).await
    }
}

/// Returns a name that no other test uses.
fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(1);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("environment-{now}-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
