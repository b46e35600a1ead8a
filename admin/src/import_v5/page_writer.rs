//! Raw pages and the manifest of an import, in the shape of the fetcher's.

use chrono::{DateTime, Utc};
use model::entity::{Entity, Query, Shape};
use object_store::ObjectStore;
use protocol::manifest::{self, Manifest, RunStatus};
use protocol::object_key::{self, RunId};
use protocol::raw_page::{self, Metadata};
use protocol::v5_import;
use rand::RngExt;

use crate::error::AdminError;

/// Records on a page at most.
const RECORDS_PER_PAGE: usize = 1_000;
/// Bytes per page, because the stager holds several pages at once.
const BYTES_PER_PAGE: usize = 4 * 1024 * 1024;

/// Writer of one entity's raw pages and manifest. Without a store it writes nothing.
pub(super) struct PageWriter<'a> {
    entity: &'static Entity,
    /// V5's table, which stands for the endpoint in the metadata.
    v5_table: &'static str,
    store: Option<&'a ObjectStore>,
    run_id: RunId,
    started_at: DateTime<Utc>,
    /// Manifests written so far.
    revision: u32,
    /// Records of the next page.
    pending: Vec<String>,
    pending_bytes: usize,
    /// Pages written so far.
    pages: u32,
    /// Records on the pages written so far.
    records: u64,
}

impl<'a> PageWriter<'a> {
    /// Creates a writer with a run id of its own.
    pub(super) fn new(
        entity: &'static Entity,
        v5_table: &'static str,
        store: Option<&'a ObjectStore>,
        now: DateTime<Utc>,
    ) -> Self {
        Self {
            entity,
            v5_table,
            store,
            run_id: RunId::new(now, rand::rng().random()),
            started_at: now,
            revision: 0,
            pending: Vec::new(),
            pending_bytes: 0,
            pages: 0,
            records: 0,
        }
    }

    /// Returns the id of the run, if anything is written.
    pub(super) fn run_id(&self) -> Option<RunId> {
        self.store.map(|_| self.run_id.clone())
    }

    /// Returns the number of pages written so far.
    pub(super) const fn pages(&self) -> u32 {
        self.pages
    }

    /// Returns the number of records on the pages written so far.
    pub(super) const fn records(&self) -> u64 {
        self.records
    }

    /// Adds a record, as JSON, and writes the page before it if that is full.
    pub(super) async fn add(&mut self, record: String) -> Result<(), AdminError> {
        if self.store.is_none() {
            return Ok(());
        }
        let is_full =
            self.pending.len() >= RECORDS_PER_PAGE || self.pending_bytes + record.len() > BYTES_PER_PAGE;
        if is_full {
            self.flush().await?;
        }
        self.pending_bytes += record.len();
        self.pending.push(record);
        Ok(())
    }

    /// Writes the records that no page holds yet.
    pub(super) async fn flush(&mut self) -> Result<(), AdminError> {
        let (Some(store), Some(query), false) = (self.store, self.entity.query(), self.pending.is_empty())
        else {
            return Ok(());
        };
        let page = self.pages + 1;
        let metadata = Metadata {
            schema_version: raw_page::SCHEMA_VERSION,
            entity: self.entity.name.to_owned(),
            mode: protocol::request::ModeName::Import.as_str().to_owned(),
            run_id: self.run_id.clone(),
            page,
            cursor: None,
            fetched_at: v5_import::FETCHED_AT,
            endpoint: self.v5_table.to_owned(),
            api_version: "v5".to_owned(),
            query_sha256: String::new(),
            window: None,
            asked: None,
            record_count: self.pending.len() as u64,
            fetcher_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let entity = self.entity.name;
        let metadata =
            serde_json::to_string(&metadata).map_err(|source| AdminError::EncodePage { entity, source })?;
        let payload = payload(query, &self.pending);
        let bytes = format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#).into_bytes();
        let key = object_key::raw_page(entity, &self.run_id, page);
        store.write(&key, bytes).await.map_err(AdminError::StorePage)?;
        self.pages = page;
        self.records += self.pending.len() as u64;
        self.pending.clear();
        self.pending_bytes = 0;
        Ok(())
    }

    /// Writes the next revision of the manifest.
    pub(super) async fn write_manifest(&mut self, status: RunStatus) -> Result<(), AdminError> {
        let Some(store) = self.store else { return Ok(()) };
        self.revision += 1;
        let has_ended = status != RunStatus::Running;
        let manifest = Manifest {
            schema_version: manifest::SCHEMA_VERSION,
            run_id: self.run_id.clone(),
            entity: self.entity.name.to_owned(),
            mode: protocol::request::ModeName::Import.as_str().to_owned(),
            lane: None,
            window: None,
            status,
            started_at: self.started_at,
            ended_at: has_ended.then(Utc::now),
            pages: self.pages,
            records: self.records,
            pages_passed: 0,
            records_passed: 0,
            total_count_first: None,
            total_count: None,
            distinct: None,
            unidentified: None,
            proves_absence: false,
            unserved: Vec::new(),
            served: Vec::new(),
            resumed_from_page: None,
            revision: self.revision,
            error: (status == RunStatus::Failed).then(|| "the import stopped".to_owned()),
            action: None,
            access_level: None,
            fetcher_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let entity = self.entity.name;
        let bytes =
            serde_json::to_vec(&manifest).map_err(|source| AdminError::EncodePage { entity, source })?;
        let key = object_key::manifest(entity, &self.run_id);
        store.write(&key, bytes).await.map_err(AdminError::StorePage)
    }
}

/// Returns Gazelle's response to the query, as if it held these records.
fn payload(query: &Query, records: &[String]) -> String {
    let (root, list) = (query.root, records.join(","));
    match query.shape {
        Shape::List => format!(r#"{{"data":{{"{root}":[{list}]}}}}"#),
        Shape::Connection { .. } => format!(
            r#"{{"data":{{"{root}":{{"nodes":[{list}],"pageInfo":{{"hasNextPage":false,"endCursor":null}}}}}}}}"#
        ),
    }
}
