//! Address of the database, as the secret and the settings say it.

use std::sync::Arc;

use protocol::secret::{ReadSecret, SecretError};
use protocol::settings::Settings;
use serde_json::Value;

use crate::error::ConnectError;
use crate::pool::config::{DatabaseConfig, PoolMode};

/// Settings that name the database.
///
/// | variable | meaning | default |
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
    /// Creates settings from their values.
    #[must_use]
    pub const fn new(secret_id: String, schema: String, mode: PoolMode) -> Self {
        Self { secret_id, schema, mode }
    }

    /// Returns the declared mode of the pooler.
    #[must_use]
    pub const fn mode(&self) -> PoolMode {
        self.mode
    }

    /// Reads the settings from the environment; a missing or wrong one is noted in `settings`.
    pub fn read(settings: &mut Settings<'_>) -> Self {
        Self {
            secret_id: settings.required("DATABASE_SECRET_ID", "the secret with the database's address"),
            schema: settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror"),
            mode: settings.one_of("DATABASE_MODE", &PoolMode::WORDS, PoolMode::Session),
        }
    }
}

/// Fields of the secret. Without `ca_certificate`, Supabase's root is trusted.
const ACCEPTED: &str = r#"{"url": "postgres://…", "ca_certificate": "-----BEGIN CERTIFICATE-----…"}"#;

/// Secret that holds the database's address.
#[derive(Debug)]
pub(crate) struct Address {
    settings: DatabaseSettings,
    secrets: Arc<dyn ReadSecret>,
}

impl Address {
    /// Creates the address that the settings name.
    pub(super) fn new(settings: DatabaseSettings, secrets: impl ReadSecret + 'static) -> Self {
        Self { settings, secrets: Arc::new(secrets) }
    }

    /// Reads the address from the secret.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub(super) async fn read(&self) -> Result<DatabaseConfig, ConnectError> {
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
