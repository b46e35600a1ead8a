//! Small objects that invocations share: every write is conditional on the version that was read.
//!
//! Of two who race, one wins and the other is told. That is the fence behind leases, checkpoints, the
//! common pace, the token and the book of alerts. What is no state is written as it is (`write`).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};
use rand::RngExt;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of every state object's shape.
pub const SCHEMA_VERSION: u32 = 2;

/// Where state objects are kept.
#[derive(Debug)]
pub enum ObjectStore {
    /// In a bucket.
    S3(S3ObjectStore),
    /// In memory: a command on a terminal, or a test.
    Memory(MemoryObjectStore),
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    /// The way to it.
    pub client: Client,
    /// Its name.
    pub bucket: String,
}

/// Objects in memory, each with the number and the time of its last writing.
#[derive(Debug, Default)]
pub struct MemoryObjectStore(Mutex<BTreeMap<String, Written>>);

type Written = (Vec<u8>, u64, DateTime<Utc>);

/// An object as it was read, with what makes the next write conditional.
#[derive(Debug, Clone)]
pub struct Object<T> {
    key: String,
    /// What it holds.
    pub value: T,
    tag: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Stored<T> {
    schema_version: u32,
    state: T,
}

/// Why a state object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store did not answer. This is not «no state».
    #[error("Could not reach {key}: {reason}")]
    Unreachable {
        /// The object.
        key: String,
        /// What the store said.
        reason: String,
    },
    /// The object is not one of ours. It is never taken for «no state».
    #[error(
        "{key} cannot be read ({reason}). Restore an older version of the object, or delete it: then what it held is \
         found anew, everything is fetched once more, and nothing is lost"
    )]
    Malformed {
        /// The object.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another invocation wrote in between.
    #[error("Another invocation has written {key} in the meantime")]
    Taken {
        /// The object.
        key: String,
    },
}

