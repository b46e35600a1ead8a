//! `migrate`: brings the schema of `DATABASE_URL` up to date.

use shared::env::Settings;
use shared_db::{DatabaseConfig, PoolMode, migrate};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::new(&lookup);
    let url: String =
        settings.required("DATABASE_URL", "the database to migrate, direct or through a session pooler");
    let schema: String =
        settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror");
    let (url, schema) = settings.finish((url, schema))?;
    let config = DatabaseConfig::new(&url, &schema, PoolMode::Direct)?;
    migrate(&config).await?;
    eprintln!("Schéma « {schema} » à jour.");
    Ok(())
}
