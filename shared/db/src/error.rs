//! Errors of this crate, and the rules that tell a faulty record from a database that is out of reach.

use protocol::secret::SecretError;
use sqlx::migrate::MigrateError;

/// Error of every function of this crate. A text never repeats the text of its source: print the whole chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A statement, a connection or a transaction failed.
    #[error("could not {operation}")]
    Query {
        /// Work that the statement was part of, such as `claim staged records`.
        operation: &'static str,
        /// Error of the driver or of the server.
        source: sqlx::Error,
    },
    /// The address of the database could not be had.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A migration failed; those before it stay applied.
    #[error("could not migrate the schema")]
    Migrate(#[from] MigrateError),
}

/// Operation of an error that was converted without one.
const ANY_STATEMENT: &str = "run a database statement";

impl From<sqlx::Error> for Error {
    fn from(source: sqlx::Error) -> Self {
        Self::Query { operation: ANY_STATEMENT, source }
    }
}

impl Error {
    /// Returns the driver's error, if there is one.
    fn driver(&self) -> Option<&sqlx::Error> {
        match self {
            Self::Query { source, .. } => Some(source),
            Self::Migrate(MigrateError::Execute(source) | MigrateError::ExecuteMigration(source, _)) => {
                Some(source)
            }
            Self::Connect(_) | Self::Migrate(_) => None,
        }
    }

    /// Returns the server's message without the values in it, because those may be a customer's.
    #[must_use]
    pub fn reason(&self) -> String {
        let Some(error) = self.driver().and_then(sqlx::Error::as_database_error) else {
            return self.driver().map_or_else(|| self.to_string(), ToString::to_string);
        };
        let code = error.code().unwrap_or_default();
        let constraint = error.constraint().map(|name| format!(", constraint {name}")).unwrap_or_default();
        // A quoted part is a value: `invalid input syntax for type json: "…"`.
        let message = error.message().split('"').next().unwrap_or_default().trim_end_matches([' ', ':']);
        format!("SQLSTATE {code}: {message}{constraint}")
    }
}

/// Names the operation that an error of the driver belongs to.
pub(crate) trait During<T> {
    /// Converts the error into one that names the operation, as a verb and its object: `claim staged records`.
    fn during(self, operation: &'static str) -> Result<T, Error>;
}

impl<T> During<T> for Result<T, sqlx::Error> {
    fn during(self, operation: &'static str) -> Result<T, Error> {
        self.map_err(|source| Error::Query { operation, source })
    }
}

/// Reasons why the address of the database could not be had.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The secret cannot be read, or lacks a field.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The secret holds an address or a certificate that cannot be used.
    #[error(transparent)]
    Config(#[from] InvalidDatabaseConfig),
}

/// Reasons why a database configuration is refused. Never shows the address, because it holds a password.
#[derive(Debug, thiserror::Error)]
pub enum InvalidDatabaseConfig {
    /// The address is no PostgreSQL URL.
    #[error("invalid database URL; expected postgres://user:password@host:port/database")]
    Url,
    /// TLS is switched off for a server that is not on this machine.
    #[error(
        "invalid database URL: sslmode=disable is accepted for loopback hosts only; expected no sslmode, which verifies the server's certificate and name"
    )]
    Plain,
    /// The certificate of the authority is not in PEM form.
    #[error("invalid CA certificate of the database; expected PEM, -----BEGIN CERTIFICATE-----…")]
    Certificate,
    /// The name of the schema is no plain identifier.
    #[error("invalid schema name; expected a lowercase identifier such as gazelle, without the prefix pg_")]
    Schema,
}

/// Returns the SQLSTATE that the server gave.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code)
}

/// Returns whether the statement failed because of the data in it: SQLSTATE classes 21 (cardinality), 22 (data),
/// 23 (integrity) and 54 (a limit, such as nesting too deep). Every other error is tried again and never costs a row.
#[must_use]
pub fn is_data_error(error: &Error) -> bool {
    let code = error.driver().and_then(sqlstate);
    code.is_some_and(|code| matches!(code.get(..2), Some("21" | "22" | "23" | "54")))
}

/// Returns whether the statement exceeded its time limit (57014).
pub(crate) fn is_timeout(error: &Error) -> bool {
    error.driver().and_then(sqlstate).is_some_and(|code| code == "57014")
}

/// Returns whether the statement gave way to another transaction: a lock was not available (55P03), or the two waited
/// for each other (40P01).
pub(crate) fn is_lock_conflict(error: &Error) -> bool {
    error.driver().and_then(sqlstate).is_some_and(|code| matches!(&*code, "55P03" | "40P01"))
}

/// Returns whether the database could not be reached, or is shutting down or starting: SQLSTATE classes 08, 53 and
/// 57P, and every failure before a statement arrives. A statement that exceeded its time limit (57014) does not count:
/// its entity is at fault.
#[must_use]
pub fn is_out_of_reach(error: &Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    error.driver().is_some_and(|error| {
        sqlstate(error)
            .is_some_and(|code| matches!(code.get(..2), Some("08" | "53")) || code.starts_with("57P"))
            || matches!(error, Io(_) | PoolClosed | PoolTimedOut | Protocol(_) | Tls(_) | WorkerCrashed)
    })
}
