//! The database whose address is kept in a secret.

use std::sync::Arc;

use protocol::secret::{ReadSecret, SecretError};
use protocol::settings::Settings;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{BadDatabaseConfig, DatabaseConfig, Db, PoolMode};

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
    /// Those settings.
    #[must_use]
    pub const fn new(secret_id: String, schema: String, mode: PoolMode) -> Self {
        Self { secret_id, schema, mode }
    }

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

/// What the secret of the database holds. Without `ca_certificate`, Supabase's servers are trusted.
const ACCEPTED: &str = r#"{"url": "postgres://…", "ca_certificate": "-----BEGIN CERTIFICATE-----…"}"#;

/// Where the database's address is kept.
#[derive(Debug)]
pub(crate) struct Address {
    settings: DatabaseSettings,
    secrets: Arc<dyn ReadSecret>,
}

impl Address {
    /// Reads it.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub(crate) async fn read(&self) -> Result<DatabaseConfig, UnreachableDb> {
        let id = &self.settings.secret_id;
        let fields = self.secrets.read_fields(id, ACCEPTED).await?;
        let text = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        let url = text("url").ok_or_else(|| SecretError::Field {
            id: id.clone(),
            field: "url",
            accepted: ACCEPTED,
        })?;
        let config = DatabaseConfig::new(url, &self.settings.schema, self.settings.mode)?;
        Ok(match text("ca_certificate") {
            Some(pem) => config.trusting(pem)?,
            None => config,
        })
    }
}

/// The database, found when first needed.
#[derive(Debug)]
pub struct SecretDb {
    address: Arc<Address>,
    db: OnceCell<Db>,
}

impl SecretDb {
    /// The database that the settings name.
    #[must_use]
    pub fn new(settings: DatabaseSettings, secrets: impl ReadSecret + 'static) -> Self {
        Self { address: Arc::new(Address { settings, secrets: Arc::new(secrets) }), db: OnceCell::new() }
    }

    /// What the secret says now.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub async fn config(&self) -> Result<DatabaseConfig, UnreachableDb> {
        self.address.read().await
    }

    /// The pool. Does not connect yet. An address that does not serve is read anew, once per attempt.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub async fn get(&self) -> Result<&Db, UnreachableDb> {
        self.db
            .get_or_try_init(|| async {
                Ok(Db::new(&self.address.read().await?).at(Arc::clone(&self.address)))
            })
            .await
    }
}