impl ObjectStore {
    /// Reads an object; the default where there is none yet.
    ///
    /// # Errors
    /// The store did not answer, or the object is not one of ours.
    pub async fn load<T: DeserializeOwned + Default>(&self, key: &str) -> Result<Object<T>, StateError> {
        let Some((bytes, tag)) = self.get(key).await? else {
            return Ok(Object { key: key.to_owned(), value: T::default(), tag: None });
        };
        let malformed = |reason: String| StateError::Malformed { key: key.to_owned(), reason };
        let version: SchemaVersion =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(malformed(format!(
                "schema_version {}; accepted: {SCHEMA_VERSION}",
                version.schema_version
            )));
        }
        let stored: Stored<T> =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        Ok(Object { key: key.to_owned(), value: stored.state, tag: Some(tag) })
    }

    /// Reads an object; the default where there is none, and where what is there cannot be read: then with why. The
    /// next write takes its place.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn load_or_replace<T: DeserializeOwned + Default>(
        &self,
        key: &str,
    ) -> Result<(Object<T>, Option<StateError>), StateError> {
        match self.load(key).await {
            Ok(object) => Ok((object, None)),
            Err(malformed @ StateError::Malformed { .. }) => {
                let tag = self.get(key).await?.map(|(_, tag)| tag);
                Ok((Object { key: key.to_owned(), value: T::default(), tag }, Some(malformed)))
            }
            Err(error) => Err(error),
        }
    }

    /// When an object below this prefix was last written; none where there is none.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn last_written(&self, prefix: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        match self {
            Self::S3(store) => store.last_written(prefix).await,
            Self::Memory(store) => Ok(store.last_written(prefix)),
        }
    }

    /// Writes an object where nobody else has since it was read.
    ///
    /// # Errors
    /// The store did not answer, or another has written in between: then nothing was written.
    pub async fn save<T: Serialize>(&self, object: &mut Object<T>) -> Result<(), StateError> {
        let key = object.key.as_str();
        let stored = Stored { schema_version: SCHEMA_VERSION, state: &object.value };
        let bytes = serde_json::to_vec(&stored)
            .map_err(|error| StateError::Unreachable { key: key.to_owned(), reason: error.to_string() })?;
        object.tag = Some(self.put(key, bytes, object.tag.as_deref()).await?);
        Ok(())
    }

    /// Writes an object that is no state, over what is there: a raw page or a manifest, under a key of its writer's own.
    ///
    /// # Errors
    /// The store did not answer.
    pub async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StateError> {
        match self {
            Self::S3(store) => store.write(key, bytes).await,
            Self::Memory(store) => {
                store.overwrite(key, &bytes);
                Ok(())
            }
        }
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, StateError> {
        match self {
            Self::S3(store) => store.get(key).await,
            Self::Memory(store) => {
                let objects = store.0.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(objects.get(key).map(|(bytes, tag, _)| (bytes.clone(), tag.to_string())))
            }
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<String, StateError> {
        match self {
            Self::S3(store) => store.put(key, bytes, tag).await,
            Self::Memory(store) => store.put(key, bytes, tag),
        }
    }
}

#[derive(Deserialize)]
struct SchemaVersion {
    schema_version: u32,
}

impl S3ObjectStore {
    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, StateError> {
        let unreachable = |reason| StateError::Unreachable { key: key.to_owned(), reason };
        let object = match self.client.get_object().bucket(&self.bucket).key(key).send().await {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(unreachable(DisplayErrorContext(&error).to_string())),
        };
        let tag = object.e_tag().unwrap_or_default().to_owned();
        let bytes = object.body.collect().await.map_err(|error| unreachable(error.to_string()))?;
        Ok(Some((bytes.to_vec(), tag)))
    }

    async fn write(&self, key: &str, bytes: Vec<u8>) -> Result<(), StateError> {
        let put = self.client.put_object().bucket(&self.bucket).key(key);
        let put = put.content_type("application/json").body(ByteStream::from(bytes));
        put.send().await.map(|_| ()).map_err(|error| StateError::Unreachable {
            key: key.to_owned(),
            reason: DisplayErrorContext(&error).to_string(),
        })
    }

    async fn last_written(&self, prefix: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        let listing = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).send().await;
        let listing = listing.map_err(|error| StateError::Unreachable {
            key: prefix.to_owned(),
            reason: DisplayErrorContext(&error).to_string(),
        })?;
        let seconds = listing
            .contents()
            .iter()
            .filter_map(|object| object.last_modified())
            .map(aws_sdk_s3::primitives::DateTime::secs)
            .max();
        Ok(seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0)))
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<String, StateError> {
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(bytes.clone()));
        let put = match tag {
            Some(tag) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(written) => Ok(written.e_tag().unwrap_or_default().to_owned()),
            // Our own first try may have won, its answer lost.
            Err(error) if is_precondition_failed(&error) => match self.get(key).await? {
                Some((current, tag)) if current == bytes => Ok(tag),
                _ => Err(StateError::Taken { key: key.to_owned() }),
            },
            Err(error) => Err(StateError::Unreachable {
                key: key.to_owned(),
                reason: DisplayErrorContext(&error).to_string(),
            }),
        }
    }
}

impl MemoryObjectStore {
    fn put(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<String, StateError> {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let current = objects.get(key).map(|(_, tag, _)| *tag);
        if current.map(|tag| tag.to_string()).as_deref() != tag {
            return Err(StateError::Taken { key: key.to_owned() });
        }
        let next = current.unwrap_or(0) + 1;
        objects.insert(key.to_owned(), (bytes, next, Utc::now()));
        Ok(next.to_string())
    }

    fn last_written(&self, prefix: &str) -> Option<DateTime<Utc>> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().filter(|(key, _)| key.starts_with(prefix)).map(|(_, (_, _, at))| *at).max()
    }

    /// Every object, by key.
    #[must_use]
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.iter().map(|(key, (bytes, _, _))| (key.clone(), bytes.clone())).collect()
    }

    /// Replaces an object by anything, as a person could.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = objects.get(key).map_or(0, |(_, tag, _)| *tag) + 1;
        objects.insert(key.to_owned(), (bytes.to_vec(), next, Utc::now()));
    }
}

/// Whether a conditional write was refused because of its condition.
#[must_use]
pub fn is_precondition_failed<E>(error: &SdkError<E>) -> bool {
    // 409: another conditional write of the same key is under way; reading again settles it.
    error.raw_response().is_some_and(|response| matches!(response.status().as_u16(), 409 | 412))
}

/// Returns a random pause, in milliseconds: writers that raced for one object must not retry in step.
#[must_use]
pub fn jitter(range_ms: Range<u64>) -> Duration {
    Duration::from_millis(rand::rng().random_range(range_ms))
}
