//! Writes rows into a production table: many at once, only where something changed, never over
//! anything newer.

use shared::entity::Entity;
use shared::row::{Column, Kind, Row as EntityRow};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Postgres, Row};
use uuid::Uuid;

use crate::connect::Tx;
use crate::fault::{is_data_error, reason};

/// A staged record that has become a row.
#[derive(Debug)]
pub struct Candidate {
    /// The staging row, which keeps the raw record and when it was fetched.
    pub staging_id: Uuid,
    /// The row.
    pub row: EntityRow,
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

/// Promotes candidates of distinct ids; answers a verdict for each, in their order. Halves the batch
/// around a row that the database refuses until that row stands alone.
///
/// # Errors
/// The database is in trouble; no row is at fault.
pub async fn promote(tx: &mut Tx, entity: &Entity, candidates: &[Candidate]) -> Result<Vec<Verdict>, sqlx::Error> {
    let statements = Statements::new(entity);
    let persistent = tx.is_persistent();
    let mut verdicts = vec![Verdict::Unchanged; candidates.len()];
    // A range of candidates yet to promote, as first and one past the last.
    let mut open = vec![(0, candidates.len())];
    while let Some((first, end)) = open.pop() {
        if first == end {
            continue;
        }
        let mut savepoint = tx.connection().begin().await?;
        match statements.run(&mut savepoint, persistent, &candidates[first..end]).await {
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
                    let middle = first + (end - first) / 2;
                    open.extend([(middle, end), (first, middle)]);
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
struct Statements {
    /// For a partitioned table: makes each id's place known, and moves rows whose month changed.
    place: Option<[String; 2]>,
    upsert: String,
    columns: usize,
}

impl Statements {
    fn new(entity: &Entity) -> Self {
        Self {
            place: entity.partitioned_by.map(|by| [move_sql(entity, by), place_sql(entity, by)]),
            upsert: upsert_sql(entity),
            columns: entity.columns.len(),
        }
    }

    /// Answers the places of the candidates whose rows changed.
    async fn run(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<Vec<usize>, sqlx::Error> {
        for sql in self.place.iter().flatten() {
            self.bind(sql, persistent, candidates).execute(&mut *connection).await?;
        }
        let rows = self.bind(&self.upsert, persistent, candidates).fetch_all(connection).await?;
        rows.iter()
            .map(|row| {
                let place: i64 = row.try_get(0)?;
                Ok(usize::try_from(place).unwrap_or(usize::MAX))
            })
            .collect()
    }

    fn bind<'q>(
        &self,
        sql: &str,
        persistent: bool,
        candidates: &'q [Candidate],
    ) -> Query<'q, Postgres, PgArguments> {
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()))
            .persistent(persistent)
            .bind(candidates.iter().map(|candidate| candidate.staging_id).collect::<Vec<_>>())
            .bind(candidates.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>());
        (0..self.columns).fold(query, |query, column| {
            let cell = |candidate: &'q Candidate| candidate.row.cells.get(column).and_then(Option::as_deref);
            query.bind(candidates.iter().map(cell).collect::<Vec<Option<&str>>>())
        })
    }
}

/// The candidates as a relation: `$1` staging ids, `$2` ids, then one list of texts per column, with
/// what staging keeps of each: the raw record, when and where it was fetched.
fn incoming(entity: &Entity) -> String {
    let parameters: String = (0..entity.columns.len()).map(|place| format!(", ${}::text[]", place + 3)).collect();
    let names: String = entity.columns.iter().map(|column| format!(", c_{}", column.name)).collect();
    let typed: String = entity
        .columns
        .iter()
        .map(|column| format!(", u.c_{0}::{1} as {0}", column.name, column.kind.sql_type()))
        .collect();
    format!(
        r"
        incoming as materialized (
            select u.ord - 1 as ord, u.id{typed}, s.raw_data, s.fetched_at as synced_at, s.source_key
            from unnest($1::uuid[], $2::text[]{parameters}) with ordinality as u(staging_id, id{names}, ord)
            join {} s on s.id = u.staging_id
        )",
        entity.staging_table
    )
}

/// A row of the table is replaced by nothing older than itself.
const NOT_OLDER: &str = "(t.synced_at is null or (t.synced_at, t.source_key) <= (i.synced_at, i.source_key))";

/// Moves rows whose partitioning column changed, before the upsert looks for them in the new place.
fn move_sql(entity: &Entity, by: &str) -> String {
    let table = entity.table;
    format!(
        r"
        with {},
        moved as (
            update {table} t set {by} = i.{by}
            from incoming i join {table}_keys k on k.id = i.id and k.{by} <> i.{by}
            where t.id = k.id and t.{by} = k.{by} and {NOT_OLDER}
            returning t.id, t.{by}
        )
        update {table}_keys k set {by} = moved.{by} from moved where k.id = moved.id
        ",
        incoming(entity)
    )
}

fn place_sql(entity: &Entity, by: &str) -> String {
    format!(
        r"
        with {}
        insert into {}_keys (id, {by}) select id, {by} from incoming order by id on conflict (id) do nothing
        ",
        incoming(entity),
        entity.table
    )
}

/// Inserts what is new, updates what differs, leaves the rest untouched; answers the places of the
/// rows that changed.
fn upsert_sql(entity: &Entity) -> String {
    let table = entity.table;
    let each = |form: &dyn Fn(&Column) -> String| entity.columns.iter().map(form).collect::<Vec<_>>().join(", ");
    let names = each(&|column| column.name.to_owned());
    let sets = each(&|column| format!("{} = {}", column.name, merged(column)));
    let old = each(&|column| format!("t.{}", column.name));
    let new = each(&merged);
    let (placed, target) = entity.partitioned_by.map_or_else(
        || (String::new(), "id".to_owned()),
        // An id that stayed elsewhere did so because what lies there is newer.
        |by| (format!("join {table}_keys k on k.id = i.id and k.{by} = i.{by}"), format!("id, {by}")),
    );
    let not_older = NOT_OLDER.replace("i.", "excluded.");
    format!(
        r"
        with {},
        written as (
            insert into {table} as t (id, {names}, raw_data, synced_at, source_key)
            select i.id, {}, i.raw_data, i.synced_at, i.source_key from incoming i {placed} order by i.id
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
        )
        select i.ord from incoming i join written on written.id = i.id
        ",
        incoming(entity),
        each(&|column| format!("i.{}", column.name)),
    )
}

/// What a column becomes: the new value, or the old one where it is kept by hand and the new is empty.
fn merged(column: &Column) -> String {
    let name = column.name;
    if !column.protected {
        return format!("excluded.{name}");
    }
    match column.kind {
        Kind::TextArray => format!("case when excluded.{name} = '{{}}' then t.{name} else excluded.{name} end"),
        _ => format!("coalesce(excluded.{name}, t.{name})"),
    }
}
