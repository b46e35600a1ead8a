//! The database whose address is kept in a secret.

use secrecy::ExposeSecret;
use shared::env::Settings;
use shared_runtime::{SecretError, Secrets};
use tokio::sync::OnceCell;

use crate::connect::{BadDatabaseConfig, DatabaseConfig, Db, PoolMode};

/// The settings that name the database.
///
/// | variable | what for | default |
/// |---|---|---|
/// | `DATABASE_SECRET_ID` | the secret with the database's address | |
/// | `DATABASE_SCHEMA` | the schema of the mirror | `gazelle` |
/// | `DATABASE_MODE` | `session`, `transaction` or `direct` | `session` |
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    secret_id: String,
    schema: String,
    mode: PoolMode,
}

impl DatabaseSettings {
    /// Reads the settings.
    pub fn read(settings: &mut Settings<'_>) -> Self {
        Self {
            secret_id: settings.required("DATABASE_SECRET_ID", "the secret with the database's address"),
            schema: settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror"),
            mode: settings.one_of("DATABASE_MODE", &PoolMode::WORDS, PoolMode::Session),
        }
    }
}

/// Why there is no database to speak to.
#[derive(Debug, thiserror::Error)]
pub enum UnreachableDb {
    /// The secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What it holds cannot be used.
    #[error(transparent)]
    Config(#[from] BadDatabaseConfig),
}

/// The database, found when first needed.
#[derive(Debug)]
pub struct SecretDb {
    settings: DatabaseSettings,
    secrets: Secrets,
    db: OnceCell<Db>,
}

impl SecretDb {
    /// The database that the settings name.
    #[must_use]
    pub fn new(settings: DatabaseSettings, secrets: Secrets) -> Self {
        Self { settings, secrets, db: OnceCell::new() }
    }

    /// The pool. Does not connect yet.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub async fn get(&self) -> Result<&Db, UnreachableDb> {
        self.db
            .get_or_try_init(|| async {
                let id = &self.settings.secret_id;
                let url = self.secrets.read_text(id, "url", r#"{"url": "postgres://…"}"#).await?;
                let config =
                    DatabaseConfig::new(url.expose_secret(), &self.settings.schema, self.settings.mode)?;
                Ok(Db::new(&config))
            })
            .await
    }
}
