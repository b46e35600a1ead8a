//! Where keys and tokens are kept.

use lambda::Secrets;
use protocol::secret::SecretError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use tokio::sync::Mutex;

/// Where keys and tokens are kept.
#[derive(Debug)]
pub enum TokenStore {
    /// In Secrets Manager.
    Aws(AwsTokenStore),
    /// Given once, kept in memory: a command on a terminal.
    Fixed(FixedTokenStore),
}

/// A secret of Secrets Manager.
#[derive(Debug)]
pub struct AwsTokenStore {
    /// The store.
    pub secrets: Secrets,
    /// The secret's name.
    pub secret_id: String,
}

/// A key or tokens given by hand.
#[derive(Debug)]
pub struct FixedTokenStore(Mutex<Map<String, Value>>);

impl FixedTokenStore {
    /// A store that holds this API key.
    #[must_use]
    pub fn with_key(key: &SecretString) -> Self {
        let fields = json!({ "api_key": key.expose_secret() });
        Self(Mutex::new(fields.as_object().cloned().unwrap_or_default()))
    }

    /// A store that holds these OAuth fields.
    #[must_use]
    pub fn with_fields(fields: Map<String, Value>) -> Self {
        Self(Mutex::new(fields))
    }
}

impl TokenStore {
    pub(crate) async fn read(&self, accepted: &'static str) -> Result<Map<String, Value>, SecretError> {
        match self {
            Self::Aws(store) => store.secrets.read(&store.secret_id, accepted).await,
            Self::Fixed(store) => Ok(store.0.lock().await.clone()),
        }
    }

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

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Aws(store) => &store.secret_id,
            Self::Fixed(_) => "given by hand",
        }
    }
}
