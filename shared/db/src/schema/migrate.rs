//! Brings the schema up to date.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, Connection};

use super::secure::secure;
use crate::pool::DatabaseConfig;

static MIGRATOR: Migrator = sqlx::migrate!("../../infra/migrations");

/// The newest migration that this program knows.
#[must_use]
pub fn latest_migration() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Creates the schema where it is missing, applies the migrations that it lacks and closes what stands open. On a
/// direct or a session connection of an administrator only; safe to repeat, and beside other schemas.
///
/// # Errors
/// A migration failed; those before it stay applied.
pub async fn migrate(config: &DatabaseConfig) -> Result<(), MigrateError> {
    let mut connection = config.connect().await?;
    let schema = config.schema();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create schema if not exists \"{schema}\"; set search_path to \"{schema}\""
    )))
    .execute(&mut connection)
    .await?;
    let migrator = Migrator { migrations: Cow::Borrowed(&MIGRATOR.migrations), ..Migrator::DEFAULT };
    migrator.run(&mut connection).await?;
    // The migrator's own table, too, which no migration can name before it exists.
    secure(&mut connection, schema).await?;
    connection.close().await?;
    Ok(())
}
