//! Brings the schema of `DATABASE_URL` up to date.

use shared::env::Settings;
use shared_db::{DatabaseConfig, PoolMode};

use crate::Failure;

/// Reads `DATABASE_URL` and `DATABASE_SCHEMA`, and migrates.
///
/// # Errors
/// A setting is not accepted, or a migration failed.
pub async fn run() -> Result<(), Failure> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::new(&lookup);
    let url: String =
        settings.required("DATABASE_URL", "the database to migrate, direct or through a session pooler");
    let schema: String =
        settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror");
    let (url, schema) = settings.finish((url, schema))?;
    let config = DatabaseConfig::new(&url, &schema, PoolMode::Direct)?;
    shared_db::migrate(&config).await?;
    eprintln!("Schéma « {schema} » à jour.");
    Ok(())
}
