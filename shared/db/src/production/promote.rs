//! Writes rows into a production table: many at once, only where something changed, never over
//! anything newer.

use std::collections::HashMap;

use model::entity::Entity;
use model::matching::Asked;
use model::row::{Column, Kind, Row as EntityRow};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use crate::error::{is_data_error, reason};
use crate::pool::Tx;
use crate::production::child_tables::Parts;
use crate::v5::Fill;

/// A staged record that has become a row.
#[derive(Debug)]
pub struct Candidate {
    /// The staging row, which keeps the raw record and when it was fetched.
    pub staging_id: Uuid,
    /// The row.
    pub row: EntityRow,
    /// References that name someone without a usable id.
    pub asked: Vec<Asked>,
    /// Whether it was taken over from an older system.
    pub is_heritage: bool,
}

/// What became of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The table holds it now.
    Promoted,
    /// The table held it already, or something newer.
    Unchanged,
    /// The database refuses this very row; the others went through.
    Failed(String),
}

/// A batch with a row in it that the database refuses is parted into so many: two would do the work of the sound
/// rows twice over, eight do about half of it once more.
pub(crate) const PARTS: usize = 8;

/// Promotes candidates of distinct ids; answers a verdict for each, in their order. Parts the batch around a row
/// that the database refuses until that row stands alone.
///
/// # Errors
/// The database is in trouble; no row is at fault.
pub async fn promote(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &[Candidate],
) -> Result<Vec<Verdict>, sqlx::Error> {
    in_parts(tx, &Work::Upsert(Statements::new(entity)), candidates).await
}

/// What is done to the rows of candidates.
pub(crate) enum Work<'e> {
    /// They are inserted or updated.
    Upsert(Statements<'e>),
    /// What they leave empty is filled.
    Fill(Fill<'e>),
}

impl Work<'_> {
    /// Answers the places of the candidates whose rows changed.
    async fn run(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<Vec<usize>, sqlx::Error> {
        match self {
            Self::Upsert(statements) => statements.run(connection, persistent, candidates).await,
            Self::Fill(fill) => fill.run(connection, persistent, candidates).await,
        }
    }
}

/// Does the work for all candidates at once; parts them around one that the database refuses until it stands alone.
pub(crate) async fn in_parts(
    tx: &mut Tx,
    work: &Work<'_>,
    candidates: &[Candidate],
) -> Result<Vec<Verdict>, sqlx::Error> {
    let persistent = tx.is_persistent();
    let mut verdicts = vec![Verdict::Unchanged; candidates.len()];
    // A range of candidates yet to promote, as first and one past the last.
    let mut open = vec![(0, candidates.len())];
    while let Some((first, end)) = open.pop() {
        if first == end {
            continue;
        }
        let mut savepoint = tx.connection().begin().await?;
        match work.run(&mut savepoint, persistent, &candidates[first..end]).await {
            Ok(changed) => {
                savepoint.commit().await?;
                for place in changed {
                    if let Some(verdict) = verdicts.get_mut(first + place) {
                        *verdict = Verdict::Promoted;
                    }
                }
            }
            Err(error) if is_data_error(&error) => {
                savepoint.rollback().await?;
                if end - first == 1 {
                    verdicts[first] = Verdict::Failed(reason(&error));
                } else {
                    let part = (end - first).div_ceil(PARTS);
                    let starts = (first..end).step_by(part).rev();
                    open.extend(starts.map(|start| (start, end.min(start + part))));
                }
            }
            Err(error) => {
                savepoint.rollback().await?;
                return Err(error);
            }
        }
    }
    Ok(verdicts)
}

/// The statements of one entity.
pub(crate) struct Statements<'e> {
    entity: &'e Entity,
    upsert: String,
    /// For a partitioned table.
    places: Option<Places>,
    /// For the lists inside the records.
    parts: Option<Parts>,
}

/// How each id of a partitioned table is kept in one place.
struct Places {
    /// Where the partitioning column stands among the columns.
    column: usize,
    /// Notes the place of ids that have none.
    note: String,
    /// Moves rows whose place has changed.
    shift: String,
}

impl<'e> Statements<'e> {
    fn new(entity: &'e Entity) -> Self {
        let places = entity.partitioned_by.and_then(|by| {
            let column = entity.columns.iter().position(|column| column.name == by)?;
            let kind = entity.columns.get(column)?.kind.sql_type();
            Some(Places { column, note: note_sql(entity, by, kind), shift: shift_sql(entity, by, kind) })
        });
        Self { entity, upsert: upsert_sql(entity), places, parts: Parts::new(entity) }
    }

