//! Command `migrate`: brings the schema of `DATABASE_URL` up to date.

use i18n::terminal::database;

use crate::error::AdminError;
use crate::settings;

/// Reads `DATABASE_URL` and `DATABASE_SCHEMA`, and migrates the schema.
///
/// # Errors
/// A setting is not accepted, or [`AdminError::Migrate`].
pub async fn run() -> Result<(), AdminError> {
    let config = settings::administrator()?;
    db::schema::migrate(&config).await.map_err(AdminError::Migrate)?;
    eprintln!("{}", database::schema_migrated(config.schema()));
    Ok(())
}
