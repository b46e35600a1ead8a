//! Objects in a bucket of S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};

use crate::error::StateError;

/// Store of objects in one bucket.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    /// Client of S3, with the path style that its endpoint needs.
    pub client: Client,
    /// Name of the bucket.
    pub bucket: String,
}

impl S3ObjectStore {
    pub(crate) async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, StateError> {
        let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(StateError::Read { key: key.to_owned(), source: error.into() }),
        };
        let tag = object.e_tag().unwrap_or_default().to_owned();
        let bytes = object.body.collect().await;
        let bytes = bytes.map_err(|error| StateError::Read { key: key.to_owned(), source: error.into() })?;
        Ok(Some((bytes.to_vec(), tag)))
    }

    pub(crate) async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StateError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key);
        let request = request.content_type("application/json").body(ByteStream::from(bytes));
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StateError::Write { key: key.to_owned(), source: error.into() }),
        }
    }

    pub(crate) async fn last_written(&self, prefix: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        let listing = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).send().await;
        let listing =
            listing.map_err(|error| StateError::List { prefix: prefix.to_owned(), source: error.into() })?;
        let seconds = listing
            .contents()
            .iter()
            .filter_map(|object| object.last_modified())
            .map(aws_sdk_s3::primitives::DateTime::secs)
            .max();
        Ok(seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    }

    pub(crate) async fn put(
        &self,
        key: &str,
        bytes: Vec<u8>,
        tag: Option<&str>,
    ) -> Result<String, StateError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(bytes.clone()));
        let request = match tag {
            Some(tag) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        match request.send().await {
            Ok(written) => Ok(written.e_tag().unwrap_or_default().to_owned()),
            // The SDK retries: its first attempt may have written the object, and its response was lost.
            Err(error) if is_precondition_failed(&error) => match self.get(key).await? {
                Some((current, tag)) if current == bytes => Ok(tag),
                _ => Err(StateError::Conflict { key: key.to_owned() }),
            },
            Err(error) => Err(StateError::Write { key: key.to_owned(), source: error.into() }),
        }
    }
}

/// Returns whether S3 refused a conditional write because its condition does not hold.
#[must_use]
pub fn is_precondition_failed<E>(error: &SdkError<E>) -> bool {
    // 409: another conditional write of the same key is under way; reading the object again settles it.
    error.raw_response().is_some_and(|response| matches!(response.status().as_u16(), 409 | 412))
}
