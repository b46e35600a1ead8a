//! The whole pipeline in this process: the fetcher's bucket is delivered to the stager, the
//! reconciler's requests to the fetcher. Real PostgreSQL, real HTTP source.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use gazelle_sim::SimConfig;
use model::entity::{self, Entity};
use model::local_day;
use protocol::request::{Mode, SyncRequest};
use reconciler::ReconcilerError;
use reconciler::completeness;
use reconciler::deletion::{self, LookupSender};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use stager::task::Task;
use stager::{Announcer, StagerError};

use crate::mirror::Mirror;
use crate::pages::MemorySource;
use crate::source::{Source, TICK};
use crate::truth::differences;

/// Share of a table that may be deleted without confirmation, in percent, as in the template.
pub const DELETION_SHARE_MAX: u32 = 20;

/// Source, mirror, and the pipeline between them.
#[derive(Debug)]
pub struct Pipeline {
    /// Source and fetcher.
    pub source: Source,
    /// Database, stager and reconciler.
    pub mirror: Mirror,
    /// Digests of the objects delivered to the stager, by key.
    delivered: Mutex<BTreeMap<String, u64>>,
    /// Error of the fetcher's clock.
    clock_error: Mutex<TimeDelta>,
    asked: Asked,
}

#[derive(Debug, Default)]
struct Asked(Mutex<Vec<Value>>);

impl LookupSender for Asked {
    async fn send_lookup(&self, payload: &Value) -> Result<(), ReconcilerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(payload.clone());
        Ok(())
    }
}

#[derive(Debug, Default)]
struct Announced(Mutex<Vec<String>>);

impl Announcer for Announced {
    async fn announce(&self, keys: &[String]) -> Result<(), StagerError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(keys);
        Ok(())
    }
}

impl Pipeline {
    /// Opens an empty mirror of a source of this size.
    pub async fn open(config: SimConfig, options: PgConnectOptions) -> Self {
        Self {
            source: Source::open(config).await,
            mirror: Mirror::open(options).await,
            delivered: Mutex::default(),
            clock_error: Mutex::new(TimeDelta::zero()),
            asked: Asked::default(),
        }
    }

    /// Sets the error of the fetcher's clock for the pages delivered from now on.
    pub fn skew_clock(&self, error: TimeDelta) {
        *self.clock_error.lock().unwrap_or_else(PoisonError::into_inner) = error;
    }

    /// Stages the objects that the stager has not received yet.
    pub async fn deliver(&self) {
        let news = MemorySource::default();
        {
            let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, bytes) in self.source.sink.objects() {
                // A manifest is written again, and says more each time.
                let digest = digest(&bytes);
                if delivered.insert(key.clone(), digest) != Some(digest) {
                    news.put(&key, self.with_clock_error(&key, bytes));
                }
            }
        }
        assert_eq!(self.mirror.stage(&news).await, Vec::<String>::new());
    }

    /// Stages, promotes and serves the reconciler's fetch requests until nothing is left.
    pub async fn settle(&self) {
        for _ in 0..10 {
            self.deliver().await;
            self.mirror.reconcile().await;
            deletion::process_missing_records(&self.mirror.db, &self.asked, DELETION_SHARE_MAX)
                .await
                .expect("the database is there");
            completeness::check_completeness(&self.mirror.db).await.expect("the database is there");
            let asked = std::mem::take(&mut *self.asked.0.lock().unwrap_or_else(PoisonError::into_inner));
            if asked.is_empty() {
                return;
            }
            for payload in asked {
                let request = SyncRequest::parse(&payload, local_day::ZONE).expect("a request");
                for entity in request.entities() {
                    self.source.fetch(entity, request.mode.clone()).await;
                }
            }
        }
        panic!("the reconciler asks again and again");
    }

    /// Returns a raw page with the time of fetch that the fetcher's clock would have given it.
    fn with_clock_error(&self, key: &str, bytes: Vec<u8>) -> Vec<u8> {
        let error = *self.clock_error.lock().unwrap_or_else(PoisonError::into_inner);
        if error.is_zero() || !key.starts_with("raw/") {
            return bytes;
        }
        let text = String::from_utf8(bytes).expect("a page in UTF-8");
        let (head, rest) = text.split_once("\"fetched_at\":\"").expect("a time of fetch");
        let (at, rest) = rest.split_once('"').expect("the end of the time");
        let at: DateTime<Utc> = at.parse().expect("a time");
        format!("{head}\"fetched_at\":\"{}\"{rest}", (at + error).to_rfc3339()).into_bytes()
    }

    /// Fetches every entity in this mode, then stages and promotes.
    pub async fn sync(&self, mode: &Mode) {
        for entity in entity::fetched() {
            self.source.fetch(entity, mode.clone()).await;
        }
        self.settle().await;
    }

    /// Runs one tick and everything that follows from it.
    pub async fn tick(&self) {
        self.sync(&TICK).await;
    }

    /// Runs a task of the stager and stages what it announces; returns the number of objects.
    pub async fn task(&self, payload: &Value) -> usize {
        let bucket = self.bucket();
        let announced = Announced::default();
        let task = Task::parse(payload).expect("a task");
        // In an hour: by then nothing is on its way any more.
        let later = Utc::now() + TimeDelta::hours(1);
        let deadline = tokio::time::Instant::now() + Duration::from_mins(5);
        let done = task.run(&self.mirror.db, &bucket, &announced, later, deadline).await.expect("it is done");
        let keys = announced.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(done.announced, keys.len());
        let staged = stager::stage::stage(&self.mirror.db, &bucket, &keys).await;
        assert!(staged.failed.is_empty(), "{:?}", staged.failed);
        keys.len()
    }

    /// Returns a copy of the bucket.
    #[must_use]
    pub fn bucket(&self) -> MemorySource {
        let bucket = MemorySource::default();
        for (key, bytes) in self.source.sink.objects() {
            bucket.put(&key, bytes);
        }
        bucket
    }

    /// Drops the events of some objects.
    pub fn lose_events(&self, is_lost: impl Fn(&str) -> bool) {
        let mut delivered = self.delivered.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, bytes) in self.source.sink.objects() {
            if is_lost(&key) {
                delivered.insert(key, digest(&bytes));
            }
        }
    }

    /// Returns the differences between mirror and source of an entity.
    pub async fn differences(&self, entity: &Entity) -> Vec<String> {
        let truth = self.source.truth(entity).await;
        differences(&mut self.mirror.connection().await, entity, &truth).await
    }

    /// Asserts that the mirror equals the source.
    pub async fn assert_equals_the_source(&self, context: &str) {
        for entity in entity::ALL {
            let differences = self.differences(entity).await;
            assert!(
                differences.is_empty(),
                "{context}: {}: {} differences, such as {:#?}",
                entity.name,
                differences.len(),
                &differences[..differences.len().min(5)]
            );
        }
    }

    /// Returns the ids of rows marked as deleted.
    pub async fn deleted(&self, entity: &Entity) -> Vec<String> {
        let sql = format!("select id from {} where deleted_at is not null order by id", entity.table);
        let rows = self.mirror.rows(&sql).await;
        rows.iter().filter_map(|row| row["id"].as_str().map(str::to_owned)).collect()
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
