//! What an older system knew: read where it stands, compared with the mirror, and never over anything fresher.

mod compare;
mod read;
mod sql;

use std::collections::HashSet;

use model::entity::Entity;
use model::row::{Column, Kind};
use protocol::v5_import;
use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::pool::Tx;
use crate::production::promote::{Candidate, Verdict, Work, cells, in_parts, places, statement};

pub use compare::{Compared, Comparison, Difference};
pub use read::{Heritage, HeritageError, OldRow};
pub use sql::{KEY, OldNested, OldTable};

/// The ids of those heritage candidates whose row holds something fresher.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn outdated(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &[Candidate],
) -> Result<HashSet<String>, sqlx::Error> {
    let (joined, _) = joined(entity, "u");
    let sql = format!("select t.id from unnest($1::text[]) as u(id) {joined} where t.synced_at > $2");
    let rows = tx
        .query(AssertSqlSafe(sql))
        .bind(candidates.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>())
        .bind(v5_import::FETCHED_AT)
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// Fills what fresher rows leave empty of the columns that people keep by hand, and nothing else: what the source said,
/// and when, stays as it is. Answers a verdict for each candidate, in their order.
///
/// # Errors
/// The database is in trouble; no row is at fault.
pub async fn inherit(
    tx: &mut Tx,
    entity: &Entity,
    outdated: &[Candidate],
) -> Result<Vec<Verdict>, sqlx::Error> {
    match Fill::new(entity) {
        Some(fill) => in_parts(tx, &Work::Fill(fill), outdated).await,
        None => Ok(vec![Verdict::Unchanged; outdated.len()]),
    }
}

/// The statement that fills empty columns of one entity.
pub(crate) struct Fill<'e> {
    entity: &'e Entity,
    sql: String,
}

impl<'e> Fill<'e> {
    /// None where nothing is kept by hand.
    fn new(entity: &'e Entity) -> Option<Self> {
        let kept: Vec<&Column> = kept(entity).map(|(_, column)| column).collect();
        if kept.is_empty() {
            return None;
        }
        let each = |separator: &str, form: &dyn Fn(&Column) -> String| {
            kept.iter().map(|column| form(column)).collect::<Vec<_>>().join(separator)
        };
        let sets = each(", ", &|column| {
            let (old, new) = (format!("t.{}", column.name), given(column));
            format!("{} = case when {} then {new} else {old} end", column.name, is_empty(column, &old))
        });
        let parameters: String = (0..kept.len()).map(|place| format!(", ${}::text[]", place + 4)).collect();
        let aliases = each("", &|column| format!(", c_{}", column.name));
        let (join, placed) = entity.partitioned_by.map_or_else(Default::default, |by| {
            (format!("join {}_keys k on k.id = i.id", entity.table), format!("and t.{by} = k.{by}"))
        });
        let sql = format!(
            r"
            update {table} t set {sets}, version = t.version + 1, updated_at = clock_timestamp()
            from unnest($2::uuid[], $3::text[]{parameters}) as i(staging_id, id{aliases})
            join {staging} s on s.id = i.staging_id and s.fetched_at = $1
            {join}
            where t.id = i.id {placed} and t.synced_at > s.fetched_at and ({is_filled})
            returning t.id
            ",
            table = entity.table,
            staging = entity.staging_table,
            is_filled = is_filled(entity),
        );
        Some(Self { entity, sql })
    }

    /// Answers the places of the candidates whose rows were filled.
    pub(crate) async fn run(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<Vec<usize>, sqlx::Error> {
        let query = statement(&self.sql, persistent)
            .bind(v5_import::FETCHED_AT)
            .bind(candidates.iter().map(|candidate| candidate.staging_id).collect::<Vec<_>>())
            .bind(candidates.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>());
        let query = kept(self.entity).fold(query, |query, (place, _)| query.bind(cells(candidates, place)));
        places(&query.fetch_all(connection).await?, candidates)
    }
}

/// The columns that people keep by hand, each with its place.
fn kept(entity: &Entity) -> impl Iterator<Item = (usize, &Column)> {
    entity.columns.iter().enumerate().filter(|(_, column)| column.protected)
}

/// Whether a row `t` leaves something empty that `i` gives; `false` where nothing is kept by hand.
fn is_filled(entity: &Entity) -> String {
    let conditions: Vec<String> = kept(entity)
        .map(|(_, column)| {
            let (old, new) = (format!("t.{}", column.name), given(column));
            format!("{} and not {}", is_empty(column, &old), is_empty(column, &new))
        })
        .collect();
    if conditions.is_empty() { "false".to_owned() } else { conditions.join(" or ") }
}

/// What `i` gives for a column, in its type.
fn given(column: &Column) -> String {
    format!("i.c_{}::{}", column.name, column.kind.sql_type())
}

fn is_empty(column: &Column, value: &str) -> String {
    match column.kind {
        Kind::TextArray => format!("({value} = '{{}}')"),
        _ => format!("({value} is null)"),
    }
}

/// Joins the rows `t` of ids, through the places of a partitioned table, and the same so that ids without one stay.
fn joined(entity: &Entity, ids: &str) -> (String, String) {
    let table = entity.table;
    entity.partitioned_by.map_or_else(
        || (format!("join {table} t on t.id = {ids}.id"), format!("left join {table} t on t.id = {ids}.id")),
        |by| {
            let keys = format!("join {table}_keys k on k.id = {ids}.id");
            let rows = format!("join {table} t on t.id = k.id and t.{by} = k.{by}");
            (format!("{keys} {rows}"), format!("left {keys} left {rows}"))
        },
    )
}
