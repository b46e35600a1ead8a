//! Records that records of models may refer to.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    dataset::Dataset,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::reference,
};

/// Clients, pianos and users that were listed when the pool was created.
pub(crate) struct ReferencePool {
    /// Current time of the data.
    pub(crate) now: DateTime<Utc>,
    clients: Vec<Arc<Record>>,
    /// Ids of pianos by the id of their client.
    pianos: HashMap<Arc<str>, Vec<Arc<str>>>,
    users: Vec<Arc<str>>,
}

impl ReferencePool {
    /// Collects the listed records of a dataset.
    pub(crate) fn new(dataset: &Dataset) -> Self {
        let mut pianos: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        for (id, piano) in dataset.pianos.with_ids() {
            if let Some(owner) = piano.text("client") {
                pianos.entry(Arc::clone(owner)).or_default().push(Arc::clone(id));
            }
        }
        Self {
            now: dataset.now,
            clients: dataset.clients.with_ids().map(|(_, client)| Arc::clone(client)).collect(),
            pianos,
            users: dataset.listed_ids(Entity::User),
        }
    }

    /// Draws a client; returns `None` if there are none.
    pub(crate) fn client(&self, rng: &mut SeededRng) -> Option<&Arc<Record>> {
        (!self.clients.is_empty()).then(|| &self.clients[rng.below(self.clients.len())])
    }

    /// Draws a reference to a user, with the given probability.
    pub(crate) fn user(&self, rng: &mut SeededRng, probability: f64) -> Option<Datum> {
        (!self.users.is_empty() && rng.chance(probability))
            .then(|| reference(Entity::User, &self.users[rng.below(self.users.len())]))
    }

    /// Draws references to at most `max` distinct pianos of a client.
    pub(crate) fn pianos_of(&self, rng: &mut SeededRng, client: Option<&Arc<str>>, max: usize) -> Vec<Datum> {
        let owned = client.and_then(|id| self.pianos.get(id)).map_or(&[][..], Vec::as_slice);
        let count = rng.below(max.min(owned.len()) + 1);
        let first = rng.below(owned.len());
        (0..count).map(|offset| reference(Entity::Piano, &owned[(first + offset) % owned.len()])).collect()
    }
}
