//! Objects in a bucket of S3.

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};

use crate::error::StateError;
use crate::put::{PutRefusal, put_decided, put_refusal};

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
        let request =
            || self.client.put_object().bucket(&self.bucket).key(key).content_type("application/json");
        match put_decided(|| request().body(ByteStream::from(bytes.clone())).send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(StateError::Write { key: key.to_owned(), source: error.into() }),
        }
    }

    pub(crate) async fn last_written(
        &self,
        prefix: &str,
        suffix: &str,
    ) -> Result<Option<DateTime<Utc>>, StateError> {
        let listing = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).send().await;
        let listing =
            listing.map_err(|error| StateError::List { prefix: prefix.to_owned(), source: error.into() })?;
        let seconds = listing
            .contents()
            .iter()
            .filter(|object| object.key().is_some_and(|key| key.ends_with(suffix)))
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
        let send = || {
            let request = self.client.put_object().bucket(&self.bucket).key(key);
            let request = request.content_type("application/json").body(ByteStream::from(bytes.clone()));
            match tag {
                Some(tag) => request.if_match(tag).send(),
                None => request.if_none_match("*").send(),
            }
        };
        let written = put_decided(send).await;
        let error = match written {
            Ok(written) => return Ok(written.e_tag().unwrap_or_default().to_owned()),
            Err(error) => error,
        };
        let is_refused = match put_refusal(&error) {
            Some(PutRefusal::ConditionFailed | PutRefusal::Undecided) => true,
            // Without a tag a missing object is what the write asks for: then the bucket is missing.
            Some(PutRefusal::Missing) => tag.is_some(),
            None => false,
        };
        if !is_refused {
            return Err(StateError::Write { key: key.to_owned(), source: error.into() });
        }
        // An earlier attempt may have written the object, and its response was lost.
        match self.get(key).await? {
            Some((current, tag)) if current == bytes => Ok(tag),
            _ => Err(StateError::Conflict { key: key.to_owned() }),
        }
    }
}
