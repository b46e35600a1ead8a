//! Brings the schema up to date.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use crate::connect::DatabaseConfig;

static MIGRATOR: Migrator = sqlx::migrate!("../../infra/migrations");

/// Creates the schema where it is missing and applies the migrations that it lacks. On a direct or a
/// session connection only; safe to repeat, and beside other schemas.
///
/// # Errors
/// A migration failed; those before it stay applied.
pub async fn migrate(config: &DatabaseConfig) -> Result<(), MigrateError> {
    let mut connection = config.options().connect().await?;
    let schema = config.schema();
    sqlx::raw_sql(AssertSqlSafe(format!(
        "create schema if not exists \"{schema}\"; set search_path to \"{schema}\""
    )))
    .execute(&mut connection)
    .await?;
    let migrator = Migrator { migrations: Cow::Borrowed(&MIGRATOR.migrations), ..Migrator::DEFAULT };
    migrator.run(&mut connection).await?;
    // The migrator's own table, which no migration can name before it exists.
    sqlx::raw_sql("alter table _sqlx_migrations enable row level security").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
