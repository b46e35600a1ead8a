//! Brings the schema of `DATABASE_URL` up to date.

use crate::{Failure, settings};

/// Reads `DATABASE_URL` and `DATABASE_SCHEMA`, and migrates.
///
/// # Errors
/// A setting is not accepted, or a migration failed.
pub async fn run() -> Result<(), Failure> {
    let config = settings::administrator()?;
    db::schema::migrate(&config).await?;
    eprintln!("Schéma « {} » à jour.", config.schema());
    Ok(())
}
