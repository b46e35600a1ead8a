//! Reader of the tables of V5: one snapshot, read only, row by row through a cursor.

use std::collections::BTreeMap;

use model::entity::Entity;
use sqlx::AssertSqlSafe;

use super::read_statements::{Columns, ReadStatements};
use super::table::{KEY, V5NestedList, V5Table};
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx, is_plain_schema};

/// Rows fetched from the cursor by one statement.
const ROWS_AT_ONCE: u32 = 500;

/// Static statements of this file that can be prepared, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("v5_columns", V5_COLUMNS)];

/// Settings of the transaction. The time limits are long, because a whole table is sorted and pages are written to the
/// bucket between two statements. Rows that row security hides must raise an error; timestamps are written in UTC; whole
/// tables are joined.
const READ_ONLY: &str = "set transaction isolation level repeatable read, read only;
    set local statement_timeout to '10min'; set local idle_in_transaction_session_timeout to '10min';
    set local row_security to off; set local timezone to 'UTC'; set local datestyle to 'ISO';
    set local extra_float_digits to 1; set local enable_hashjoin to on; set local enable_mergejoin to on";

/// Selects the columns of the tables `$2` in the schema `$1`, with their types.
const V5_COLUMNS: &str = r"
    select c.relname as table_name, a.attname as column_name, format_type(a.atttypid, null) as sql_type
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    where n.nspname = $1 and c.relname = any($2) and c.relkind in ('r', 'p', 'v', 'm', 'f')
    ";

/// Tables of V5, as they were when the reader was opened.
#[derive(Debug)]
pub struct V5Reader {
    pub(super) tx: Tx,
    statements: ReadStatements,
}

/// Row of a table of V5.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct V5Row {
    /// Id at the source, if it has one.
    pub id: Option<String>,
    /// Complete row, as JSON.
    pub json: String,
    /// JSON object from columns of the entity that are references to ids of the source.
    #[sqlx(rename = "reference_ids")]
    pub references: Option<String>,
    /// JSON list of the rows that belong to it.
    pub nested: Option<String>,
    /// Set for a row under a foreign id that says the same as one under an id of the source.
    pub is_duplicate: bool,
}

/// Reasons why V5 cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum V5Error {
    /// The name of the schema is no plain identifier.
    #[error("invalid schema name; expected a lowercase identifier such as public")]
    InvalidSchema,
    /// The schema is the mirror's own.
    #[error("schema {0} is the mirror's own; expected the schema of V5")]
    OwnSchema(String),
    /// The schema holds none of the tables.
    #[error("schema {0} holds no table of V5")]
    NoTable(String),
    /// A table lacks the column that holds the ids of the source.
    #[error("table {table} has no column {KEY}")]
    NoKey {
        /// Name of the table.
        table: &'static str,
    },
    /// The database refused or was out of reach.
    #[error(transparent)]
    Database(#[from] Error),
}

impl V5Reader {
    /// Opens a snapshot of the tables in that schema.
    ///
    /// # Errors
    /// The schema cannot be that of V5, or the database refused or was out of reach.
    pub async fn open(db: &Db, schema: &str, tables: &[&V5Table]) -> Result<Self, V5Error> {
        if !is_plain_schema(schema) {
            return Err(V5Error::InvalidSchema);
        }
        if schema == db.schema() {
            return Err(V5Error::OwnSchema(schema.to_owned()));
        }
        let mut tx = db.begin().await?;
        sqlx::raw_sql(READ_ONLY).execute(tx.connection()).await.during("begin a snapshot of V5")?;
        let nested = tables.iter().filter_map(|table| table.nested.map(|nested| nested.name));
        let names: Vec<&str> = tables.iter().map(|table| table.name).chain(nested).collect();
        let columns = columns(&mut tx, schema, &names).await?;
        if columns.is_empty() {
            return Err(V5Error::NoTable(schema.to_owned()));
        }
        let mut statements = ReadStatements { schema: schema.to_owned(), columns, targets: BTreeMap::new() };
        for table in tables.iter().filter(|table| statements.columns.contains_key(table.name)) {
            if !statements.has_column(table.name, KEY) {
                return Err(V5Error::NoKey { table: table.name });
            }
            statements.targets.insert(table.entity.name, table.name);
        }
        Ok(Self { tx, statements })
    }

    /// Returns true where V5 has that table.
    #[must_use]
    pub fn has_table(&self, table: &str) -> bool {
        self.statements.columns.contains_key(table)
    }

    /// Returns true where V5 has that column.
    #[must_use]
    pub fn has_column(&self, table: &str, column: &str) -> bool {
        self.statements.has_column(table, column)
    }

    /// Returns true where duplicates can be detected in that table, or where its entity has none. To detect them, the
    /// table must have a column that dates its rows.
    #[must_use]
    pub fn can_detect_duplicates(&self, table: &V5Table) -> bool {
        self.statements.can_detect_duplicates(table)
    }

    /// Opens a table, whose rows [`V5Reader::next_rows`] then returns in the order of their ids.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn open_table(&mut self, table: &V5Table) -> Result<(), Error> {
        let sql = self.statements.rows(table);
        self.declare_cursor(&sql).await
    }

    /// Opens the rows of a nested table whose owner the table lacks.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn open_orphans(&mut self, table: &V5Table, nested: &V5NestedList) -> Result<(), Error> {
        let sql = self.statements.orphans(table, nested);
        self.declare_cursor(&sql).await
    }

    async fn declare_cursor(&mut self, sql: &str) -> Result<(), Error> {
        let declare = format!("close all; declare v5 no scroll cursor for {sql}");
        sqlx::raw_sql(AssertSqlSafe(declare))
            .execute(self.tx.connection())
            .await
            .during("open a table of V5")?;
        Ok(())
    }

    /// Returns the next rows of what was opened last; empty at the end.
    ///
    /// # Errors
    /// The database refused or was out of reach.
    pub async fn next_rows(&mut self) -> Result<Vec<V5Row>, Error> {
        // Not prepared: every cursor has other columns under the same name.
        let query = sqlx::query_as(AssertSqlSafe(format!("fetch {ROWS_AT_ONCE} from v5"))).persistent(false);
        query.fetch_all(self.tx.connection()).await.during("read rows of V5")
    }

    /// Ends the snapshot.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn close(self) -> Result<(), Error> {
        self.tx.rollback().await
    }

    /// Returns the condition that the table of V5 which holds an entity has a row of the id, given as an expression.
    pub(super) fn holds(&self, entity: &Entity, id: &str) -> String {
        self.statements.targets.get(entity.name).map_or_else(
            || "false".to_owned(),
            |table| {
                let table = self.statements.table(table);
                format!("exists (select from {table} v5 where v5.\"{KEY}\"::text = {id})")
            },
        )
    }
}

#[derive(sqlx::FromRow)]
struct ColumnRow {
    table_name: String,
    column_name: String,
    sql_type: String,
}

async fn columns(tx: &mut Tx, schema: &str, tables: &[&str]) -> Result<Columns, Error> {
    let rows: Vec<ColumnRow> = tx
        .query_as(V5_COLUMNS)
        .bind(schema)
        .bind(tables)
        .fetch_all(tx.connection())
        .await
        .during("read the columns of V5")?;
    let mut columns = Columns::new();
    for row in rows {
        columns.entry(row.table_name).or_default().insert(row.column_name, row.sql_type);
    }
    Ok(columns)
}
