//! Rows made up for ids that someone refers to and no one has sent yet: no reference ever dangles.

use model::entity::{self, Entity};
use model::row::Column;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use crate::matching::{Decision, record};
use crate::pool::Tx;

/// A reference of a record that is about to be promoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reference<'a> {
    /// The entity referred to.
    target: &'static str,
    /// The id referred to.
    id: &'a str,
    /// The column that refers.
    column: &'static str,
    /// The record that refers.
    record_id: &'a str,
}

impl Reference<'_> {
    fn decision(&self) -> Decision {
        Decision {
            record_id: self.record_id.to_owned(),
            reference: self.column,
            asked: json!({ "id": self.id }),
            candidates: Vec::new(),
            method: "placeholder",
            choice: Some(self.id.to_owned()),
        }
    }
}

/// A row that was made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadeUp {
    /// Its entity.
    pub entity: &'static str,
    /// Its id.
    pub id: String,
}

/// Makes a row for every id referred to that has none, once, flags it, and asks a person to look.
/// Parents before children and ids in order, so that two at once never wait for each other.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn make_placeholders(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: &[crate::production::Candidate],
) -> Result<Vec<MadeUp>, sqlx::Error> {
    let of_cells = |columns: &'static [Column], cells, record_id| {
        columns.iter().zip(cells).filter_map(move |(column, cell): (_, &Option<String>)| {
            Some(Reference {
                target: column.references?,
                id: cell.as_deref()?,
                column: column.name,
                record_id,
            })
        })
    };
    let mut references: Vec<Reference<'_>> = Vec::new();
    for crate::production::Candidate { row, .. } in candidates {
        references.extend(of_cells(entity.columns, &row.cells, &row.id));
        for (part, list) in entity.parts.iter().zip(&row.parts) {
            references
                .extend(list.lines.iter().flat_map(|line| of_cells(part.columns, &line.cells, &row.id)));
        }
    }
    references.sort_unstable();
    let mut made = Vec::new();
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
        announce(tx, target, &new).await?;
        let decided: Vec<&Reference<'_>> =
            of_target.into_iter().filter(|reference| new.iter().any(|id| id == reference.id)).collect();
        let decisions: Vec<Decision> = decided.into_iter().map(Reference::decision).collect();
        record(tx, entity, &decisions).await?;
        made.extend(new.into_iter().map(|id| MadeUp { entity: target.name, id }));
    }
    Ok(made)
}

async fn insert_missing(tx: &mut Tx, target: &Entity, ids: &[&str]) -> Result<Vec<String>, sqlx::Error> {
    let columns: String = target.placeholder.iter().map(|(column, _)| format!(", {column}")).collect();
    let values: String = (0..target.placeholder.len())
        .map(|place| format!(", replace(${}, '{{id}}', u.id)", place + 2))
        .collect();
    let table = target.table;
    let sql = format!(
        r"
        insert into {table} (id, is_placeholder{columns})
        select u.id, true{values}
        from unnest($1::text[]) as u(id)
        where not exists (select from {table} t where t.id = u.id)
        order by u.id
        on conflict (id) do nothing
        returning id
        "
    );
    let query = tx.query(AssertSqlSafe(sql)).bind(ids);
    let query = target.placeholder.iter().fold(query, |query, (_, template)| query.bind(*template));
    let rows = query.fetch_all(tx.connection()).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn announce(tx: &mut Tx, target: &Entity, ids: &[String]) -> Result<(), sqlx::Error> {
    tx.query(
        r"
        insert into admin_actions (kind, entity, subject)
        select 'placeholder', $1, id from unnest($2::text[]) as u(id)
        on conflict (kind, entity, subject) where resolved_at is null do nothing
        ",
    )
    .bind(target.name)
    .bind(ids)
    .execute(tx.connection())
    .await?;
    Ok(())
}
