//! A look at the older system's tables: one snapshot, read only.

use std::collections::BTreeMap;

use model::entity::Entity;
use sqlx::{AssertSqlSafe, Row};

use super::sql::{Columns, KEY, OldNested, OldTable, Statements};
use crate::pool::{Db, Tx, is_plain_schema};

/// Rows that are fetched at once.
const ROWS_AT_ONCE: u32 = 500;

/// Where a whole table is sorted and pages go to a bucket in between, a statement and a pause may be long. Of rows that
/// row-level security hides we want to hear; a timestamp is told in UTC; whole tables are joined here.
const READ_ONLY: &str = "set transaction isolation level repeatable read, read only;
    set local statement_timeout to '10min'; set local idle_in_transaction_session_timeout to '10min';
    set local row_security to off; set local timezone to 'UTC'; set local datestyle to 'ISO';
    set local extra_float_digits to 1; set local enable_hashjoin to on; set local enable_mergejoin to on";

/// The older system's tables, as they were when the look began.
#[derive(Debug)]
pub struct Heritage {
    pub(super) tx: Tx,
    statements: Statements,
}

/// A row of the older system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldRow {
    /// The id at the source, if it has one.
    pub id: Option<String>,
    /// The whole row, as JSON.
    pub json: String,
    /// A JSON object: columns of the entity that refer to others, with ids of the source.
    pub references: Option<String>,
    /// A JSON list of the rows that belong into it.
    pub nested: Option<String>,
    /// Whether it says the same as another under an id of the source's own.
    pub is_double: bool,
}

/// Why the older system cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HeritageError {
    /// The schema's name is no plain identifier.
    #[error("the schema's name is not accepted; accepted: a lowercase identifier such as public")]
    Schema,
    /// The schema is the mirror's own.
    #[error("the schema {0} is the mirror's own")]
    OwnSchema(String),
    /// None of the tables is there.
    #[error("the schema {0} holds none of the older system's tables")]
    NoTable(String),
    /// A table has no key.
    #[error("{table} has no column {KEY}")]
    NoKey {
        /// The table.
        table: &'static str,
    },
    /// The database refused or was out of reach.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl Heritage {
    /// Looks at the tables in that schema.
    ///
    /// # Errors
    /// The schema cannot be the older system's, or the database refused or was out of reach.
    pub async fn open(db: &Db, schema: &str, tables: &[&OldTable]) -> Result<Self, HeritageError> {
        if !is_plain_schema(schema) {
            return Err(HeritageError::Schema);
        }
        if schema == db.schema() {
            return Err(HeritageError::OwnSchema(schema.to_owned()));
        }
        let mut tx = db.begin().await?;
        sqlx::raw_sql(READ_ONLY).execute(tx.connection()).await?;
        let nested = tables.iter().filter_map(|table| table.nested.map(|nested| nested.name));
        let names: Vec<&str> = tables.iter().map(|table| table.name).chain(nested).collect();
        let columns = columns(&mut tx, schema, &names).await?;
        if columns.is_empty() {
            return Err(HeritageError::NoTable(schema.to_owned()));
        }
        let mut statements = Statements { schema: schema.to_owned(), columns, targets: BTreeMap::new() };
        for table in tables.iter().filter(|table| statements.columns.contains_key(table.name)) {
            if !statements.has(table.name, KEY) {
                return Err(HeritageError::NoKey { table: table.name });
            }
            statements.targets.insert(table.entity.name, table.name);
        }
        Ok(Self { tx, statements })
    }

    /// Whether the older system has that table.
    #[must_use]
    pub fn has_table(&self, table: &str) -> bool {
        self.statements.columns.contains_key(table)
    }

    /// Whether it has that column.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.statements.has(table, column)
    }

    /// Whether doubles can be told in that table: for that an entry must have a day.
    #[must_use]
    pub fn seeks_doubles(&self, table: &OldTable) -> bool {
        self.statements.seeks_doubles(table)
    }

    /// Begins to read a table, in the order of ids.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn begin(&mut self, table: &OldTable) -> Result<(), sqlx::Error> {
        let sql = self.statements.rows(table);
        self.declare(&sql).await
    }

    /// Begins to read the rows that belong into a table's, and whose owner it does not hold.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn begin_orphans(&mut self, table: &OldTable, nested: &OldNested) -> Result<(), sqlx::Error> {
        let sql = self.statements.orphans(table, nested);
        self.declare(&sql).await
    }

    async fn declare(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        let declare = format!("close all; declare older no scroll cursor for {sql}");
        sqlx::raw_sql(AssertSqlSafe(declare)).execute(self.tx.connection()).await?;
        Ok(())
    }

    /// The next rows; none at the end.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn next(&mut self) -> Result<Vec<OldRow>, sqlx::Error> {
        let fetch = format!("fetch {ROWS_AT_ONCE} from older");
        // Each cursor is another: nothing of it may stay prepared.
        let query = sqlx::query(AssertSqlSafe(fetch)).persistent(false);
        let rows = query.fetch_all(self.tx.connection()).await?;
        rows.iter()
            .map(|row| {
                Ok(OldRow {
                    id: row.try_get("id")?,
                    json: row.try_get("json")?,
                    references: row.try_get("reference_ids")?,
                    nested: row.try_get("nested")?,
                    is_double: row.try_get("is_double")?,
                })
            })
            .collect()
    }

    /// Ends the look.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn close(self) -> Result<(), sqlx::Error> {
        self.tx.rollback().await
    }

    /// Whether the older system's table of that entity holds the id that this expression names.
    pub(super) fn knows(&self, entity: &Entity, id: &str) -> String {
        self.statements.targets.get(entity.name).map_or_else(
            || "false".to_owned(),
            |table| {
                let table = self.statements.table(table);
                format!("exists (select from {table} older where older.\"{KEY}\"::text = {id})")
            },
        )
    }
}

async fn columns(tx: &mut Tx, schema: &str, tables: &[&str]) -> Result<Columns, sqlx::Error> {
    let rows = tx
        .query(
            r"
            select c.relname, a.attname, format_type(a.atttypid, null)
            from pg_class c
            join pg_namespace n on n.oid = c.relnamespace
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where n.nspname = $1 and c.relname = any($2) and c.relkind in ('r', 'p', 'v', 'm', 'f')
            ",
        )
        .bind(schema)
        .bind(tables)
        .fetch_all(tx.connection())
        .await?;
    let mut columns = Columns::new();
    for row in &rows {
        let (table, column, kind): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        columns.entry(table).or_default().insert(column, kind);
    }
    Ok(columns)
}