    /// Answers the places of the candidates whose rows changed.
    async fn run(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<Vec<usize>, sqlx::Error> {
        if let Some(places) = &self.places {
            places.keep(connection, persistent, candidates).await?;
        }
        let query = statement(&self.upsert, persistent)
            .bind(candidates.iter().map(|candidate| candidate.staging_id).collect::<Vec<_>>())
            .bind(candidates.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>());
        let query =
            (0..self.entity.columns.len()).fold(query, |query, column| query.bind(cells(candidates, column)));
        let changed = places(&query.fetch_all(&mut *connection).await?, candidates)?;
        if let Some(parts) = &self.parts {
            parts.write(connection, persistent, candidates).await?;
        }
        Ok(changed)
    }
}

/// The places of the candidates whose ids these rows hold.
pub(crate) fn places(rows: &[PgRow], candidates: &[Candidate]) -> Result<Vec<usize>, sqlx::Error> {
    let by_id: HashMap<&str, usize> =
        candidates.iter().enumerate().map(|(place, candidate)| (candidate.row.id.as_str(), place)).collect();
    rows.iter().map(|row| Ok(by_id.get(row.try_get::<&str, _>(0)?).copied().unwrap_or(usize::MAX))).collect()
}

impl Places {
    async fn keep(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<(), sqlx::Error> {
        let ids: Vec<&str> = candidates.iter().map(|candidate| candidate.row.id.as_str()).collect();
        let noted = statement(&self.note, persistent)
            .bind(&ids)
            .bind(cells(candidates, self.column))
            .execute(&mut *connection)
            .await?;
        // All of them are new: none can lie elsewhere.
        if noted.rows_affected() == candidates.len() as u64 {
            return Ok(());
        }
        statement(&self.shift, persistent)
            .bind(&ids)
            .bind(cells(candidates, self.column))
            .bind(candidates.iter().map(|candidate| candidate.staging_id).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        Ok(())
    }
}

pub(crate) fn statement<'q>(sql: &str, persistent: bool) -> Query<'q, Postgres, PgArguments> {
    sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(persistent)
}

pub(crate) fn cells(candidates: &[Candidate], column: usize) -> Vec<Option<&str>> {
    candidates.iter().map(|candidate| candidate.row.cells.get(column).and_then(Option::as_deref)).collect()
}

/// A row of the table is replaced by nothing older than itself.
const NOT_OLDER: &str = "(t.synced_at is null or (t.synced_at, t.source_key) <= (i.synced_at, i.source_key))";

fn note_sql(entity: &Entity, by: &str, kind: &str) -> String {
    format!(
        r"
        insert into {}_keys (id, {by})
        select id, at::{kind} from unnest($1::text[], $2::text[]) as u(id, at)
        order by id
        on conflict (id) do nothing
        ",
        entity.table
    )
}

/// Moves rows whose partitioning column changed, before the upsert looks for them in the new place.
fn shift_sql(entity: &Entity, by: &str, kind: &str) -> String {
    let table = entity.table;
    format!(
        r"
        with i as (
            select u.id, u.at::{kind} as new_place, k.{by} as old_place, s.fetched_at as synced_at, s.source_key
            from unnest($1::text[], $2::text[], $3::uuid[]) as u(id, at, staging_id)
            join {table}_keys k on k.id = u.id
            join {} s on s.id = u.staging_id
            where k.{by} <> u.at::{kind}
        ),
        moved as (
            update {table} t set {by} = i.new_place
            from i
            where t.id = i.id and t.{by} = i.old_place and {NOT_OLDER}
            returning t.id, t.{by}
        )
        update {table}_keys k set {by} = moved.{by} from moved where k.id = moved.id
        ",
        entity.staging_table
    )
}

/// Inserts what is new, updates what differs, leaves the rest untouched; answers the ids of the rows
/// that changed. Takes `$1` staging ids, `$2` ids, then one list of texts per column; the raw record,
/// and when and where it was fetched, come from staging, so that they never leave the database.
fn upsert_sql(entity: &Entity) -> String {
    let table = entity.table;
    let each =
        |form: &dyn Fn(&Column) -> String| entity.columns.iter().map(form).collect::<Vec<_>>().join(", ");
    let names = each(&|column| column.name.to_owned());
    let merged = |column: &Column| merged(column, &format!("excluded.{}", column.name));
    let sets = each(&|column| format!("{} = {}", column.name, merged(column)));
    let old = each(&|column| format!("t.{}", column.name));
    let new = each(&merged);
    let aliases = each(&|column| format!("c_{}", column.name));
    let values = each(&|column| format!("i.c_{}::{}", column.name, column.kind.sql_type()));
    let parameters: String =
        (0..entity.columns.len()).map(|place| format!(", ${}::text[]", place + 3)).collect();
    let (placed, target) = entity.partitioned_by.map_or_else(
        || (String::new(), "id".to_owned()),
        // An id that stayed elsewhere did so because what lies there is newer.
        |by| {
            (
                format!("join {table}_keys k on k.id = i.id and k.{by} = i.c_{by}::timestamptz"),
                format!("id, {by}"),
            )
        },
    );
    let not_older = NOT_OLDER.replace("i.", "excluded.");
    format!(
        r"
        insert into {table} as t (id, {names}, raw_data, synced_at, source_key, updated_at)
        -- Not the transaction's moment: whoever reads rows in the order of their changes must miss none.
        select i.id, {values}, s.raw_data, s.fetched_at, s.source_key, clock_timestamp()
        from unnest($1::uuid[], $2::text[]{parameters}) as i(staging_id, id, {aliases})
        join {staging} s on s.id = i.staging_id
        {placed}
        order by i.id
        on conflict ({target}) do update set
            {sets},
            raw_data = excluded.raw_data,
            synced_at = excluded.synced_at,
            source_key = excluded.source_key,
            is_placeholder = false,
            deleted_at = null,
            version = t.version + 1,
            updated_at = clock_timestamp()
        where {not_older} and (
            t.is_placeholder
            or t.deleted_at is not null
            or row({old}) is distinct from row({new})
            or t.raw_data is distinct from excluded.raw_data
        )
        returning t.id
        ",
        staging = entity.staging_table
    )
}

/// What a column becomes: the new value, or the old one where it is kept by hand and the new is empty.
pub(crate) fn merged(column: &Column, new: &str) -> String {
    let name = column.name;
    if !column.protected {
        return new.to_owned();
    }
    match column.kind {
        Kind::TextArray => format!("case when {new} = '{{}}' then t.{name} else {new} end"),
        _ => format!("coalesce({new}, t.{name})"),
    }
}
