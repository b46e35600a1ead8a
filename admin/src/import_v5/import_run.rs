//! Import of one table of V5: converts its rows, compares them with the mirror, and writes them as raw pages.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use db::v5::{Comparison, Difference, ImportCandidate, V5NestedList, V5Reader, V5Row};
use model::entity::Entity;
use model::row::Row;
use object_store::ObjectStore;
use protocol::manifest::RunStatus;

use crate::error::AdminError;
use crate::import_v5::convert::{ConvertedRow, convert_orphan, convert_row};
use crate::import_v5::page_writer::PageWriter;
use crate::import_v5::reason::Reason;
use crate::import_v5::report::EntityImport;
use crate::import_v5::tables::ImportTable;

/// Ids to which V5 refers and which nobody holds, by the name of their entity.
pub(super) type UnknownIds = BTreeMap<&'static str, BTreeSet<String>>;

/// Import of one table.
pub(super) struct ImportRun<'a> {
    table: &'a ImportTable,
    writer: PageWriter<'a>,
    found: EntityImport,
}

impl<'a> ImportRun<'a> {
    /// Creates the import of a table. Without a store it is a dry run.
    pub(super) fn new(table: &'a ImportTable, store: Option<&'a ObjectStore>, now: DateTime<Utc>) -> Self {
        let writer = PageWriter::new(table.v5.entity, table.v5.name, store, now);
        let found = EntityImport {
            entity: table.v5.entity.name,
            table: table.v5.name,
            run_id: writer.run_id(),
            ..EntityImport::default()
        };
        Self { table, writer, found }
    }

    /// Imports the table, between a manifest of its beginning and one of its end; returns the counts.
    pub(super) async fn import(
        mut self,
        v5: &mut V5Reader,
        unknown: &mut UnknownIds,
    ) -> Result<EntityImport, AdminError> {
        self.writer.write_manifest(RunStatus::Running).await?;
        let imported = self.import_rows(v5, unknown).await;
        let status = if imported.is_ok() { RunStatus::Success } else { RunStatus::Failed };
        let written = self.writer.write_manifest(status).await;
        // The error of the import says more than one of its last manifest.
        imported?;
        written?;
        Ok(EntityImport { pages: self.writer.pages(), records: self.writer.records(), ..self.found })
    }

    const fn entity(&self) -> &'static Entity {
        self.table.v5.entity
    }

    async fn import_rows(&mut self, v5: &mut V5Reader, unknown: &mut UnknownIds) -> Result<(), AdminError> {
        let table = &self.table.v5;
        if v5.has_table(table.name) {
            let missing =
                self.table.expected_columns.iter().filter(|column| !v5.has_column(table.name, column));
            self.found.missing = missing.map(|column| format!("{}.{column}", table.name)).collect();
            self.found.has_no_dates = !v5.can_detect_duplicates(table);
            let mut previous_id: Option<String> = None;
            v5.open_table(table).await.map_err(AdminError::ImportDatabase)?;
            loop {
                let rows = v5.next_rows().await.map_err(AdminError::ImportDatabase)?;
                let Some(last) = rows.last() else { break };
                let last_id = last.id.clone();
                self.import_batch(v5, unknown, &rows, previous_id).await?;
                previous_id = last_id;
            }
        } else {
            self.found.is_absent = true;
        }
        if let Some(nested) = &table.nested {
            self.import_orphans(v5, nested).await?;
        }
        self.writer.flush().await
    }

    /// Imports the rows of a nested table whose owner V5 does not hold. They are kept in the raw pages alone.
    async fn import_orphans(&mut self, v5: &mut V5Reader, nested: &V5NestedList) -> Result<(), AdminError> {
        if !v5.has_table(nested.name) {
            self.found.missing.push(nested.name.to_owned());
            return Ok(());
        }
        v5.open_orphans(&self.table.v5, nested).await.map_err(AdminError::ImportDatabase)?;
        loop {
            let rows = v5.next_rows().await.map_err(AdminError::ImportDatabase)?;
            if rows.is_empty() {
                return Ok(());
            }
            for row in &rows {
                self.refuse(Reason::Orphan, row.id.as_deref());
                self.writer.add(convert_orphan(row)).await?;
            }
        }
    }

    /// Imports rows in the order of their ids; `previous_id` is the id before the first.
    async fn import_batch(
        &mut self,
        v5: &mut V5Reader,
        unknown: &mut UnknownIds,
        rows: &[V5Row],
        mut previous_id: Option<String>,
    ) -> Result<(), AdminError> {
        let mut convertible = Vec::with_capacity(rows.len());
        for row in rows {
            self.found.rows += 1;
            let ConvertedRow { json, row: converted, contacts } =
                convert_row(&self.table.v5, row, previous_id.as_deref());
            previous_id.clone_from(&row.id);
            match converted {
                // A repeated id is reported as such, because the row before it was the duplicate.
                Ok(_) if row.is_duplicate => {
                    self.found.duplicates.add(row.id.as_deref());
                    continue;
                }
                Ok(converted) => convertible.push(ImportCandidate { row: converted, json: json.clone() }),
                Err(reason) => self.refuse(reason, row.id.as_deref()),
            }
            self.found.contacts += contacts;
            self.writer.add(json).await?;
        }
        let comparisons = v5.compare(self.entity(), &convertible).await;
        let comparisons = comparisons.map_err(AdminError::ImportDatabase)?;
        let mut changing = Vec::new();
        for (record, comparison) in convertible.into_iter().zip(comparisons) {
            if self.count(&record.row, &comparison) {
                changing.push(record.row);
            }
        }
        self.find_unknown(v5, unknown, &changing).await
    }

    /// Counts a comparison; returns whether the import will write the row.
    fn count(&mut self, row: &Row, comparison: &Comparison) -> bool {
        let id = Some(row.id.as_str());
        let Comparison::Row(difference, is_filled) = comparison else {
            self.refuse(Reason::Refused, id);
            return false;
        };
        match difference {
            Difference::New => self.found.new.add(id),
            Difference::Updated => self.found.renewed.add(id),
            Difference::Same => self.found.same += 1,
            Difference::Differs => self.found.differs.add(id),
        }
        if *is_filled {
            self.found.filled.add(id);
        }
        matches!(difference, Difference::New | Difference::Updated)
    }

    fn refuse(&mut self, reason: Reason, id: Option<&str>) {
        self.found.refused.entry(reason).or_default().add(id);
    }

    /// Adds the ids to which the rows refer and which nobody holds.
    async fn find_unknown(
        &self,
        v5: &mut V5Reader,
        unknown: &mut UnknownIds,
        rows: &[Row],
    ) -> Result<(), AdminError> {
        for (index, column) in self.entity().columns.iter().enumerate() {
            let Some(target) = column.references else { continue };
            let mut ids: Vec<String> =
                rows.iter().filter_map(|row| row.cells.get(index).cloned().flatten()).collect();
            ids.sort_unstable();
            ids.dedup();
            if !ids.is_empty() {
                let found = v5.unknown_ids(target, &ids).await.map_err(AdminError::ImportDatabase)?;
                unknown.entry(target).or_default().extend(found);
            }
        }
        Ok(())
    }
}
