//! Brings V5's tables into V6: read where they stand, written as raw pages, promoted like any source's. Everything that
//! Gazelle itself said later wins over them. V5 is only read.

mod node;
mod report;
mod tables;

use std::io::Write as _;

use chrono::{DateTime, Utc};
use db::Db;
use db::v5::{Compared, Comparison, Difference, Heritage, HeritageError, OldRow};
use model::entity::{Entity, Query, Shape};
use model::row::Row;
use object_store::{ObjectStore, StateError};
use protocol::manifest::{self, Manifest, RunStatus};
use protocol::object_key::{self, RunId};
use protocol::raw_page::{self, Metadata};
use protocol::v5_import;
use rand::RngExt;

use crate::{Failure, settings};
use node::{Node, node, orphan};
use tables::{Table, tables};

pub use report::{EntityReport, Reason, Report, Sample};

/// A page is written once it holds so many records,
const RECORDS_PER_PAGE: usize = 1_000;
/// or so many bytes: the stager holds some pages at once.
const BYTES_PER_PAGE: usize = 4 * 1024 * 1024;

/// Why V5 could not be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// V5 cannot be read.
    #[error("V5: {0}")]
    Heritage(#[from] HeritageError),
    /// The database refused or was out of reach.
    #[error("The database: {0}")]
    Database(#[from] db::Error),
    /// The bucket did not take a page.
    #[error(transparent)]
    Store(#[from] StateError),
    /// A page could not be written as JSON.
    #[error("A page of {entity} could not be written: {source}")]
    Page {
        /// The entity.
        entity: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

/// Reads the environment, imports or tries to, and prints the report.
///
/// # Errors
/// A setting is not accepted, or the import stopped. What was written by then stays, and is harmless: do it again.
pub async fn run(v5_schema: &str, apply: bool) -> Result<(), Failure> {
    let db = Db::new(&settings::administrator()?);
    let store = if apply {
        let bucket = settings::read(|settings| settings.required("RAW_BUCKET", "the bucket of raw pages"))?;
        Some(settings::bucket(&lambda::aws_config().await, bucket))
    } else {
        None
    };
    let report = import(&db, v5_schema, store.as_ref(), Utc::now()).await?;
    db.close().await;
    std::io::stdout().write_all(report.to_string().as_bytes())?;
    Ok(())
}

/// Reads V5's tables in one snapshot and compares them with the mirror; with a store, writes what is to be imported as
/// raw pages, and a manifest per entity. The memory that it takes does not grow with the tables.
///
/// # Errors
/// V5 cannot be read, the database is in trouble, or the store does not take a page.
pub async fn import(
    db: &Db,
    v5_schema: &str,
    store: Option<&ObjectStore>,
    now: DateTime<Utc>,
) -> Result<Report, ImportError> {
    let tables = tables();
    let old: Vec<_> = tables.iter().map(|table| &table.old).collect();
    let mut v5 = Heritage::open(db, v5_schema, &old).await?;
    let mut report =
        Report { schema: v5_schema.to_owned(), is_applied: store.is_some(), ..Report::default() };
    for table in &tables {
        let mut run = Run::new(table, store, now);
        run.tell(RunStatus::Running).await?;
        let done = run.import(&mut v5, &mut report).await;
        let told = run.tell(if done.is_ok() { RunStatus::Success } else { RunStatus::Failed }).await;
        // Why it stopped says more than that the bucket could not be told.
        done?;
        told?;
        report.entities.push(run.found);
    }
    v5.close().await?;
    Ok(report)
}

/// The import of one table.
struct Run<'a> {
    table: &'a Table,
    store: Option<&'a ObjectStore>,
    id: RunId,
    now: DateTime<Utc>,
    revision: u32,
    found: EntityReport,
    /// Records of the page under way.
    page: Vec<String>,
    bytes: usize,
}

impl<'a> Run<'a> {
    fn new(table: &'a Table, store: Option<&'a ObjectStore>, now: DateTime<Utc>) -> Self {
        let id = RunId::new(now, rand::rng().random());
        let found = EntityReport {
            entity: table.old.entity.name,
            table: table.old.name,
            run_id: store.map(|_| id.clone()),
            ..EntityReport::default()
        };
        Self { table, store, id, now, revision: 0, found, page: Vec::new(), bytes: 0 }
    }

    const fn entity(&self) -> &'static Entity {
        self.table.old.entity
    }

    async fn import(&mut self, v5: &mut Heritage, report: &mut Report) -> Result<(), ImportError> {
        let old = &self.table.old;
        if v5.has_table(old.name) {
            let lacking = self.table.expected.iter().filter(|column| !v5.has(old.name, column));
            self.found.lacking = lacking.map(|column| format!("{}.{column}", old.name)).collect();
            self.found.is_blind = !v5.seeks_doubles(old);
            let mut previous: Option<String> = None;
            v5.begin(old).await?;
            loop {
                let rows = v5.next().await?;
                let Some(last) = rows.last() else { break };
                let next = last.id.clone();
                self.take(v5, report, &rows, previous).await?;
                previous = next;
            }
        } else {
            self.found.is_absent = true;
        }
        if let Some(nested) = &old.nested {
            if v5.has_table(nested.name) {
                v5.begin_orphans(old, nested).await?;
                loop {
                    let rows = v5.next().await?;
                    if rows.is_empty() {
                        break;
                    }
                    for row in &rows {
                        self.found.refused.entry(Reason::Orphan).or_default().add(row.id.as_deref());
                        self.put(orphan(row)).await?;
                    }
                }
            } else {
                self.found.lacking.push(nested.name.to_owned());
            }
        }
        self.flush().await
    }

    /// Takes rows in the order of their ids; `previous` is the id before the first.
    async fn take(
        &mut self,
        v5: &mut Heritage,
        report: &mut Report,
        rows: &[OldRow],
        mut previous: Option<String>,
    ) -> Result<(), ImportError> {
        let mut compared = Vec::with_capacity(rows.len());
        for row in rows {
            self.found.rows += 1;
            let Node { json, row: made, contacts } = node(&self.table.old, row, previous.as_deref());
            previous.clone_from(&row.id);
            match made {
                // A repeated id is told as such: the one before it was the double.
                Ok(_) if row.is_double => {
                    self.found.doubles.add(row.id.as_deref());
                    continue;
                }
                Ok(made) => compared.push(Compared { row: made, json: json.clone() }),
                Err(reason) => self.found.refused.entry(reason).or_default().add(row.id.as_deref()),
            }
            self.found.contacts += contacts;
            self.put(json).await?;
        }
        let comparisons = v5.compare(self.entity(), &compared).await?;
        let mut referring = Vec::new();
        for (record, comparison) in compared.into_iter().zip(comparisons) {
            let id = Some(record.row.id.as_str());
            match comparison {
                Comparison::Refused(_) => {
                    self.found.refused.entry(Reason::Refused).or_default().add(id);
                }
                Comparison::Row(difference, is_filled) => {
                    match difference {
                        Difference::New => self.found.new.add(id),
                        Difference::Renewed => self.found.renewed.add(id),
                        Difference::Same => self.found.same += 1,
                        Difference::Differs => self.found.differs.add(id),
                    }
                    if is_filled {
                        self.found.filled.add(id);
                    }
                    if matches!(difference, Difference::New | Difference::Renewed) {
                        referring.push(record.row);
                    }
                }
            }
        }
        self.note_unknown(v5, report, &referring).await
    }

    async fn note_unknown(
        &self,
        v5: &mut Heritage,
        report: &mut Report,
        rows: &[Row],
    ) -> Result<(), ImportError> {
        for (place, column) in self.entity().columns.iter().enumerate() {
            let Some(target) = column.references else { continue };
            let mut ids: Vec<String> =
                rows.iter().filter_map(|row| row.cells.get(place).cloned().flatten()).collect();
            ids.sort_unstable();
            ids.dedup();
            if !ids.is_empty() {
                report.unknown.entry(target).or_default().extend(v5.unknown(target, &ids).await?);
            }
        }
        Ok(())
    }

    async fn put(&mut self, record: String) -> Result<(), ImportError> {
        if self.store.is_none() {
            return Ok(());
        }
        if self.page.len() >= RECORDS_PER_PAGE || self.bytes + record.len() > BYTES_PER_PAGE {
            self.flush().await?;
        }
        self.bytes += record.len();
        self.page.push(record);
        Ok(())
    }

    /// Writes the page under way.
    async fn flush(&mut self) -> Result<(), ImportError> {
        let (Some(store), Some(query), false) = (self.store, self.entity().query(), self.page.is_empty())
        else {
            return Ok(());
        };
        let page = self.found.pages + 1;
        let metadata = Metadata {
            schema_version: raw_page::SCHEMA_VERSION,
            entity: self.entity().name.to_owned(),
            mode: v5_import::MODE.to_owned(),
            run_id: self.id.clone(),
            page,
            cursor: None,
            fetched_at: v5_import::FETCHED_AT,
            endpoint: self.table.old.name.to_owned(),
            api_version: "v5".to_owned(),
            query_sha256: String::new(),
            window: None,
            asked: None,
            record_count: self.page.len() as u64,
            fetcher_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let entity = self.entity().name;
        let metadata =
            serde_json::to_string(&metadata).map_err(|source| ImportError::Page { entity, source })?;
        let payload = payload(query, &self.page);
        let bytes = format!(r#"{{"metadata":{metadata},"payload":{payload}}}"#).into_bytes();
        store.write(&object_key::raw_page(entity, &self.id, page), bytes).await?;
        self.found.pages = page;
        self.found.records += self.page.len() as u64;
        self.page.clear();
        self.bytes = 0;
        Ok(())
    }

    /// Says in a manifest how far the run came.
    async fn tell(&mut self, status: RunStatus) -> Result<(), ImportError> {
        let Some(store) = self.store else { return Ok(()) };
        self.revision += 1;
        let is_over = status != RunStatus::Running;
        let manifest = Manifest {
            schema_version: manifest::SCHEMA_VERSION,
            run_id: self.id.clone(),
            entity: self.entity().name.to_owned(),
            mode: v5_import::MODE.to_owned(),
            window: None,
            status,
            started_at: self.now,
            ended_at: is_over.then(Utc::now),
            pages: self.found.pages,
            records: self.found.records,
            pages_passed: 0,
            records_passed: 0,
            total_count_first: None,
            total_count: None,
            distinct: None,
            proves_absence: false,
            resumed_from_page: None,
            revision: self.revision,
            error: (status == RunStatus::Failed).then(|| "the import stopped".to_owned()),
            action: None,
            fetcher_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let entity = self.entity().name;
        let bytes = serde_json::to_vec(&manifest).map_err(|source| ImportError::Page { entity, source })?;
        store.write(&object_key::manifest(entity, &self.id), bytes).await?;
        Ok(())
    }
}

/// An answer of the query that holds these records.
fn payload(query: &Query, records: &[String]) -> String {
    let (root, list) = (query.root, records.join(","));
    match query.shape {
        Shape::List => format!(r#"{{"data":{{"{root}":[{list}]}}}}"#),
        Shape::Connection { .. } => format!(
            r#"{{"data":{{"{root}":{{"nodes":[{list}],"pageInfo":{{"hasNextPage":false,"endCursor":null}}}}}}}}"#
        ),
    }
}
