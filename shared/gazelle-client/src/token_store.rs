//! Store of the API key or the OAuth tokens.

use lambda::Secrets;
use protocol::secret::SecretError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// Store of the API key or the OAuth tokens, as the fields of a JSON object.
#[derive(Debug)]
pub enum TokenStore {
    /// A secret of Secrets Manager.
    Aws(AwsTokenStore),
    /// The memory of this process: for a command on a terminal.
    Fixed(FixedTokenStore),
}

/// Store in one secret of Secrets Manager.
#[derive(Debug)]
pub struct AwsTokenStore {
    /// Client of Secrets Manager.
    pub secrets: Secrets,
    /// Name of the secret.
    pub secret_id: String,
}

/// Key or tokens given by hand, kept in memory.
#[derive(Debug)]
pub struct FixedTokenStore(Mutex<Map<String, Value>>);

impl FixedTokenStore {
    /// Creates a store that holds this API key.
    #[must_use]
    pub fn with_key(key: &SecretString) -> Self {
        let fields = json!({ "api_key": key.expose_secret() });
        Self(Mutex::new(fields.as_object().cloned().unwrap_or_default()))
    }

    /// Creates a store that holds these OAuth fields.
    #[must_use]
    pub fn with_fields(fields: Map<String, Value>) -> Self {
        Self(Mutex::new(fields))
    }
}

impl TokenStore {
    /// Reads the fields; `accepted` shows the expected JSON in the error for a malformed secret.
    pub(crate) async fn read(&self, accepted: &'static str) -> Result<Map<String, Value>, SecretError> {
        match self {
            Self::Aws(store) => store.secrets.read(&store.secret_id, accepted).await,
            Self::Fixed(store) => Ok(store.0.lock().await.clone()),
        }
    }

    /// Replaces the fields; the former ones are lost.
    pub(crate) async fn write(&self, fields: &Map<String, Value>) -> Result<(), SecretError> {
        match self {
            Self::Aws(store) => {
                let text = SecretString::from(Value::Object(fields.clone()).to_string());
                store.secrets.write(&store.secret_id, &text).await
            }
            Self::Fixed(store) => {
                *store.0.lock().await = fields.clone();
                Ok(())
            }
        }
    }

    /// Returns the name of the secret, for errors.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Aws(store) => &store.secret_id,
            Self::Fixed(_) => "given by hand",
        }
    }
}
