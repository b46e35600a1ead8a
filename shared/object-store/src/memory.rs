//! Objects in the memory of this process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};

use crate::error::StateError;

/// Store of objects in memory, with the conditional writes of S3.
#[derive(Debug, Default)]
pub struct MemoryObjectStore(Mutex<BTreeMap<String, MemoryObject>>);

#[derive(Debug)]
struct MemoryObject {
    bytes: Vec<u8>,
    /// Number of writes so far, which takes the place of S3's ETag.
    version: u64,
    written_at: DateTime<Utc>,
}

impl MemoryObjectStore {
    /// Returns every object, by key.
    #[must_use]
    pub fn objects(&self) -> Vec<(String, Vec<u8>)> {
        self.lock().iter().map(|(key, object)| (key.clone(), object.bytes.clone())).collect()
    }

    /// Replaces an object by any bytes, unconditionally, as a person could in S3.
    pub fn overwrite(&self, key: &str, bytes: &[u8]) {
        let mut objects = self.lock();
        let version = objects.get(key).map_or(0, |object| object.version) + 1;
        objects
            .insert(key.to_owned(), MemoryObject { bytes: bytes.to_vec(), version, written_at: Utc::now() });
    }

    pub(crate) fn get(&self, key: &str) -> Option<(Vec<u8>, String)> {
        self.lock().get(key).map(|object| (object.bytes.clone(), object.version.to_string()))
    }

    pub(crate) fn put(&self, key: &str, bytes: Vec<u8>, tag: Option<&str>) -> Result<String, StateError> {
        let mut objects = self.lock();
        let current = objects.get(key).map(|object| object.version);
        if current.map(|version| version.to_string()).as_deref() != tag {
            return Err(StateError::Conflict { key: key.to_owned() });
        }
        let version = current.unwrap_or(0) + 1;
        objects.insert(key.to_owned(), MemoryObject { bytes, version, written_at: Utc::now() });
        Ok(version.to_string())
    }

    pub(crate) fn last_written(&self, prefix: &str, suffix: &str) -> Option<DateTime<Utc>> {
        let objects = self.lock();
        let is_wanted = |key: &str| key.starts_with(prefix) && key.ends_with(suffix);
        objects.iter().filter(|(key, _)| is_wanted(key)).map(|(_, object)| object.written_at).max()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, MemoryObject>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
