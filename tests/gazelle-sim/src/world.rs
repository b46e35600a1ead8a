//! Everything the simulated Gazelle knows at one moment.

use std::{collections::BTreeSet, sync::Arc};

use chrono::{DateTime, Duration, DurationRound, Utc};

use crate::{
    SimConfig, clock,
    dice::Dice,
    model,
    record::{Datum, Entity, Record},
    table::Table,
};

/// The data of a simulation. A request works on one unchanging `Arc` of it.
#[derive(Clone)]
pub(crate) struct World {
    /// The seed all data follows from.
    pub(crate) seed: u64,
    /// The moment of the latest change.
    pub(crate) clock: DateTime<Utc>,
    /// `PrivateUser`
    pub(crate) users: Table,
    /// `PrivateClient`
    pub(crate) clients: Table,
    /// `PrivatePiano`, measurements inside
    pub(crate) pianos: Table,
    /// `PrivateTimelineEntry`
    pub(crate) timeline: Table,
    /// The records of the models, in the order of the registry.
    modelled: Vec<Table>,
    /// Deleted records, the latest last: they may return.
    pub(crate) removed: Vec<(Entity, Arc<Record>)>,
    real_time: bool,
    changes: u64,
}

impl World {
    /// A world without records, at the present of the configuration.
    pub(crate) fn empty(config: &SimConfig) -> Self {
        let present = config.now.unwrap_or_else(|| {
            let now = Utc::now();
            now.duration_trunc(Duration::days(1)).unwrap_or(now)
        });
        Self {
            seed: config.seed,
            clock: present,
            users: Table::new("createdAt", false),
            clients: Table::new("createdAt", false),
            pianos: Table::new("createdAt", false),
            timeline: Table::new("occurredAt", true),
            modelled: model::ALL.iter().map(|model| model.table()).collect(),
            removed: Vec::new(),
            real_time: config.now.is_none(),
            changes: 0,
        }
    }

    /// The table of an entity.
    pub(crate) fn table(&self, entity: Entity) -> &Table {
        match entity {
            Entity::User => &self.users,
            Entity::Client => &self.clients,
            Entity::Piano => &self.pianos,
            Entity::TimelineEntry => &self.timeline,
            Entity::Modelled(model) => &self.modelled[model.place()],
        }
    }

    /// The table of an entity, to change it.
    pub(crate) fn table_mut(&mut self, entity: Entity) -> &mut Table {
        match entity {
            Entity::User => &mut self.users,
            Entity::Client => &mut self.clients,
            Entity::Piano => &mut self.pianos,
            Entity::TimelineEntry => &mut self.timeline,
            Entity::Modelled(model) => &mut self.modelled[model.place()],
        }
    }

    /// Moves the clock to a moment later than any before, and answers it as a `CoreDateTime`.
    pub(crate) fn tick(&mut self) -> String {
        let next = self.clock + Duration::seconds(1);
        self.clock = if self.real_time { next.max(Utc::now()) } else { next };
        clock::stamp(self.clock)
    }

    /// The draws of the next change.
    pub(crate) fn dice(&mut self) -> Dice {
        self.changes += 1;
        // Streams below 1,000 belong to the generation of the data.
        Dice::new(self.seed, 1000 + self.changes)
    }

    /// The listed measurements, null ids included, with the piano that lists them.
    pub(crate) fn measurements(&self) -> impl Iterator<Item = (&Arc<Record>, &Arc<Record>)> {
        self.pianos.records().flat_map(|piano| {
            piano.objects("allPianoMeasurements").map(move |measurement| (piano, measurement))
        })
    }

    /// The ids that listed records name and no listing of that entity shows.
    pub(crate) fn placeholders(&self, entity: Entity) -> BTreeSet<Arc<str>> {
        let table = self.table(entity);
        let mut missing = BTreeSet::new();
        let sources: &[(Entity, &str)] = match entity {
            Entity::User => &[(Entity::TimelineEntry, "user"), (Entity::Client, "preferredTechnician")],
            Entity::Client => &[(Entity::TimelineEntry, "client"), (Entity::Piano, "client")],
            Entity::Piano => &[(Entity::TimelineEntry, "piano")],
            Entity::TimelineEntry | Entity::Modelled(_) => &[],
        };
        for (source, field) in sources {
            for (_, record) in self.table(*source).identified() {
                if let Some(Datum::Reference(_, id)) = record.get(field)
                    && !missing.contains(id)
                    && !table.lists(id)
                {
                    missing.insert(Arc::clone(id));
                }
            }
        }
        for model in model::ALL {
            for (_, record) in self.table(Entity::Modelled(model)).identified() {
                let named = model.references.iter().flat_map(|reference| reference.named(record, entity));
                missing.extend(named.filter(|id| !table.lists(id)));
            }
        }
        missing
    }
}
