//! What an import finds and does, in counts, for people. Ids at most, never a name, a note or a number to call.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use model::entity;
use protocol::object_key::RunId;

/// Ids that are named of each kind.
const NAMED_MAX: usize = 5;

/// Why a row of V5 becomes no row of V6.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It has no `external_id`.
    NoKey,
    /// The row before it has the same.
    Repeated,
    /// Its `external_id` can be no id.
    UnusableKey,
    /// A field without which it has no place is missing or cannot be read.
    Required(&'static str),
    /// It cannot be read.
    Unreadable,
    /// The database refuses it.
    Refused,
    /// A contact whose client V5 does not hold.
    Orphan,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("sans external_id"),
            Self::Repeated => f.write_str("external_id répété"),
            Self::UnusableKey => f.write_str("external_id inutilisable"),
            Self::Required(field) => write!(f, "{field} absent ou illisible"),
            Self::Unreadable => f.write_str("ligne illisible"),
            Self::Refused => f.write_str("refusée par la base"),
            Self::Orphan => f.write_str("contact sans client"),
        }
    }
}

/// A count, and a few ids of what was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    /// How many.
    pub count: u64,
    /// The first of them that have an id.
    pub ids: Vec<String>,
}

impl Sample {
    pub(super) fn add(&mut self, id: Option<&str>) {
        self.count += 1;
        self.ids.extend(id.filter(|_| self.ids.len() < NAMED_MAX).map(|id| id.chars().take(40).collect()));
    }
}

/// What was found of one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EntityReport {
    /// The entity's name.
    pub entity: &'static str,
    /// The table of V5.
    pub table: &'static str,
    /// Whether V5 has no such table.
    pub is_absent: bool,
    /// Whether no doubles could be looked for, because V5 says no day.
    pub is_blind: bool,
    /// Columns that V5 lacks.
    pub lacking: Vec<String>,
    /// Rows of V5.
    pub rows: u64,
    /// Rows that V6 does not have.
    pub new: Sample,
    /// Rows that were imported before and have changed in V5 since.
    pub renewed: Sample,
    /// Rows that V6 has, with the same content as far as V5 speaks.
    pub same: u64,
    /// Rows that V6 has with other content, and keeps.
    pub differs: Sample,
    /// Rows of V6 that get values kept by hand, which they lack.
    pub filled: Sample,
    /// Rows left out because they say what another says under an id of the source's own.
    pub doubles: Sample,
    /// Rows that become none, by reason. They are kept in the raw pages all the same, but for those that the database
    /// refuses: those wait in staging, as failed.
    pub refused: BTreeMap<Reason, Sample>,
    /// Contacts that went into their client.
    pub contacts: u64,
    /// The run that brings them, where something was written.
    pub run_id: Option<RunId>,
    /// Raw pages written.
    pub pages: u32,
    /// Records on them.
    pub records: u64,
}

impl EntityReport {
    /// Rows of V6 that the import changes.
    #[must_use]
    pub const fn promoted(&self) -> u64 {
        self.new.count + self.renewed.count + self.filled.count
    }

    /// Contacts whose client V5 does not hold.
    fn orphans(&self) -> u64 {
        self.refused.get(&Reason::Orphan).map_or(0, |sample| sample.count)
    }
}

/// What was found, and what was done.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The schema of V5.
    pub schema: String,
    /// Whether raw pages were written.
    pub is_applied: bool,
    /// Entity by entity.
    pub entities: Vec<EntityReport>,
    /// Ids that V5 refers to and nobody has, by entity: each becomes a flagged placeholder.
    pub unknown: BTreeMap<&'static str, BTreeSet<String>>,
}

/// A line of the table: its title, and the number of an entity.
type Line = (String, Box<dyn Fn(&EntityReport) -> u64>);

