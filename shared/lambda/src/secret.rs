//! Secrets Manager: secrets that are JSON objects of texts.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_sdk_secretsmanager::operation::put_secret_value::PutSecretValueError;
use protocol::secret::{ReadFields, ReadSecret, SecretError};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::error_chain::error_chain;

/// Client of Secrets Manager.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

impl Secrets {
    /// Creates a client with this configuration.
    #[must_use]
    pub fn new(config: &SdkConfig) -> Self {
        Self { client: Client::new(config) }
    }

    /// Reads the fields of the secret `id`. `accepted` shows the expected JSON in the error for a malformed one.
    ///
    /// # Errors
    /// [`SecretError::Missing`] or [`SecretError::Read`]: Secrets Manager did not return it. [`SecretError::Shape`]: it is no JSON object.
    pub async fn read(&self, id: &str, accepted: &'static str) -> Result<Map<String, Value>, SecretError> {
        let response = self.client.get_secret_value().secret_id(id).send().await;
        let response = response.map_err(|error| {
            let id = id.to_owned();
            if error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception) {
                SecretError::Missing { id }
            } else {
                SecretError::Read { id, reason: error_chain(&error) }
            }
        })?;
        match response.secret_string().map(serde_json::from_str) {
            Some(Ok(Value::Object(fields))) => Ok(fields),
            _ => Err(SecretError::Shape { id: id.to_owned(), accepted }),
        }
    }

    /// Reads the text in `field` of the secret `id`.
    ///
    /// # Errors
    /// As [`Self::read`]; [`SecretError::Field`]: the field is missing, empty or no text.
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

    /// Stores a new version of the secret `id`, and creates the secret if there is none of that name.
    ///
    /// # Errors
    /// [`SecretError::Write`]: Secrets Manager did not accept it.
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
                    Err(error) => error_chain(&error),
                }
            }
            Err(error) => error_chain(&error),
        };
        Err(SecretError::Write { id: id.to_owned(), reason })
    }

    /// Stores a new version of the secret `id`, which must exist.
    ///
    /// # Errors
    /// [`SecretError::Write`]: Secrets Manager did not accept it.
    pub async fn write(&self, id: &str, value: &SecretString) -> Result<(), SecretError> {
        let request = self.client.put_secret_value().secret_id(id).secret_string(value.expose_secret());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(SecretError::Write { id: id.to_owned(), reason: error_chain(&error) }),
        }
    }
}

impl ReadSecret for Secrets {
    fn read_fields<'a>(&'a self, id: &'a str, accepted: &'static str) -> ReadFields<'a> {
        Box::pin(self.read(id, accepted))
    }
}
