//! A sink in memory, with a fault on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fetcher::raw_sink::{RawSink, SinkError, Stored};

/// A bucket in memory that can refuse one page once.
#[derive(Debug, Default)]
pub struct MemorySink {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    refuse: Mutex<Option<String>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemorySink {
    /// The next page whose key ends so is refused, once.
    pub fn refuse_once(&self, ending: &str) {
        *open(&self.refuse) = Some(ending.to_owned());
    }

    /// What is stored, by key.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        open(&self.objects).clone()
    }
}

impl RawSink for MemorySink {
    async fn store_page(&self, key: &str, page: Vec<u8>) -> Result<Stored, SinkError> {
        let mut refuse = open(&self.refuse);
        if refuse.as_ref().is_some_and(|ending| key.ends_with(ending.as_str())) {
            *refuse = None;
            return Err(SinkError("refused on demand".to_owned()));
        }
        let mut objects = open(&self.objects);
        if let Some(before) = objects.get(key) {
            return Ok(Stored::Before(before.clone()));
        }
        objects.insert(key.to_owned(), page);
        Ok(Stored::New)
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        open(&self.objects).get(key).cloned().ok_or_else(|| SinkError(format!("{key} is not stored")))
    }

    async fn store_manifest(&self, key: &str, manifest: Vec<u8>) -> Result<(), SinkError> {
        open(&self.objects).insert(key.to_owned(), manifest);
        Ok(())
    }
}
