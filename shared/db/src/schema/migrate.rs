//! Migrations: brings the schema up to date.

use std::borrow::Cow;

use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection};

use super::access::secure;
use super::statements;
use crate::error::{During as _, Error};
use crate::pool::DatabaseConfig;

static MIGRATOR: Migrator = sqlx::migrate!("../../infra/migrations");

/// Returns the version of the newest migration that this program contains.
#[must_use]
pub fn latest_migration() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Creates the schema where it is missing, applies the migrations that it lacks and resets owners, row security and
/// grants. Needs a direct or a session connection of an administrator; safe to repeat, and beside other schemas.
///
/// # Errors
/// A migration failed; those before it stay applied.
pub async fn migrate(config: &DatabaseConfig) -> Result<(), Error> {
    let mut connection = config.connect().await?;
    let schema = config.schema();
    sqlx::raw_sql(AssertSqlSafe(statements::create_schema(schema)))
        .execute(&mut connection)
        .await
        .during("create the schema")?;
    let migrator = Migrator { migrations: Cow::Borrowed(&MIGRATOR.migrations), ..Migrator::DEFAULT };
    migrator.run(&mut connection).await?;
    // After the migrations: the migrator's own table is secured, too, which no migration can name before it exists.
    secure(&mut connection, schema).await?;
    connection.close().await.during("close a connection")
}
