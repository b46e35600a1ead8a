//! Store of raw pages, manifests and archived rows: a bucket, or a test's memory.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectError;
use chrono::NaiveDate;
use model::entity::Entity;

use crate::error::StagerError;

/// Result of reading one object.
#[derive(Debug)]
pub enum ReadObject {
    /// Content of the object.
    Bytes(Vec<u8>),
    /// No object of that key exists any more.
    Gone,
}

/// Object of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedObject {
    /// Key of the object.
    pub key: String,
    /// Time of its last writing, in seconds since 1970.
    pub written_at: i64,
}

/// Source of raw pages and manifests.
pub trait RawSource: Send + Sync {
    /// Reads one object.
    ///
    /// # Errors
    /// [`StagerError::ReadObject`].
    fn read(&self, key: &str) -> impl Future<Output = Result<ReadObject, StagerError>> + Send;

    /// Lists one page of the keys with this prefix, in ascending order after `after`. An empty page is the end.
    ///
    /// # Errors
    /// [`StagerError::ListObjects`].
    fn list(
        &self,
        prefix: &str,
        after: Option<&str>,
    ) -> impl Future<Output = Result<Vec<ListedObject>, StagerError>> + Send;
}

/// Source that also stores archived rows.
pub trait ArchiveStore: RawSource {
    /// Writes an object and replaces one of the same key.
    ///
    /// # Errors
    /// [`StagerError::WriteObject`].
    fn write(&self, key: &str, bytes: Vec<u8>) -> impl Future<Output = Result<(), StagerError>> + Send;
}

/// S3 bucket of raw pages.
#[derive(Debug, Clone)]
pub struct S3RawSource {
    client: Client,
    bucket: String,
}

impl S3RawSource {
    /// Creates a source that reads the bucket of this name.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl RawSource for S3RawSource {
    async fn read(&self, key: &str) -> Result<ReadObject, StagerError> {
        let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(ReadObject::Gone);
            }
            Err(error) => {
                return Err(StagerError::ReadObject { key: key.to_owned(), source: error.into() });
            }
        };
        match object.body.collect().await {
            Ok(bytes) => Ok(ReadObject::Bytes(bytes.to_vec())),
            Err(error) => Err(StagerError::ReadObject { key: key.to_owned(), source: error.into() }),
        }
    }

    async fn list(&self, prefix: &str, after: Option<&str>) -> Result<Vec<ListedObject>, StagerError> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix);
        let response =
            request.set_start_after(after.map(str::to_owned)).send().await.map_err(|error| {
                StagerError::ListObjects { prefix: prefix.to_owned(), source: error.into() }
            })?;
        Ok(response
            .contents()
            .iter()
            .filter_map(|object| {
                Some(ListedObject {
                    key: object.key()?.to_owned(),
                    written_at: object.last_modified()?.secs(),
                })
            })
            .collect())
    }
}

impl ArchiveStore for S3RawSource {
    async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StagerError> {
        let request = self.client.put_object().bucket(&self.bucket).key(key).body(bytes.into());
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(StagerError::WriteObject { key: key.to_owned(), source: error.into() }),
        }
    }
}

/// Returns the prefix of the raw pages of runs that began on this day, UTC.
pub(crate) fn raw_prefix(entity: &Entity, day: NaiveDate) -> String {
    format!("raw/{}/{}/", entity.name, day.format("%Y/%m/%d"))
}
