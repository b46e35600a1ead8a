//! State of the simulated data at one time.

use std::sync::Arc;

use chrono::{DateTime, Duration, DurationRound, Utc};

use crate::{
    config::SimConfig,
    datetime,
    entity::{Entity, ModelId},
    record::Record,
    rng::SeededRng,
    table::Table,
};

/// First random stream of changes; lower streams belong to the generation of the data.
const CHANGE_STREAMS: u64 = 1000;

/// Data of a simulation. A request works on one immutable `Arc` of it.
#[derive(Clone)]
pub(crate) struct Dataset {
    pub(crate) seed: u64,
    /// Time of the latest change.
    pub(crate) now: DateTime<Utc>,
    pub(crate) users: Table,
    pub(crate) clients: Table,
    /// Pianos, each with its measurements.
    pub(crate) pianos: Table,
    pub(crate) timeline: Table,
    /// Tables of the models, in the order of the registry.
    modelled: Vec<(ModelId, Table)>,
    /// Deleted records in order of deletion, which a change may restore.
    pub(crate) deleted: Vec<(Entity, Arc<Record>)>,
    real_time: bool,
    changes: u64,
}

impl Dataset {
    /// Creates a dataset of empty tables at the configured time.
    pub(crate) fn empty(config: &SimConfig, modelled: Vec<(ModelId, Table)>) -> Self {
        let start = config.now.unwrap_or_else(|| {
            let now = Utc::now();
            now.duration_trunc(Duration::days(1)).unwrap_or(now)
        });
        Self {
            seed: config.seed,
            now: start,
            users: Table::new("createdAt", false),
            clients: Table::new("createdAt", false),
            pianos: Table::new("createdAt", false),
            timeline: Table::new("occurredAt", true),
            modelled,
            deleted: Vec::new(),
            real_time: config.now.is_none(),
            changes: 0,
        }
    }

    /// Returns the table of an entity.
    pub(crate) fn table(&self, entity: Entity) -> &Table {
        match entity {
            Entity::User => &self.users,
            Entity::Client => &self.clients,
            Entity::Piano => &self.pianos,
            Entity::TimelineEntry => &self.timeline,
            Entity::Modelled(id) => &self.modelled[self.model_index(id)].1,
        }
    }

    /// Returns the table of an entity for modification.
    pub(crate) fn table_mut(&mut self, entity: Entity) -> &mut Table {
        match entity {
            Entity::User => &mut self.users,
            Entity::Client => &mut self.clients,
            Entity::Piano => &mut self.pianos,
            Entity::TimelineEntry => &mut self.timeline,
            Entity::Modelled(id) => {
                let index = self.model_index(id);
                &mut self.modelled[index].1
            }
        }
    }

    fn model_index(&self, id: ModelId) -> usize {
        self.modelled.iter().position(|(known, _)| *known == id).unwrap_or_default()
    }

    /// Returns the ids of the listed records of an entity, in listing order.
    pub(crate) fn listed_ids(&self, entity: Entity) -> Vec<Arc<str>> {
        self.table(entity).with_ids().map(|(id, _)| Arc::clone(id)).collect()
    }

    /// Returns the listed measurements, including those without an id, each with its piano.
    pub(crate) fn measurements(&self) -> impl Iterator<Item = (&Arc<Record>, &Arc<Record>)> {
        self.pianos.records().flat_map(|piano| {
            piano.objects("allPianoMeasurements").map(move |measurement| (piano, measurement))
        })
    }

    /// Moves the clock forward by a second or, in real time, to the current time, and returns it as a
    /// `CoreDateTime`.
    pub(crate) fn advance_clock(&mut self) -> String {
        let next = self.now + Duration::seconds(1);
        self.now = if self.real_time { next.max(Utc::now()) } else { next };
        datetime::format(self.now)
    }

    /// Returns the random number generator of the next change.
    pub(crate) fn next_rng(&mut self) -> SeededRng {
        self.changes += 1;
        SeededRng::new(self.seed, CHANGE_STREAMS + self.changes)
    }
}
