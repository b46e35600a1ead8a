//! What an import would change: rows of the older system beside those of the mirror. Reads only.

use model::entity::{self, Entity};
use model::row::{Column, Row as EntityRow};
use protocol::v5_import;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::read::Heritage;
use super::{is_filled, joined};
use crate::error::{is_data_error, reason};
use crate::production::promote::merged;

/// A record of the older system that could become a row.
#[derive(Debug)]
pub struct Compared {
    /// The row.
    pub row: EntityRow,
    /// The whole record, as JSON.
    pub json: String,
}

/// How a record stands to the mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// The mirror has no row of that id, or one that was made up.
    New,
    /// It was imported before, and has changed since.
    Renewed,
    /// The mirror says the same, as far as the older system speaks.
    Same,
    /// The mirror says something else, and knows better.
    Differs,
}

/// What an import would do with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// How it stands to the mirror, and whether the mirror's row would get hand-kept values from it.
    Row(Difference, bool),
    /// The database refuses it.
    Refused(String),
}

impl Heritage {
    /// Compares records of distinct ids with the mirror; answers in their order.
    ///
    /// # Errors
    /// The database is in trouble; no record is at fault.
    pub async fn compare(
        &mut self,
        entity: &Entity,
        records: &[Compared],
    ) -> Result<Vec<Comparison>, sqlx::Error> {
        let sql = compare_sql(entity);
        let mut compared = Vec::with_capacity(records.len());
        let mut open = vec![records];
        while let Some(part) = open.pop() {
            if part.is_empty() {
                continue;
            }
            let query = self.tx.query(AssertSqlSafe(sql.clone()));
            let mut savepoint = self.tx.connection().begin().await?;
            let query = query
                .bind(v5_import::FETCHED_AT)
                .bind(part.iter().map(|record| record.row.id.as_str()).collect::<Vec<_>>())
                .bind(part.iter().map(|record| record.json.as_str()).collect::<Vec<_>>());
            let query = (0..entity.columns.len()).fold(query, |query, column| {
                let cell = |record: &Compared| record.row.cells.get(column).cloned().flatten();
                query.bind(part.iter().map(cell).collect::<Vec<_>>())
            });
            match query.fetch_all(&mut *savepoint).await {
                Ok(rows) => {
                    savepoint.commit().await?;
                    for row in &rows {
                        compared.push(comparison(row.try_get(0)?, row.try_get(1)?));
                    }
                }
                Err(error) if is_data_error(&error) && part.len() == 1 => {
                    savepoint.rollback().await?;
                    compared.push(Comparison::Refused(reason(&error)));
                }
                Err(error) if is_data_error(&error) => {
                    savepoint.rollback().await?;
                    open.extend(part.chunks(part.len().div_ceil(crate::production::promote::PARTS)).rev());
                }
                Err(error) => {
                    savepoint.rollback().await?;
                    return Err(error);
                }
            }
        }
        Ok(compared)
    }

    /// Those of the ids that neither the mirror, nor an alias, nor the older system's table knows: an import makes up
    /// a row for each.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn unknown(
        &mut self,
        target: &'static str,
        ids: &[String],
    ) -> Result<Vec<String>, sqlx::Error> {
        let Some(entity) = entity::find(target) else { return Ok(Vec::new()) };
        let in_older = self.knows(entity, "u.id");
        let sql = format!(
            r"
            select u.id from unnest($1::text[]) as u(id)
            where not exists (select from {} t where t.id = u.id)
                and not exists (select from aliases a where a.entity = $2 and a.alias = u.id)
                and not {in_older}
            ",
            entity.table
        );
        let query = self.tx.query(AssertSqlSafe(sql));
        let rows = query.bind(ids).bind(entity.name).fetch_all(self.tx.connection()).await?;
        rows.iter().map(|row| row.try_get(0)).collect()
    }
}

fn comparison(word: &str, is_filled: bool) -> Comparison {
    let difference = match word {
        "new" => Difference::New,
        "renewed" => Difference::Renewed,
        "same" => Difference::Same,
        _ => Difference::Differs,
    };
    Comparison::Row(difference, is_filled)
}

/// Takes `$1` when heritage counts as fetched, `$2` ids, `$3` records, then one list of texts per column.
fn compare_sql(entity: &Entity) -> String {
    let each = |form: &dyn Fn(&Column) -> String| entity.columns.iter().map(form).collect::<Vec<_>>();
    let given = |column: &Column| format!("i.c_{}::{}", column.name, column.kind.sql_type());
    let old = each(&|column| format!("t.{}", column.name)).join(", ");
    let new = each(&|column| merged(column, &given(column))).join(", ");
    let parameters = (0..entity.columns.len()).map(|place| format!(", ${}::text[]", place + 4));
    let aliases = each(&|column| format!(", c_{}", column.name)).concat();
    let says_else: Vec<String> = entity
        .columns
        .iter()
        .filter(|column| !column.path.is_empty())
        .map(|column| {
            let (name, given) = (column.name, given(column));
            format!("(i.c_{name} is not null and i.c_{name} <> '{{}}' and t.{name} is distinct from {given})")
        })
        .collect();
    let (_, rows) = joined(entity, "i");
    format!(
        r"
        select
            case
                when t.id is null or t.is_placeholder then 'new'
                when t.synced_at is null or t.synced_at <= $1 then
                    case when row({old}) is distinct from row({new}) or t.raw_data is distinct from i.raw::jsonb
                        then 'renewed' else 'same' end
                when {says_else} then 'differs'
                else 'same'
            end,
            coalesce(t.synced_at > $1 and not t.is_placeholder and ({is_filled}), false),
            -- Staging would be refused what is no `jsonb`: found out here, whatever the row is compared with.
            i.raw::jsonb is null
        from unnest($2::text[], $3::text[]{parameters}) with ordinality as i(id, raw{aliases}, place)
        {rows}
        order by i.place
        ",
        parameters = parameters.collect::<String>(),
        says_else = says_else.join(" or "),
        is_filled = is_filled(entity),
    )
}
