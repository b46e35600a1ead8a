//! Hand-made raw pages, and a bucket in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use model::column::ChildTable;
use model::column::Column;
use model::column::ColumnType;
use model::entity::{Entity, Shape};
use protocol::lane::Lane;
use protocol::manifest::{Manifest, RunStatus, SCHEMA_VERSION};
use protocol::object_key::{self, RunId};
use serde_json::{Value, json};
use stager::StagerError;
use stager::raw_source::{ArchiveStore, ListedObject, RawSource, ReadObject};

/// In-memory bucket.
#[derive(Debug, Default, Clone)]
pub struct MemorySource {
    objects: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl RawSource for MemorySource {
    async fn read(&self, key: &str) -> Result<ReadObject, StagerError> {
        Ok(self.get(key).map_or(ReadObject::Gone, ReadObject::Bytes))
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<ListedObject>, StagerError> {
        let keys = self.keys();
        let wanted = keys
            .iter()
            .filter(|key| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after));
        // A few at a time, as a bucket does.
        Ok(wanted.take(7).map(|key| ListedObject { key: key.clone(), written_at: 0 }).collect())
    }
}

impl ArchiveStore for MemorySource {
    async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StagerError> {
        self.put(key, bytes);
        Ok(())
    }
}

impl MemorySource {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.objects().keys().cloned().collect()
    }

    /// Returns the bytes of an object.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Vec<u8>> {
        self.objects().get(key).cloned()
    }

    /// Writes an object.
    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>) {
        self.objects().insert(key.to_owned(), bytes.into());
    }
}

/// Hand-made run.
#[derive(Debug, Clone)]
pub struct HandRun {
    /// Id of the run.
    pub run_id: RunId,
    entity: &'static Entity,
    started_at: DateTime<Utc>,
    pages: u32,
    records: u64,
}

impl HandRun {
    /// Creates a run of the entity; `minute` orders runs.
    #[must_use]
    pub fn new(entity: &'static Entity, minute: i64) -> Self {
        Self::started(entity, DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute), 1)
    }

    /// Creates a run of the entity that started at this instant; `salt` tells it from others of that instant.
    #[must_use]
    pub fn started(entity: &'static Entity, started_at: DateTime<Utc>, salt: u32) -> Self {
        Self { run_id: RunId::new(started_at, salt), entity, started_at, pages: 0, records: 0 }
    }

    /// Writes the run's next page into the bucket; returns the key.
    pub fn page(&mut self, source: &MemorySource, nodes: &[Value]) -> String {
        let nodes: Vec<String> = nodes.iter().map(Value::to_string).collect();
        self.raw_page(source, &nodes)
    }

    /// Writes the next page from records as text, which may be malformed.
    pub fn raw_page(&mut self, source: &MemorySource, nodes: &[String]) -> String {
        self.pages += 1;
        self.records += nodes.len() as u64;
        let query = self.entity.query().expect("an entity with pages");
        let list = format!("[{}]", nodes.join(","));
        let payload = match query.shape {
            Shape::List => format!(r#"{{"data":{{"{}":{list}}}}}"#, query.root),
            Shape::Connection { .. } => format!(
                r#"{{"data":{{"{}":{{"totalCount":{},"pageInfo":{{"hasNextPage":false,"endCursor":null}},"nodes":{list}}}}}}}"#,
                query.root,
                nodes.len()
            ),
        };
        self.put(source, &payload, nodes.len(), None)
    }

    /// Writes a lookup response as the run's next page.
    pub fn answer(&mut self, source: &MemorySource, id: &str, record: &Value) -> String {
        self.pages += 1;
        self.records += 1;
        self.put(source, &json!({"data": {"r0": record}}).to_string(), 1, Some(id))
    }

    fn put(&self, source: &MemorySource, payload: &str, count: usize, asked: Option<&str>) -> String {
        let mut metadata = json!({
            "schema_version": 1, "entity": self.entity.name, "mode": "full", "run_id": self.run_id,
            "page": self.pages, "cursor": null,
            "fetched_at": self.started_at + TimeDelta::seconds(i64::from(self.pages)),
            "endpoint": "http://127.0.0.1", "api_version": "private", "query_sha256": "", "window": null,
            "record_count": count, "fetcher_version": "test",
        });
        if let Some(id) = asked {
            metadata["asked"] = json!([id]);
        }
        let key = object_key::raw_page(self.entity.name, &self.run_id, self.pages);
        source.put(&key, format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#));
        key
    }

    /// Writes the run's manifest into the bucket.
    pub fn end(&self, source: &MemorySource, status: RunStatus) {
        self.end_with(source, status, 2);
    }

    /// Writes a revision of the run's manifest into the bucket.
    pub fn end_with(&self, source: &MemorySource, status: RunStatus, revision: u32) {
        let manifest = Manifest {
            schema_version: SCHEMA_VERSION,
            run_id: self.run_id.clone(),
            entity: self.entity.name.to_owned(),
            mode: "full".to_owned(),
            lane: Some(Lane::Full),
            window: None,
            status,
            started_at: self.started_at,
            ended_at: Some(self.started_at + TimeDelta::minutes(1)),
            pages: self.pages,
            records: self.records,
            pages_passed: 0,
            records_passed: 0,
            total_count_first: Some(self.records),
            total_count: Some(self.records),
            distinct: None,
            unidentified: None,
            proves_absence: status == RunStatus::Success,
            unserved: Vec::new(),
            served: Vec::new(),
            resumed_from_page: None,
            revision,
            error: None,
            action: None,
            access_level: None,
            fetcher_version: "test".to_owned(),
        };
        let bytes = serde_json::to_vec(&manifest).expect("a manifest is JSON");
        source.put(&object_key::manifest(self.entity.name, &self.run_id), bytes);
    }
}

/// Returns an element of a child table's list with a text in each text column, and an id in each reference.
#[must_use]
pub fn element(part: &ChildTable, word: &str) -> Value {
    let mut element = json!({});
    for Column { path, column_type: kind, references, .. } in part.columns {
        if let ([.., _], ColumnType::Text) = (path, kind) {
            let value = references.map_or_else(|| word.to_owned(), |target| format!("{target}_{word}"));
            let place = path.iter().fold(&mut element, |value, name| &mut value[*name]);
            *place = json!(value);
        }
    }
    element
}

/// Returns a child table's list with an element for each word, as a connection.
#[must_use]
pub fn list_of(part: &ChildTable, words: &[&str], has_more: bool) -> Value {
    let nodes: Vec<Value> = words.iter().map(|word| element(part, word)).collect();
    json!({"pageInfo": {"hasNextPage": has_more}, "nodes": nodes})
}
