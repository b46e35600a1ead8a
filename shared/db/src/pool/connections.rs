//! Pool of connections, and the beginning of every transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgPoolOptions, PgRow};
use sqlx::query::QueryScalar;
use sqlx::{AssertSqlSafe, Connection as _, FromRow, PgPool, Postgres, SqlSafeStr};

use crate::error::{During as _, Error, sqlstate};
use crate::pool::address::Address;
use crate::pool::config::DatabaseConfig;
use crate::pool::tx::Tx;

/// Connections of a pool. A Lambda handles one event at a time: one connection works, the other creates partitions.
const CONNECTIONS_MAX: u32 = 2;

/// Wait for a connection at most. Below the shortest function timeout, so that a database that is out of reach is
/// reported before the Lambda is killed.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(8);

/// Idle time after which a connection is pinged before it is used: it may be dead, as after a Lambda was frozen.
const IDLE_TRUSTED: Duration = Duration::from_secs(2);

/// Planner settings of every transaction. Every join here is a batch against an index; while the planner has few
/// statistics of a table it would rather hash the whole table, once for each batch.
const BATCH_PLANS: &str =
    "set local enable_hashjoin to off; set local enable_mergejoin to off; set local jit to off";

/// Server-side timeouts, which release the transaction and the locks of a killed Lambda.
const TIMEOUTS: &str =
    "set local statement_timeout to '50s'; set local idle_in_transaction_session_timeout to '60s'";

/// Pool of connections. Connects when first used.
#[derive(Debug, Clone)]
pub struct Db {
    pool: PgPool,
    /// Statement that begins every transaction.
    begin: String,
    schema: String,
    /// True if a session keeps its settings and its prepared statements from one transaction to the next.
    keeps_session: bool,
    /// Source of a new address when the present one does not serve.
    address: Option<Arc<Address>>,
    /// Digest of the address in use.
    address_in_use: Arc<AtomicU64>,
}

impl Db {
    /// Creates a pool that connects when first used.
    #[must_use]
    pub fn new(config: &DatabaseConfig) -> Self {
        let search_path = format!("set search_path to \"{}\"", config.schema);
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS_MAX)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // For statements outside a transaction; through a transaction pooler there are none.
            .after_connect(move |connection, _| {
                let search_path = AssertSqlSafe(search_path.clone());
                Box::pin(async move { sqlx::raw_sql(search_path).execute(connection).await.map(|_| ()) })
            })
            .test_before_acquire(false)
            .before_acquire(|connection, idle| {
                Box::pin(async move { Ok(idle.idle_for < IDLE_TRUSTED || connection.ping().await.is_ok()) })
            })
            // A `begin` that was cancelled leaves its transaction open, and the commit of the next one on this
            // connection would be undone with it.
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
            begin: format!(
                "begin; set local search_path to \"{}\"; {BATCH_PLANS}; {TIMEOUTS}",
                config.schema
            ),
            // A statement prepared on one server connection is unknown on the next.
            keeps_session: config.mode.keeps_session(),
            address: None,
            address_in_use: Arc::new(AtomicU64::new(config.digest)),
        }
    }

    /// Sets where the address is read anew when it does not serve.
    pub(super) fn with_address(mut self, address: Arc<Address>) -> Self {
        self.address = Some(address);
        self
    }

    /// Adopts the address of the secret if it differs from the one that did not serve, as after a new password or a
    /// move to another server. Returns whether it did.
    async fn renew_address(&self, failed: u64) -> bool {
        let Some(address) = &self.address else { return false };
        // Boxed, because the future of every statement holds this one.
        let Ok(config) = Box::pin(address.read()).await else { return false };
        if config.digest == failed {
            return false;
        }
        self.pool.set_connect_options(config.options);
        self.address_in_use.store(config.digest, Ordering::Relaxed);
        true
    }

    /// Retries an attempt that changes nothing while connections of the pool turn out to be dead, and once more after
    /// the secret named another address.
    async fn retry_stale_connection<T>(
        &self,
        attempt: impl AsyncFn() -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let (mut broken, mut is_renewed) = (0, false);
        loop {
            let address = self.address_in_use.load(Ordering::Relaxed);
            match attempt().await {
                // All connections that the pool holds may have ended together.
                Err(error) if broken < CONNECTIONS_MAX && is_broken(&error) => broken += 1,
                Err(_) if !is_renewed && self.renew_address(address).await => is_renewed = true,
                done => return done,
            }
        }
    }

    /// Runs a statement that changes nothing and returns the single column of its single row. Takes one round trip
    /// where the session keeps its search path.
    ///
    /// # Errors
    /// No connection could be had, or the database refused.
    pub(crate) async fn fetch_one_readonly<S>(
        &self,
        operation: &'static str,
        sql: impl SqlSafeStr,
        bind: impl Fn(
            QueryScalar<'static, Postgres, S, PgArguments>,
        ) -> QueryScalar<'static, Postgres, S, PgArguments>,
    ) -> Result<S, Error>
    where
        (S,): for<'r> FromRow<'r, PgRow>,
        S: Send + Unpin,
    {
        let sql = sql.into_sql_str();
        let query = || bind(sqlx::query_scalar(sql.clone()).persistent(self.keeps_session));
        if self.keeps_session {
            return self
                .retry_stale_connection(async || query().fetch_one(&self.pool).await)
                .await
                .during(operation);
        }
        let mut tx = self.begin().await?;
        let value = query().fetch_one(tx.connection()).await.during(operation)?;
        tx.rollback().await?;
        Ok(value)
    }

    /// Begins a transaction in the configured schema, in one round trip.
    ///
    /// # Errors
    /// No connection could be had.
    pub async fn begin(&self) -> Result<Tx, Error> {
        let begin = async || self.pool.begin_with(AssertSqlSafe(self.begin.clone())).await;
        let inner = self.retry_stale_connection(begin).await.during("begin a transaction")?;
        Ok(Tx::new(inner, self.keeps_session))
    }

    /// Returns the configured schema.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Returns whether the connection ended and not only the statement: the server restarted, a pooler let go, or the
/// network forgot the connection.
fn is_broken(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_))
        || sqlstate(error)
            .is_some_and(|code| code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P05"))
}
