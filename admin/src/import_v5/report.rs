//! Report of an import, for people: counts, and a few ids, but never a name, a note or a phone number.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use i18n::terminal::import_v5 as text;
use model::entity;
use protocol::object_key::RunId;

use crate::import_v5::reason::Reason;

/// Ids shown of each kind at most.
const SAMPLE_IDS_MAX: usize = 5;
/// Characters shown of an id at most.
const ID_CHARACTERS_MAX: usize = 40;
/// Narrowest column of the table, in characters.
const COLUMN_WIDTH_MIN: usize = 7;

/// Count of rows, with a few of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// Number of rows counted.
    pub count: u64,
    /// First ids, of those that have one, cut to the characters that fit a line.
    pub ids: Vec<String>,
}

impl Sample {
    /// Counts a row, and keeps its id if there is space for one more.
    pub(super) fn add(&mut self, id: Option<&str>) {
        self.count += 1;
        self.ids.extend(
            id.filter(|_| self.ids.len() < SAMPLE_IDS_MAX)
                .map(|id| id.chars().take(ID_CHARACTERS_MAX).collect()),
        );
    }
}

/// Counts of one entity's import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntityImport {
    /// Name of the entity.
    pub entity: &'static str,
    /// Name of V5's table.
    pub table: &'static str,
    /// True if V5 has no such table.
    pub is_absent: bool,
    /// True if duplicates could not be searched for, because V5's table has no date.
    pub has_no_dates: bool,
    /// Columns and nested tables that V5 lacks.
    pub missing: Vec<String>,
    /// Rows that V5's table holds.
    pub rows: u64,
    /// Rows that V6 does not have.
    pub new: Sample,
    /// Rows that were imported before and have changed in V5 since.
    pub renewed: Sample,
    /// Rows that V6 has with the same content, as far as V5 has it.
    pub same: u64,
    /// Rows that V6 has with other content, which it keeps.
    pub differs: Sample,
    /// Rows of V6 whose manual columns are filled.
    pub filled: Sample,
    /// Rows left out because another with an id of Gazelle's has the same content.
    pub duplicates: Sample,
    /// Rows that become no row of V6, by reason. The raw pages keep them all the same; those that the database
    /// refuses wait in staging, as failed.
    pub refused: BTreeMap<Reason, Sample>,
    /// Contacts that were merged into their client.
    pub contacts: u64,
    /// Run that brings the records, if anything was written.
    pub run_id: Option<RunId>,
    /// Raw pages written by the import.
    pub pages: u32,
    /// Records on the raw pages.
    pub records: u64,
}

impl EntityImport {
    /// Returns the number of V6 rows that the import changes.
    #[must_use]
    pub const fn promoted(&self) -> u64 {
        self.new.count + self.renewed.count + self.filled.count
    }

    /// Returns the number of contacts whose client V5 does not hold.
    fn orphans(&self) -> u64 {
        self.refused.get(&Reason::Orphan).map_or(0, |sample| sample.count)
    }
}

/// Report of an import or of a dry run.
#[derive(Debug, Clone, Default)]
pub struct ImportReport {
    /// Schema that holds V5's tables.
    pub schema: String,
    /// True if raw pages were written.
    pub is_applied: bool,
    /// Counts per entity, parents before children.
    pub entities: Vec<EntityImport>,
    /// Ids to which V5 refers and which nobody holds, by entity: each becomes a flagged placeholder.
    pub unknown: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Line of the table: its title, and the number that it shows for an entity.
type TableLine = (String, Box<dyn Fn(&EntityImport) -> u64>);

impl ImportReport {
    fn table_lines(&self) -> Vec<TableLine> {
        let line = |title: &str, count: fn(&EntityImport) -> u64| -> TableLine {
            (title.to_owned(), Box::new(count))
        };
        let mut lines = vec![
            line(text::ROWS, |found| found.rows),
            line(text::NEW, |found| found.new.count),
            line(text::RENEWED, |found| found.renewed.count),
            line(text::SAME, |found| found.same),
            line(text::DIFFERENT, |found| found.differs.count),
            line(text::FILLED, |found| found.filled.count),
            line(text::DUPLICATES, |found| found.duplicates.count),
        ];
        let reasons: BTreeSet<Reason> =
            self.entities.iter().flat_map(|found| found.refused.keys().cloned()).collect();
        for reason in reasons.into_iter().filter(|reason| *reason != Reason::Orphan) {
            let title = text::not_imported(&reason.label());
            let count =
                move |found: &EntityImport| found.refused.get(&reason).map_or(0, |sample| sample.count);
            lines.push((title, Box::new(count)));
        }
        lines.push(line(text::CONTACTS, |found| found.contacts));
        lines.push(line(text::CONTACTS_WITHOUT_CLIENT, EntityImport::orphans));
        let unknown: BTreeMap<&'static str, u64> =
            self.unknown.iter().map(|(entity, ids)| (*entity, ids.len() as u64)).collect();
        let count_unknown = move |found: &EntityImport| unknown.get(found.entity).copied().unwrap_or(0);
        lines.push((text::UNKNOWN_RECORDS.to_owned(), Box::new(count_unknown)));
        if self.is_applied {
            lines.push(line(text::PAGES_WRITTEN, |found| found.pages.into()));
        }
        lines
    }

