//! Store of state objects, whichever place keeps them.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{MalformedState, StateError};
use crate::memory::MemoryObjectStore;
use crate::s3::S3ObjectStore;

/// Version of the shape of every state object, in its field `schema_version`.
pub const SCHEMA_VERSION: u32 = 2;

/// Store of objects by key.
#[derive(Debug)]
pub enum ObjectStore {
    /// A bucket of S3.
    S3(S3ObjectStore),
    /// The memory of this process: for a command on a terminal, or a test.
    Memory(MemoryObjectStore),
}

/// State as it was read, with the version that makes its next write conditional.
#[derive(Debug, Clone)]
pub struct Object<T> {
    key: String,
    /// The state itself, to be changed before it is saved.
    pub value: T,
    /// Version that was read; none where there was no object.
    tag: Option<String>,
}

/// JSON form of a state object.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    schema_version: u32,
    state: T,
}

/// Version of a state object, read before the rest, whose shape depends on it.
#[derive(Deserialize)]
struct EnvelopeVersion {
    schema_version: u32,
}

impl ObjectStore {
    /// Reads a state; the default value if there is no object yet.
    ///
    /// # Errors
    /// [`StateError::Read`], or [`StateError::Malformed`] if the object holds no state of type `T`.
    pub async fn load<T: DeserializeOwned + Default>(&self, key: &str) -> Result<Object<T>, StateError> {
        let Some((bytes, tag)) = self.get(key).await? else {
            return Ok(Object { key: key.to_owned(), value: T::default(), tag: None });
        };
        let value = decode(&bytes).map_err(|source| StateError::Malformed { key: key.to_owned(), source })?;
        Ok(Object { key: key.to_owned(), value, tag: Some(tag) })
    }

    /// Reads a state; the default value if there is no object, and also if the object is malformed: then with the
    /// error, and the next save replaces the malformed object.
    ///
    /// # Errors
    /// [`StateError::Read`].
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

    /// Returns the time of the latest write of an object whose key starts with `prefix`; none if there is no such
    /// object. S3 is asked for the first thousand of them.
    ///
    /// # Errors
    /// [`StateError::List`].
    pub async fn last_written(&self, prefix: &str) -> Result<Option<DateTime<Utc>>, StateError> {
        self.last_written_of(prefix, "").await
    }

    /// Returns the time at which an object below `prefix` was last written whose key ends with `suffix`, of the first
    /// thousand.
    ///
    /// # Errors
    /// [`StateError::List`].
    pub async fn last_written_of(
        &self,
        prefix: &str,
        suffix: &str,
    ) -> Result<Option<DateTime<Utc>>, StateError> {
        match self {
            Self::S3(store) => store.last_written(prefix, suffix).await,
            Self::Memory(store) => Ok(store.last_written(prefix, suffix)),
        }
    }

    /// Writes a state, provided that no other writer has changed the object since it was read.
    ///
    /// # Errors
    /// [`StateError::Conflict`] if another has, and then nothing was written; [`StateError::Write`] if the store did
    /// not respond, and then the object may have been written.
    pub async fn save<T: Serialize>(&self, object: &mut Object<T>) -> Result<(), StateError> {
        let key = object.key.as_str();
        let envelope = Envelope { schema_version: SCHEMA_VERSION, state: &object.value };
        let bytes = serde_json::to_vec(&envelope)
            .map_err(|source| StateError::Encode { key: key.to_owned(), source })?;
        object.tag = Some(self.put(key, bytes, object.tag.as_deref()).await?);
        Ok(())
    }

    /// Writes an object that is no state, unconditionally: a raw page or a manifest, whose key no other writer uses.
    ///
    /// # Errors
    /// [`StateError::Write`].
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
            Self::Memory(store) => Ok(store.get(key)),
        }
    }

    async fn put(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<String, StateError> {
        match self {
            Self::S3(store) => store.put(key, bytes, tag).await,
            Self::Memory(store) => store.put(key, bytes, tag),
        }
    }
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MalformedState> {
    let version: EnvelopeVersion = serde_json::from_slice(bytes)?;
    if version.schema_version != SCHEMA_VERSION {
        return Err(MalformedState::SchemaVersion {
            found: version.schema_version,
            expected: SCHEMA_VERSION,
        });
    }
    let envelope: Envelope<T> = serde_json::from_slice(bytes)?;
    Ok(envelope.state)
}
