//! Connections: how the pool is made and how every transaction begins.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, PgPool, Postgres, SqlSafeStr, Transaction,
};

/// A Lambda serves one event at a time: one connection works, one makes partitions beside it.
const CONNECTIONS_MAX: u32 = 2;

/// Below the shortest function timeout, so that a database out of reach is told and not timed out.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);

/// A connection that was idle for longer may be dead, as after a Lambda's sleep: it is asked before it is used.
const IDLE_TRUSTED: Duration = Duration::from_secs(2);

/// Every join here is a batch against an index. Where the planner knows little of a table yet it would
/// rather hash it whole, for each batch again.
const BATCH_PLANS: &str =
    "set local enable_hashjoin to off; set local enable_mergejoin to off; set local jit to off";

/// A function that was cut off holds its transaction and its turn until the server ends them.
const LIMITS: &str =
    "set local statement_timeout to '50s'; set local idle_in_transaction_session_timeout to '60s'";

/// Where the database is and how to speak to it.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    options: PgConnectOptions,
    schema: String,
    mode: PoolMode,
}

/// What stands between us and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolMode {
    /// A pooler that lends a server connection for a whole session.
    #[default]
    Session,
    /// A pooler that lends one per transaction: no statement may outlive it.
    Transaction,
    /// The server itself.
    Direct,
}

impl PoolMode {
    /// The words by which configuration names the modes.
    pub const WORDS: [(&'static str, Self); 3] =
        [("session", Self::Session), ("transaction", Self::Transaction), ("direct", Self::Direct)];
}

/// Why the database's configuration cannot be used. Never shows the address: it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum BadDatabaseConfig {
    /// The address cannot be read.
    #[error("the database URL is not accepted; accepted: postgres://user:password@host:port/database")]
    Url,
    /// The schema's name is no plain identifier.
    #[error(
        "the schema name is not accepted; accepted: a lowercase identifier such as gazelle, no pg_ prefix"
    )]
    Schema,
}

impl DatabaseConfig {
    /// Checks an address and a schema.
    ///
    /// # Errors
    /// Says which of the two is not accepted.
    pub fn new(url: &str, schema: &str, mode: PoolMode) -> Result<Self, BadDatabaseConfig> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(BadDatabaseConfig::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| BadDatabaseConfig::Url)?;
        if !is_plain_schema(schema) {
            return Err(BadDatabaseConfig::Schema);
        }
        let options = options.application_name("assistant-gazelle").disable_statement_logging();
        Ok(Self { options, schema: schema.to_owned(), mode })
    }

    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }
}

/// Whether that can be a schema's name: a plain identifier, none of the server's own.
pub(crate) fn is_plain_schema(schema: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let letter_first = schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    schema.len() <= 60 && letter_first && !schema.starts_with("pg_") && schema.bytes().all(plain)
}

/// The pool. Connects when first used.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    begin: String,
    schema: String,
    persistent: bool,
    /// Whether a session keeps what is set on it.
    is_session: bool,
}

impl Db {
    /// A pool that connects when first used.
    #[must_use]
    pub fn new(config: &DatabaseConfig) -> Self {
        let search_path = format!("set search_path to \"{}\"", config.schema);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // For statements without a transaction; through a transaction pooler there are none.
            .after_connect(move |connection, _| {
                let search_path = AssertSqlSafe(search_path.clone());
                Box::pin(async move { sqlx::raw_sql(search_path).execute(connection).await.map(|_| ()) })
            })
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move { Ok(idle.idle_for < IDLE_TRUSTED || connection.ping().await.is_ok()) })
            })
            // A begin that was cancelled leaves its transaction open, and the next one's commit would
            // then be undone with it.
            .after_release(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql("rollback").execute(connection).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(config.options.clone());
        Self {
            pool,
            schema: config.schema.clone(),
            begin: format!("begin; set local search_path to \"{}\"; {BATCH_PLANS}; {LIMITS}", config.schema),
            // A statement prepared on one server connection is unknown on the next.
            persistent: config.mode != PoolMode::Transaction,
            is_session: config.mode != PoolMode::Transaction,
        }
    }

    /// Asks one question of one row that changes nothing: one round trip, where the session keeps its search path.
    ///
    /// # Errors
    /// No connection could be had, or the database refused.
    pub(crate) async fn ask(
        &self,
        sql: String,
        bind: impl Fn(Query<'static, Postgres, PgArguments>) -> Query<'static, Postgres, PgArguments>,
    ) -> Result<PgRow, sqlx::Error> {
        let query = bind(sqlx::query(AssertSqlSafe(sql)).persistent(self.persistent));
        if self.is_session {
            return query.fetch_one(&self.pool).await;
        }
        let mut tx = self.begin().await?;
        let row = query.fetch_one(tx.connection()).await?;
        tx.rollback().await?;
        Ok(row)
    }

    /// Begins a transaction in the configured schema: one round trip.
    ///
    /// # Errors
    /// No connection could be had.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let inner = self.pool.begin_with(AssertSqlSafe(self.begin.clone())).await?;
        Ok(Tx { inner, persistent: self.persistent })
    }

    /// The configured schema.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A transaction in the configured schema. Commit it: what a drop would roll back is frozen with a
/// Lambda that has answered.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    persistent: bool,
}

impl Tx {
    /// Commits.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        self.inner.commit().await
    }

    /// Rolls back.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn rollback(self) -> Result<(), sqlx::Error> {
        self.inner.rollback().await
    }

    /// The connection, for a query of a caller outside this package: a test, a report.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Whether statements may stay prepared after the transaction.
    pub(crate) fn is_persistent(&self) -> bool {
        self.persistent
    }

    /// A statement with the pool mode's way of preparing.
    pub(crate) fn query<'q>(&self, sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(sql).persistent(self.persistent)
    }

    /// Keeps others of the same lane out until the transaction ends.
    pub(crate) async fn take_turn(
        &mut self,
        lane: &'static str,
        table: &'static str,
    ) -> Result<(), sqlx::Error> {
        self.query("select pg_advisory_xact_lock(hashtext($1), hashtext($2))")
            .bind(lane)
            .bind(table)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}
