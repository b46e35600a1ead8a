//! Connections: how the pool is made and how every transaction begins.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgPoolOptions, PgRow, PgSslMode};
use sqlx::query::Query;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, PgConnection, PgPool, Postgres, SqlSafeStr, Transaction,
};

use self::secret::Address;

mod secret;

pub use secret::{DatabaseSettings, SecretDb, UnreachableDb};

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

/// The root that Supabase's servers are signed by, as Supabase publishes it; valid until April 2031.
/// SHA-256 `807025ad50d4ed219d2c9c7d299c004f824eb00cf7f65afef607d07b72e6cafa`.
const SUPABASE_ROOT: &[u8] = include_bytes!("../../../../infra/certificates/supabase-root-2021.pem");

/// Where nobody can stand between us and the server, so that it may go without TLS.
const OWN_MACHINE: [&str; 4] = ["localhost", "127.0.0.1", "::1", "[::1]"];

/// Where the database is and how to speak to it.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    options: PgConnectOptions,
    schema: String,
    mode: PoolMode,
    /// Of the address and of whom it trusts: whether two say the same is seen without keeping them.
    digest: u64,
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
    /// TLS is switched off for a server that is not on this machine.
    #[error(
        "the database URL is not accepted: sslmode=disable is for this machine alone; accepted: no sslmode, which verifies the server's certificate and name"
    )]
    Plain,
    /// What should say whom to trust is no certificate.
    #[error("the database's CA certificate is not accepted; accepted: PEM, -----BEGIN CERTIFICATE-----…")]
    Certificate,
    /// The schema's name is no plain identifier.
    #[error(
        "the schema name is not accepted; accepted: a lowercase identifier such as gazelle, no pg_ prefix"
    )]
    Schema,
}

impl DatabaseConfig {
    /// Checks an address and a schema. The server's certificate and name are verified, whatever the address asks
    /// for: against `sslrootcert` where it names one, else against Supabase's root. `sslmode=disable` is for a
    /// server on this machine.
    ///
    /// # Errors
    /// Says what is not accepted.
    pub fn new(url: &str, schema: &str, mode: PoolMode) -> Result<Self, BadDatabaseConfig> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(BadDatabaseConfig::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| BadDatabaseConfig::Url)?;
        if !is_plain_schema(schema) {
            return Err(BadDatabaseConfig::Schema);
        }
        let options = verified(options, url.contains("sslrootcert="))?;
        let options = options.application_name("assistant-gazelle").disable_statement_logging();
        Ok(Self { options, schema: schema.to_owned(), mode, digest: digest(0, url) })
    }

    /// Trusts the authorities of a PEM text instead of Supabase's.
    ///
    /// # Errors
    /// There is no certificate in it.
    pub fn trusting(mut self, pem: &str) -> Result<Self, BadDatabaseConfig> {
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(BadDatabaseConfig::Certificate);
        }
        self.options = self.options.ssl_root_cert_from_pem(pem.as_bytes().to_vec());
        self.digest = digest(self.digest, pem);
        Ok(self)
    }

    /// One connection, beside any pool.
    ///
    /// # Errors
    /// The server is out of reach or refuses us.
    pub async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        self.options.connect().await
    }

    /// Whether the server's certificate and name are verified: everywhere but on this machine.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.options.get_ssl_mode(), PgSslMode::VerifyFull)
    }

    /// The schema of the mirror.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }
}

/// `require` accepts any certificate and `prefer` falls back to plain text: only full verification keeps others out.
fn verified(options: PgConnectOptions, names_root: bool) -> Result<PgConnectOptions, BadDatabaseConfig> {
    let is_ours = options.get_socket().is_some() || OWN_MACHINE.contains(&options.get_host());
    match options.get_ssl_mode() {
        PgSslMode::Disable if is_ours => Ok(options),
        PgSslMode::Disable => Err(BadDatabaseConfig::Plain),
        _ => {
            let options = options.ssl_mode(PgSslMode::VerifyFull);
            Ok(if names_root { options } else { options.ssl_root_cert_from_pem(SUPABASE_ROOT.to_vec()) })
        }
    }
}

fn digest(before: u64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (before, text).hash(&mut hasher);
    hasher.finish()
}

/// Whether the connection ended, and not the statement: the server restarted, a pooler let go, a network forgot.
fn is_broken(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(error, sqlx::Error::Io(_))
        || code.is_some_and(|code| code.starts_with("08") || matches!(&*code, "57P01" | "57P02" | "57P05"))
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
    /// Where the address is read anew once it does not serve.
    address: Option<Arc<Address>>,
    /// The digest of the address in use.
    used: Arc<AtomicU64>,
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
            address: None,
            used: Arc::new(AtomicU64::new(config.digest)),
        }
    }

    /// The same, reading its address anew when that does not serve.
    pub(crate) fn at(mut self, address: Arc<Address>) -> Self {
        self.address = Some(address);
        self
    }

    /// Whether the secret names another address than the one that did not serve: another password, another server.
    async fn is_renewed(&self, used: u64) -> bool {
        let Some(address) = &self.address else { return false };
        // In a box of its own: every statement's future holds this one.
        let Ok(config) = Box::pin(address.read()).await else { return false };
        if config.digest == used {
            return false;
        }
        self.pool.set_connect_options(config.options);
        self.used.store(config.digest, Ordering::Relaxed);
        true
    }

    /// Does what changes nothing once more where a connection turns out to be dead, and where our address is old:
    /// whatever the server, a pooler or the network say to an old one, the secret knows.
    async fn patiently<T>(
        &self,
        attempt: impl AsyncFn() -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        let (mut broken, mut is_renewed) = (0, false);
        loop {
            let used = self.used.load(Ordering::Relaxed);
            match attempt().await {
                // All that the pool holds may have ended together.
                Err(error) if broken < CONNECTIONS_MAX && is_broken(&error) => broken += 1,
                Err(_) if !is_renewed && self.is_renewed(used).await => is_renewed = true,
                done => return done,
            }
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
        let query = || bind(sqlx::query(AssertSqlSafe(sql.clone())).persistent(self.persistent));
        if self.is_session {
            return self.patiently(async || query().fetch_one(&self.pool).await).await;
        }
        let mut tx = self.begin().await?;
        let row = query().fetch_one(tx.connection()).await?;
        tx.rollback().await?;
        Ok(row)
    }

    /// Begins a transaction in the configured schema: one round trip.
    ///
    /// # Errors
    /// No connection could be had.
    pub async fn begin(&self) -> Result<Tx, sqlx::Error> {
        let begin = async || self.pool.begin_with(AssertSqlSafe(self.begin.clone())).await;
        let inner = self.patiently(begin).await?;
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
