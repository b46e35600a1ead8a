//! Secrets Manager: JSON objects of texts.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::DisplayErrorContext;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use protocol::secret::{ReadFields, ReadSecret, SecretError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

/// The store of secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// The store of that configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Reads a secret.
    ///
    /// # Errors
    /// The store did not answer, or the secret is no JSON object.
    pub async fn read(&self, id: &str, accepted: &'static str) -> Result<Map<String, Value>, SecretError> {
        let answer = self.client.get_secret_value().secret_id(id).send().await.map_err(|error| {
            SecretError::Read { id: id.to_owned(), reason: DisplayErrorContext(&error).to_string() }
        })?;
        match answer.secret_string().map(serde_json::from_str) {
            Some(Ok(Value::Object(fields))) => Ok(fields),
            _ => Err(SecretError::Shape { id: id.to_owned(), accepted }),
        }
    }

    /// Reads one text of a secret.
    ///
    /// # Errors
    /// As [`Self::read`], or the text is missing.
    pub async fn read_text(
        &self,
        id: &str,
        field: &'static str,
        accepted: &'static str,
    ) -> Result<SecretString, SecretError> {
        let fields = self.read(id, accepted).await?;
        fields
            .get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(SecretString::from)
            .ok_or_else(|| SecretError::Field { id: id.to_owned(), field, accepted })
    }

    /// Stores a secret, which is made where there is none of that name.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn store(&self, id: &str, value: &SecretString) -> Result<(), SecretError> {
        let request = self.client.put_secret_value().secret_id(id).secret_string(value.expose_secret());
        let reason = match request.send().await {
            Ok(_) => return Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(PutSecretValueError::is_resource_not_found_exception) =>
            {
                let request = self.client.create_secret().name(id).secret_string(value.expose_secret());
                match request.send().await {
                    Ok(_) => return Ok(()),
                    Err(error) => DisplayErrorContext(&error).to_string(),
                }
            }
            Err(error) => DisplayErrorContext(&error).to_string(),
        };
        Err(SecretError::Write { id: id.to_owned(), reason })
    }

    /// Stores a new version of a secret.
    ///
    /// # Errors
    /// The store did not take it.
    pub async fn write(&self, id: &str, value: &SecretString) -> Result<(), SecretError> {
        self.client
            .put_secret_value()
            .secret_id(id)
            .secret_string(value.expose_secret())
            .send()
            .await
            .map(|_| ())
            .map_err(|error| SecretError::Write {
                id: id.to_owned(),
                reason: DisplayErrorContext(&error).to_string(),
            })
    }
}

impl ReadSecret for Secrets {
    fn read_fields<'a>(&'a self, id: &'a str, accepted: &'static str) -> ReadFields<'a> {
        Box::pin(self.read(id, accepted))
    }
}