impl Report {
    fn lines(&self) -> Vec<Line> {
        let line =
            |title: &str, count: fn(&EntityReport) -> u64| -> Line { (title.to_owned(), Box::new(count)) };
        let unknown: BTreeMap<&'static str, u64> =
            self.unknown.iter().map(|(entity, ids)| (*entity, ids.len() as u64)).collect();
        let mut lines = vec![
            line("Lignes dans V5", |found| found.rows),
            line("À créer dans V6", |found| found.new.count),
            line("À mettre à jour (reprises déjà, changées depuis dans V5)", |found| {
                found.renewed.count
            }),
            line("Identiques dans V6", |found| found.same),
            line("Différentes dans V6 (V6 l'emporte)", |found| found.differs.count),
            line("Fiches de V6 qui reçoivent des valeurs tenues à la main", |found| found.filled.count),
            line("Doublons écartés (même contenu sous un identifiant tme_)", |found| found.doubles.count),
        ];
        let reasons: BTreeSet<Reason> =
            self.entities.iter().flat_map(|found| found.refused.keys().cloned()).collect();
        for reason in reasons.into_iter().filter(|reason| *reason != Reason::Orphan) {
            let title = format!("Non reprises : {reason}");
            let count =
                move |found: &EntityReport| found.refused.get(&reason).map_or(0, |sample| sample.count);
            lines.push((title, Box::new(count)));
        }
        lines.push(line("Contacts joints à leur client", |found| found.contacts));
        lines.push(line("Contacts sans client (gardés dans les pages brutes)", EntityReport::orphans));
        let made_up = move |found: &EntityReport| unknown.get(found.entity).copied().unwrap_or(0);
        lines.push(("Fiches inconnues de tous, auxquelles V5 renvoie".to_owned(), Box::new(made_up)));
        if self.is_applied {
            lines.push(line("Pages brutes écrites", |found| found.pages.into()));
        }
        lines
    }

    /// What is named below the table: a title and ids.
    fn samples(&self) -> Vec<(String, Vec<String>)> {
        let mut samples = Vec::new();
        for found in &self.entities {
            let title = title(found.entity);
            for (kind, sample) in [
                ("à mettre à jour", &found.renewed),
                ("différentes", &found.differs),
                ("valeurs tenues à la main", &found.filled),
                ("doublons", &found.doubles),
            ] {
                samples.push((format!("{title}, {kind}"), sample.ids.clone()));
            }
            for (reason, sample) in &found.refused {
                samples.push((format!("{title}, {reason}"), sample.ids.clone()));
            }
            let unknown = self.unknown.get(found.entity).into_iter().flatten();
            let ids = unknown.take(NAMED_MAX).map(|id| id.chars().take(40).collect()).collect();
            samples.push((format!("{title}, inconnues"), ids));
        }
        samples.retain(|(_, ids)| !ids.is_empty());
        samples
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let done = if self.is_applied {
            "pages brutes écrites, la chaîne les promeut"
        } else {
            "essai à blanc : rien n'est écrit"
        };
        writeln!(f, "Reprise de V5, schéma « {} » : {done}.\n", self.schema)?;
        let lines = self.lines();
        let wide = lines.iter().map(|(title, _)| title.chars().count()).max().unwrap_or(0);
        let titles: Vec<&str> = self.entities.iter().map(|found| title(found.entity)).collect();
        let columns: Vec<usize> = titles.iter().map(|title| title.chars().count().max(7)).collect();
        write!(f, "{:wide$}", "")?;
        for (title, width) in titles.iter().zip(&columns) {
            write!(f, "  {title:>width$}")?;
        }
        writeln!(f)?;
        for (title, count) in &lines {
            write!(f, "{title:wide$}")?;
            for (found, width) in self.entities.iter().zip(&columns) {
                write!(f, "  {:>width$}", count(found))?;
            }
            writeln!(f)?;
        }
        for found in self.entities.iter().filter(|found| found.is_absent) {
            writeln!(f, "\nV5 n'a pas de table {}.", found.table)?;
        }
        for found in self.entities.iter().filter(|found| !found.lacking.is_empty()) {
            writeln!(f, "\nV5 n'a pas : {}.", found.lacking.join(", "))?;
        }
        for found in self.entities.iter().filter(|found| found.is_blind) {
            writeln!(f, "\nDoublons non cherchés dans {} : V5 n'y dit pas de date.", found.table)?;
        }
        let samples = self.samples();
        if !samples.is_empty() {
            writeln!(f, "\nExemples, {NAMED_MAX} au plus :")?;
        }
        for (title, ids) in samples {
            writeln!(f, "  {title} : {}", ids.join(", "))?;
        }
        for found in &self.entities {
            if let Some(run_id) = &found.run_id {
                writeln!(f, "  {}, exécution {run_id}", title(found.entity))?;
            }
        }
        Ok(())
    }
}

fn title(name: &str) -> &str {
    entity::find(name).map_or(name, |entity| entity.title.french)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_table_is_aligned_and_bounded() {
        let mut clients = EntityReport {
            entity: "clients",
            table: "gazelle_clients",
            rows: 20_000,
            ..EntityReport::default()
        };
        for number in 0..9 {
            clients.differs.add(Some(&format!("cli_{number}")));
        }
        clients.refused.entry(Reason::Required("occurredAt")).or_default().add(None);
        let report = Report { schema: "public".to_owned(), entities: vec![clients], ..Report::default() };
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
