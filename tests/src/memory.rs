//! In-memory sink with faults on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fetcher::raw_sink::{PageWrite, RawSink, SinkError};

/// In-memory bucket that can refuse one page once, or hang.
#[derive(Debug, Default)]
pub struct MemorySink {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    refuse: Mutex<Option<String>>,
    hang: Mutex<Option<Hang>>,
}

/// Write at which the bucket hangs: a caller that waits for it is as good as killed.
#[derive(Debug, Clone, Copy)]
pub struct Hang {
    /// Number of writes that are still served.
    pub after: u32,
    /// The hanging write takes effect.
    pub is_written: bool,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemorySink {
    /// Refuses the next page whose key ends with this text, once.
    pub fn refuse_once(&self, ending: &str) {
        *open(&self.refuse) = Some(ending.to_owned());
    }

    /// Makes the bucket hang from this write on.
    pub fn hang(&self, hang: Option<Hang>) {
        *open(&self.hang) = hang;
    }

    /// Performs a write, unless the bucket hangs before it.
    async fn write<T>(&self, write: impl FnOnce() -> T) -> T {
        let hang = *open(&self.hang);
        match hang {
            None => return write(),
            Some(Hang { after: 0, is_written }) => {
                if is_written {
                    write();
                }
            }
            Some(Hang { after, is_written }) => {
                *open(&self.hang) = Some(Hang { after: after - 1, is_written });
                return write();
            }
        }
        std::future::pending().await
    }

    /// Returns the stored objects, by key.
    #[must_use]
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        open(&self.objects).clone()
    }
}

impl RawSink for MemorySink {
    async fn store_page(&self, key: &str, page: Vec<u8>) -> Result<PageWrite, SinkError> {
        let is_refused = {
            let mut refuse = open(&self.refuse);
            refuse.take_if(|ending| key.ends_with(ending.as_str())).is_some()
        };
        if is_refused {
            return Err(SinkError::Write { key: key.to_owned(), source: "refused on demand".into() });
        }
        self.write(|| {
            let mut objects = open(&self.objects);
            if let Some(before) = objects.get(key) {
                return Ok(PageWrite::AlreadyStored(before.clone()));
            }
            objects.insert(key.to_owned(), page);
            Ok(PageWrite::Created)
        })
        .await
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        open(&self.objects)
            .get(key)
            .cloned()
            .ok_or_else(|| SinkError::Read { key: key.to_owned(), source: "not stored".into() })
    }

    async fn store_manifest(&self, key: &str, manifest: Vec<u8>) -> Result<(), SinkError> {
        self.write(|| drop(open(&self.objects).insert(key.to_owned(), manifest))).await;
        Ok(())
    }
}
