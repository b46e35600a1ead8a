//! A sink and a state store in memory, with a fault on demand.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fetcher::raw_sink::{RawSink, SinkError, Stored};
use fetcher::state::{State, StateError, StateStore, Versioned};

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

    async fn store_manifest(&self, key: &str, manifest: Vec<u8>) -> Result<(), SinkError> {
        open(&self.objects).insert(key.to_owned(), manifest);
        Ok(())
    }
}

/// States in memory, each with the number of its last writing as tag.
#[derive(Debug, Default)]
pub struct MemoryStates {
    states: Mutex<BTreeMap<&'static str, (State, u32)>>,
}

impl StateStore for MemoryStates {
    async fn load(&self, entity: &'static str) -> Result<Versioned, StateError> {
        let states = open(&self.states);
        Ok(states.get(entity).map_or_else(
            || Versioned { state: State::default(), tag: None },
            |(state, tag)| Versioned { state: state.clone(), tag: Some(tag.to_string()) },
        ))
    }

    async fn save(&self, entity: &'static str, versioned: &Versioned) -> Result<String, StateError> {
        let mut states = open(&self.states);
        let tag = states.get(entity).map(|(_, tag)| *tag);
        if tag.map(|tag| tag.to_string()) != versioned.tag {
            return Err(StateError::Taken { entity });
        }
        let next = tag.unwrap_or(0) + 1;
        states.insert(entity, (versioned.state.clone(), next));
        Ok(next.to_string())
    }
}
