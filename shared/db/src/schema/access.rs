//! Access to the schema: logins of its roles, grants to others, and the reset of every grant after a migration.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::statements;
use crate::error::{During as _, Error};
use crate::pool::DatabaseConfig;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("format_password", FORMAT_PASSWORD)];

/// Returns the command that sets the password `$2` of the role `$1`. A command takes no parameters: the server quotes
/// the password.
const FORMAT_PASSWORD: &str = "select format('alter role %I login password %L', $1::text, $2::text)";

/// Role that may be given a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// Role of the functions: reads and writes.
    App,
    /// Role of people and their tools: reads only.
    Reader,
}

impl Login {
    /// Returns the role's name in the database.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::App => "gazelle_app",
            Self::Reader => "gazelle_reader",
        }
    }
}

/// Gives everything in the schema its owner, its row security and its grants, and revokes all others.
///
/// # Errors
/// The database refused: the connection is not an administrator's.
pub(super) async fn secure(connection: &mut PgConnection, schema: &str) -> Result<(), Error> {
    sqlx::query(AssertSqlSafe(statements::secure_schema(schema)))
        .bind(schema)
        .execute(connection)
        .await
        .during("secure the schema")?;
    Ok(())
}

/// Lets a role log in with this password, and with no other from now on.
///
/// # Errors
/// The database refused: the connection is not an administrator's.
pub async fn set_password(config: &DatabaseConfig, login: Login, password: &str) -> Result<(), Error> {
    let mut connection = config.connect().await?;
    let sql: String = sqlx::query_scalar(FORMAT_PASSWORD)
        .bind(login.role())
        .bind(password)
        .fetch_one(&mut connection)
        .await
        .during("quote a password")?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.during("set a password")?;
    connection.close().await.during("close a connection")
}

/// Lets a role read the production tables and the views, or takes that right back.
///
/// # Errors
/// The database refused: there is no such role, or the connection is not an administrator's.
pub async fn expose(config: &DatabaseConfig, role: &str, is_exposed: bool) -> Result<(), Error> {
    let mut connection = config.connect().await?;
    sqlx::query(AssertSqlSafe(statements::set_exposure(config.schema(), is_exposed)))
        .bind(role)
        .bind(config.schema())
        .execute(&mut connection)
        .await
        .during("change the grants of a role")?;
    connection.close().await.during("close a connection")
}
