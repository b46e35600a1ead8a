//! Where raw pages come from.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::operation::get_object::GetObjectError;

/// An object as it was found.
#[derive(Debug)]
pub enum Found {
    /// Its bytes.
    Bytes(Vec<u8>),
    /// There is no object of that key any more.
    Gone,
}

/// Why an object could not be read or written this time.
#[derive(Debug, thiserror::Error)]
#[error("The bucket said: {0}")]
pub struct SourceError(pub String);

/// Gives raw pages.
pub trait RawSource: Send + Sync {
    /// Reads one object.
    fn read(&self, key: &str) -> impl Future<Output = Result<Found, SourceError>> + Send;
    /// Lists keys with that prefix, in their order, past `after`; a page of them. Empty: there are no more.
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Vec<Listed>, SourceError>> + Send;
}

/// A bucket that also takes what is archived.
pub trait ArchiveStore: RawSource {
    /// Writes an object, in place of one of that key.
    fn write(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<(), SourceError>> + Send;
}

/// An object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its key.
    pub key: String,
    /// When it was written, in seconds since 1970.
    pub written_at: i64,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3RawSource {
    client: Client,
    bucket: String,
}

impl S3RawSource {
    /// That bucket.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl RawSource for S3RawSource {
    async fn read(&self, key: &str) -> Result<Found, SourceError> {
        let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(Found::Gone);
            }
            Err(error) => return Err(SourceError(DisplayErrorContext(&error).to_string())),
        };
        let bytes = object.body.collect().await.map_err(|error| SourceError(error.to_string()))?;
        Ok(Found::Bytes(bytes.to_vec()))
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<Listed>, SourceError> {
        let list = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let listed = list
            .set_start_after(after.map(str::to_owned))
            .send()
            .await
            .map_err(|error| SourceError(DisplayErrorContext(&error).to_string()))?;
        Ok(listed
            .contents()
            .iter()
            .filter_map(|object| {
                Some(Listed { key: object.key()?.to_owned(), written_at: object.last_modified()?.secs() })
            })
            .collect())
    }
}

impl ArchiveStore for S3RawSource {
    async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), SourceError> {
        let written = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into()).send().await;
        written.map(|_| ()).map_err(|error| SourceError(DisplayErrorContext(&error).to_string()))
    }
}
