//! Placeholders: rows created for ids that a record refers to before the record with that id has arrived, so that no
//! reference dangles.

use chrono::{DateTime, Utc};
use model::column::Column;
use model::entity::{self, Entity, PlaceholderNotice};
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::actions::{self, NewAction};
use crate::error::{During as _, Error};
use crate::follow_up;
use crate::matching::decision::{Decision, MatchMethod, record_decisions};
use crate::pool::Tx;
use crate::production::candidate::Candidate;
use crate::statements::promotion;

/// Reference of a record that is about to be promoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference<'a> {
    /// Name of the entity referred to.
    target: &'static str,
    /// Id referred to.
    id: &'a str,
    /// Column that holds the reference.
    column: &'static str,
    /// Id of the record that refers.
    record_id: &'a str,
    /// Run that brought the record, and the time at which its page was fetched.
    run_id: &'a str,
    fetched_at: DateTime<Utc>,
}

impl Reference<'_> {
    fn decision(&self) -> Decision {
        Decision {
            record_id: self.record_id.to_owned(),
            reference: self.column,
            asked: json!({ "id": self.id }),
            candidates: Vec::new(),
            method: MatchMethod::Placeholder,
            choice: Some(self.id.to_owned()),
        }
    }
}

/// Placeholder row that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedPlaceholder {
    /// Name of its entity.
    pub entity: &'static str,
    /// Id that was referred to.
    pub id: String,
}

/// Creates a row for every id referred to that has none, marks it as a placeholder, and opens an action. Works parents
/// before children and ids in order, so that two transactions never wait for each other.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn make_placeholders(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: &[Candidate],
) -> Result<Vec<CreatedPlaceholder>, Error> {
    let references = references(entity, candidates);
    let mut created = Vec::new();
    for target in entity::ALL {
        let of_target: Vec<&Reference<'_>> =
            references.iter().filter(|reference| reference.target == target.name).collect();
        let mut ids: Vec<&str> = of_target.iter().map(|reference| reference.id).collect();
        ids.dedup();
        if ids.is_empty() {
            continue;
        }
        let new = insert_missing(tx, target, &ids).await?;
        if new.is_empty() {
            continue;
        }
        open_actions(tx, entity, target, &of_target, &new).await?;
        let is_new = |reference: &Reference<'_>| new.iter().any(|id| id == reference.id);
        let decisions: Vec<Decision> =
            of_target.into_iter().filter(|reference| is_new(reference)).map(Reference::decision).collect();
        record_decisions(tx, entity, &decisions).await?;
        created.extend(new.into_iter().map(|id| CreatedPlaceholder { entity: target.name, id }));
    }
    Ok(created)
}

/// Opens an action for each new placeholder, of which people are told when the target says.
async fn open_actions(
    tx: &mut Tx,
    entity: &Entity,
    target: &Entity,
    references: &[&Reference<'_>],
    new: &[String],
) -> Result<(), Error> {
    let details = |id: &String| {
        let reference = references.iter().find(|reference| reference.id == id);
        reference.map_or_else(|| json!({}), |reference| {
            json!({ "by": entity.name, "run_id": reference.run_id, "fetched_at": reference.fetched_at })
        })
    };
    let to_check: Vec<_> = new.iter().map(|id| NewAction { subject: id, details: details(id) }).collect();
    match target.placeholder_notice {
        PlaceholderNotice::Immediate => {
            actions::open(tx, ActionKind::Placeholder, target.name, &to_check).await
        }
        PlaceholderNotice::AfterListing => {
            follow_up::open_placeholders_for_later(tx, target.name, &to_check).await
        }
    }
}

/// Returns the references of the candidates and of their child rows, in order of target and id.
fn references<'a>(entity: &'static Entity, candidates: &'a [Candidate]) -> Vec<Reference<'a>> {
    let of_cells = |columns: &'static [Column], cells: &'a [Option<String>], candidate: &'a Candidate| {
        columns.iter().zip(cells).filter_map(move |(column, cell)| {
            Some(Reference {
                target: column.references?,
                id: cell.as_deref()?,
                column: column.name,
                record_id: &candidate.row.id,
                run_id: &candidate.run_id,
                fetched_at: candidate.fetched_at,
            })
        })
    };
    let mut references: Vec<Reference<'_>> = Vec::new();
    for candidate in candidates {
        let row = &candidate.row;
        references.extend(of_cells(entity.columns, &row.cells, candidate));
        for (table, list) in entity.child_tables.iter().zip(&row.child_rows) {
            references
                .extend(list.rows.iter().flat_map(|line| of_cells(table.columns, &line.cells, candidate)));
        }
    }
    references.sort_unstable();
    references
}

/// Inserts a row for each id that has none. Returns the ids that are new.
async fn insert_missing(tx: &mut Tx, target: &Entity, ids: &[&str]) -> Result<Vec<String>, Error> {
    let query = tx.query_scalar(AssertSqlSafe(promotion::insert_placeholders(target))).bind(ids);
    let query = target.placeholder.iter().fold(query, |query, (_, template)| query.bind(*template));
    query.fetch_all(tx.connection()).await.during("create placeholders")
}
