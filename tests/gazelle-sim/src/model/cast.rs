//! Whom and what the records of models can be about.

use std::{collections::HashMap, sync::Arc};

use chrono::{DateTime, Utc};

use crate::{
    dice::Dice,
    generate::reference,
    record::{Datum, Entity, Record},
    world::World,
};

/// The listed clients, pianos and users at one moment.
pub(crate) struct Cast {
    /// The present of the data.
    pub(crate) now: DateTime<Utc>,
    clients: Vec<Arc<Record>>,
    pianos: HashMap<Arc<str>, Vec<Arc<str>>>,
    users: Vec<Arc<str>>,
}

impl Cast {
    /// The cast of a world.
    pub(crate) fn of(world: &World) -> Self {
        let mut pianos: HashMap<Arc<str>, Vec<Arc<str>>> = HashMap::new();
        for (id, piano) in world.pianos.identified() {
            if let Some(owner) = piano.text("client") {
                pianos.entry(Arc::clone(owner)).or_default().push(Arc::clone(id));
            }
        }
        Self {
            now: world.clock,
            clients: world.clients.identified().map(|(_, client)| Arc::clone(client)).collect(),
            pianos,
            users: world.users.identified().map(|(id, _)| Arc::clone(id)).collect(),
        }
    }

    /// Any client.
    pub(crate) fn client(&self, dice: &mut Dice) -> Option<&Arc<Record>> {
        (!self.clients.is_empty()).then(|| &self.clients[dice.below(self.clients.len())])
    }

    /// Any user, with the given probability.
    pub(crate) fn user(&self, dice: &mut Dice, probability: f64) -> Option<Datum> {
        (!self.users.is_empty() && dice.chance(probability))
            .then(|| reference(Entity::User, &self.users[dice.below(self.users.len())]))
    }

    /// Up to so many pianos of a client, each once.
    pub(crate) fn pianos_of(&self, dice: &mut Dice, client: Option<&Arc<str>>, most: usize) -> Vec<Datum> {
        let owned = client.and_then(|id| self.pianos.get(id)).map_or(&[][..], Vec::as_slice);
        let wanted = dice.below(most.min(owned.len()) + 1);
        let first = dice.below(owned.len());
        (0..wanted).map(|step| reference(Entity::Piano, &owned[(first + step) % owned.len()])).collect()
    }
}
