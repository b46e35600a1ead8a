//! Command `import-v5`: brings V5's tables into V6.
//!
//! The tables are read in place, written as raw pages and promoted like those of any other source; what Gazelle
//! itself said always wins over them. V5 is never written.

mod convert;
mod import_run;
mod page_writer;
mod reason;
mod report;
mod tables;

use std::io::Write as _;

use chrono::{DateTime, Utc};
use db::Db;
use db::v5::V5Reader;
use object_store::ObjectStore;

use crate::error::AdminError;
use crate::settings;
use import_run::ImportRun;
use tables::tables;

pub use reason::Reason;
pub use report::{EntityImport, ImportReport, Sample};

/// Reads the environment, imports or does a dry run, and prints the report.
///
/// # Errors
/// A setting is not accepted, or the import stopped. Pages written before stay and do no harm: repeat the command.
pub async fn run(v5_schema: &str, apply: bool) -> Result<(), AdminError> {
    let db = Db::new(&settings::administrator()?);
    let store = if apply {
        let bucket = settings::read(|settings| settings.required("RAW_BUCKET", "the bucket of raw pages"))?;
        Some(settings::bucket(&lambda::aws_config().await, bucket))
    } else {
        None
    };
    let report = import(&db, v5_schema, store.as_ref(), Utc::now()).await?;
    db.close().await;
    std::io::stdout().write_all(report.to_string().as_bytes()).map_err(AdminError::PrintReport)
}

/// Reads V5's tables in one snapshot and compares them with the mirror. With a store, writes the records to import
/// as raw pages, and a manifest per entity. The memory that it takes does not grow with the tables.
///
/// # Errors
/// [`AdminError::OpenV5`], [`AdminError::ImportDatabase`], [`AdminError::StorePage`] or [`AdminError::EncodePage`].
pub async fn import(
    db: &Db,
    v5_schema: &str,
    store: Option<&ObjectStore>,
    now: DateTime<Utc>,
) -> Result<ImportReport, AdminError> {
    let tables = tables();
    let v5_tables: Vec<_> = tables.iter().map(|table| &table.v5).collect();
    let mut v5 = V5Reader::open(db, v5_schema, &v5_tables).await.map_err(AdminError::OpenV5)?;
    let mut report =
        ImportReport { schema: v5_schema.to_owned(), is_applied: store.is_some(), ..ImportReport::default() };
    for table in &tables {
        let run = ImportRun::new(table, store, now);
        report.entities.push(run.import(&mut v5, &mut report.unknown).await?);
    }
    v5.close().await.map_err(AdminError::ImportDatabase)?;
    Ok(report)
}
