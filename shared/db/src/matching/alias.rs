//! Aliases: ids and names that a person has declared to mean another record.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::{self, Entity};
use model::fold::fold;
use model::matching::MatchProfile;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::decision::{Decision, MatchMethod};
use super::statements;
use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::production::candidate::Candidate;

/// Characters of a name that count: an index of PostgreSQL takes 2,700 bytes.
const NAME_CHARACTERS_MAX: usize = 200;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("read_aliases", READ_ALIASES)];

const READ_ALIASES: &str = "select entity, alias, id from aliases order by alias";

/// Ids by entity and alias; an alias is an id as it is, or a folded name.
#[derive(Debug, Clone, Default)]
pub(super) struct Aliases(BTreeMap<(String, String), String>);

#[derive(Debug, sqlx::FromRow)]
struct AliasRow {
    entity: String,
    alias: String,
    id: String,
}

impl Aliases {
    /// Returns the id that a name of an entity stands for.
    pub(super) fn of_name(&self, target: &Entity, name: &str) -> Option<&String> {
        self.0.get(&(target.name.to_owned(), fold(name)))
    }

    /// Reads the aliases among the ids and names that the candidates refer to.
    pub(super) async fn read(tx: &mut Tx, entity: &Entity, candidates: &[Candidate]) -> Result<Self, Error> {
        let columns = entity.columns.iter().chain(entity.child_tables.iter().flat_map(|table| table.columns));
        if !columns.into_iter().any(|column| column.references.is_some()) {
            return Ok(Self::default());
        }
        // There are few aliases, or none: reading all of them is the only query that most batches send for it.
        let rows: Vec<AliasRow> =
            tx.query_as(READ_ALIASES).fetch_all(tx.connection()).await.during("read aliases")?;
        if rows.is_empty() {
            return Ok(Self::default());
        }
        let wanted = referred(entity, candidates);
        let mut aliases = Self::default();
        for row in &rows {
            for alias in BTreeSet::from([fold(&row.alias), row.alias.clone()]) {
                if wanted.contains(&(row.entity.as_str(), alias.clone())) {
                    aliases.0.entry((row.entity.clone(), alias)).or_insert_with(|| row.id.clone());
                }
            }
        }
        Ok(aliases)
    }

    /// Replaces ids that are aliases by the ids that they stand for, and adds a decision for each. An alias that is the
    /// id of a living record is left alone: the exact id wins.
    pub(super) async fn replace_ids(
        &self,
        tx: &mut Tx,
        entity: &Entity,
        candidates: &mut [Candidate],
        decisions: &mut Vec<Decision>,
    ) -> Result<(), Error> {
        if !self.0.is_empty() {
            self.without_living(tx).await?.replace(entity, candidates, decisions);
        }
        Ok(())
    }

    async fn without_living(&self, tx: &mut Tx) -> Result<Self, Error> {
        let mut aliases = self.clone();
        for target in entity::ALL.into_iter().filter(|target| !target.placeholder.is_empty()) {
            let of_target = aliases.0.keys().filter(|(entity, _)| entity == target.name);
            let of_target: Vec<&str> = of_target.map(|(_, alias)| alias.as_str()).collect();
            if of_target.is_empty() {
                continue;
            }
            let living: Vec<String> = tx
                .query_scalar(AssertSqlSafe(statements::living_ids(target)))
                .bind(&of_target)
                .fetch_all(tx.connection())
                .await
                .during("look for records behind aliases")?;
            for id in living {
                aliases.0.remove(&(target.name.to_owned(), id));
            }
        }
        Ok(aliases)
    }

    fn replace(&self, entity: &Entity, candidates: &mut [Candidate], decisions: &mut Vec<Decision>) {
        for candidate in candidates {
            let own = entity.columns.iter().zip(&mut candidate.row.cells);
            let of_children =
                entity.child_tables.iter().zip(&mut candidate.row.child_rows).flat_map(|(table, list)| {
                    list.rows.iter_mut().flat_map(|row| table.columns.iter().zip(&mut row.cells))
                });
            for (column, cell) in own.chain(of_children) {
                let Some((target, id)) = column.references.zip(cell.as_deref()) else { continue };
                let Some(meant) = self.0.get(&(target.to_owned(), id.to_owned())) else { continue };
                decisions.push(Decision {
                    record_id: candidate.row.id.clone(),
                    reference: column.name,
                    asked: json!({ "id": id }),
                    candidates: Vec::new(),
                    method: MatchMethod::Alias,
                    choice: Some(meant.clone()),
                });
                *cell = Some(meant.clone());
            }
        }
    }
}

/// Returns the ids and folded names that the candidates refer to, each with the entity referred to.
fn referred<'a>(entity: &'a Entity, candidates: &'a [Candidate]) -> BTreeSet<(&'a str, String)> {
    let mut referred = BTreeSet::new();
    for candidate in candidates {
        let own = entity.columns.iter().zip(&candidate.row.cells);
        let of_children =
            entity.child_tables.iter().zip(&candidate.row.child_rows).flat_map(|(table, list)| {
                list.rows.iter().flat_map(|row| table.columns.iter().zip(&row.cells))
            });
        let cells = own.chain(of_children);
        referred.extend(cells.filter_map(|(column, cell)| Some((column.references?, cell.clone()?))));
        let unresolved = candidate.unresolved.iter();
        referred.extend(unresolved.filter_map(|asked| Some((asked.target, fold(&name_of(&asked.profile)?)))));
    }
    referred
}

/// Returns the name by which a profile asks for a record, or its serial number or e-mail; none where it has neither.
pub(super) fn name_of(profile: &MatchProfile) -> Option<String> {
    let names: Vec<&str> = ["name", "first_name", "last_name", "company_name", "serial_number", "email"]
        .into_iter()
        .filter_map(|field| profile.get(field))
        .collect();
    (!names.is_empty()).then(|| names.join(" ").chars().take(NAME_CHARACTERS_MAX).collect())
}