    /// Returns the samples below the table that are not empty: a title and ids.
    fn samples(&self) -> Vec<(String, Vec<String>)> {
        let mut samples = Vec::new();
        for found in &self.entities {
            let title = title(found.entity);
            for (kind, sample) in [
                (text::SAMPLE_RENEWED, &found.renewed),
                (text::SAMPLE_DIFFERENT, &found.differs),
                (text::SAMPLE_FILLED, &found.filled),
                (text::SAMPLE_DUPLICATES, &found.duplicates),
            ] {
                samples.push((format!("{title}, {kind}"), sample.ids.clone()));
            }
            for (reason, sample) in &found.refused {
                samples.push((format!("{title}, {}", reason.label()), sample.ids.clone()));
            }
            let unknown = self.unknown.get(found.entity).into_iter().flatten();
            let ids =
                unknown.take(SAMPLE_IDS_MAX).map(|id| id.chars().take(ID_CHARACTERS_MAX).collect()).collect();
            samples.push((format!("{title}, {}", text::SAMPLE_UNKNOWN), ids));
        }
        samples.retain(|(_, ids)| !ids.is_empty());
        samples
    }

    fn write_table(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.table_lines();
        let title_width = lines.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        let titles: Vec<&str> = self.entities.iter().map(|found| title(found.entity)).collect();
        let widths: Vec<usize> =
            titles.iter().map(|title| title.chars().count().max(COLUMN_WIDTH_MIN)).collect();
        write!(f, "{:title_width$}", "")?;
        for (title, width) in titles.iter().zip(&widths) {
            write!(f, "  {title:>width$}")?;
        }
        writeln!(f)?;
        for (title, count) in &lines {
            write!(f, "{title:title_width$}")?;
            for (found, width) in self.entities.iter().zip(&widths) {
                write!(f, "  {:>width$}", count(found))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }

    fn write_notices(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in self.entities.iter().filter(|found| found.is_absent) {
            writeln!(f, "\n{}", text::missing_table(found.table))?;
        }
        for found in self.entities.iter().filter(|found| !found.missing.is_empty()) {
            writeln!(f, "\n{}", text::missing_columns(&found.missing))?;
        }
        for found in self.entities.iter().filter(|found| found.has_no_dates) {
            writeln!(f, "\n{}", text::duplicates_not_searched(found.table))?;
        }
        Ok(())
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.is_applied { text::APPLIED } else { text::DRY_RUN };
        writeln!(f, "{}\n", text::heading(&self.schema, state))?;
        self.write_table(f)?;
        self.write_notices(f)?;
        let samples = self.samples();
        if !samples.is_empty() {
            writeln!(f, "\n{}", text::samples_heading(SAMPLE_IDS_MAX))?;
        }
        for (title, ids) in &samples {
            writeln!(f, "{}", text::samples(title, ids))?;
        }
        for found in &self.entities {
            if let Some(run_id) = &found.run_id {
                writeln!(f, "{}", text::run(title(found.entity), run_id.as_str()))?;
            }
        }
        Ok(())
    }
}

/// Returns the French title of the entity with this name.
fn title(name: &str) -> &str {
    entity::find(name).map_or(name, |entity| entity.title.french)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_table_is_aligned_and_bounded() {
        let mut clients = EntityImport {
            entity: "clients",
            table: "gazelle_clients",
            rows: 20_000,
            ..EntityImport::default()
        };
        for number in 0..9 {
            clients.differs.add(Some(&format!("cli_{number}")));
        }
        clients.refused.entry(Reason::Required("occurredAt")).or_default().add(None);
        let report =
            ImportReport { schema: "public".to_owned(), entities: vec![clients], ..ImportReport::default() };
        let text = report.to_string();
        assert!(
            text.starts_with("Reprise de V5, schéma « public » : essai à blanc : rien n'est écrit.\n"),
            "{text}"
        );
        assert!(text.contains("Clients, différentes : cli_0, cli_1, cli_2, cli_3, cli_4\n"), "{text}");
        let table: Vec<&str> = text.lines().skip(2).take_while(|line| !line.is_empty()).collect();
        let widths: BTreeSet<usize> = table.iter().map(|line| line.chars().count()).collect();
        assert!(table.len() > 10 && widths.len() == 1, "{text}");
        assert!(
            table
                .iter()
                .any(|line| line.starts_with("Non reprises : occurredAt absent") && line.ends_with('1'))
        );
    }
}
