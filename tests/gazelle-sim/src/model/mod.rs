//! Registry of models. Each model is one file with all that the simulation needs to know of an entity.

mod appointment;
pub(crate) mod definition;
mod invoice;
pub(crate) mod pool;
mod reference;

use self::{definition::Model, pool::ReferencePool};
use crate::{
    config::SimConfig,
    dataset::Dataset,
    entity::{Entity, ModelId},
    record::Record,
    rng::SeededRng,
    table::Table,
    values::spread,
};

/// Registered models. Add a line only at the end: the position of a model selects its random stream.
pub(crate) static ALL: &[&Model] = &[&invoice::INVOICE, &appointment::APPOINTMENT];

/// Random stream of the first model; lower streams belong to the other entities.
const FIRST_STREAM: u64 = 10;

/// Number of null nodes in the listing of each model, if oddities are on.
const NULL_NODES: usize = 2;

/// Creates an empty table for each model.
pub(crate) fn tables() -> Vec<(ModelId, Table)> {
    ALL.iter().map(|model| (model.id, Table::new(model.date_field, false))).collect()
}

/// Finds a model by its id.
pub(crate) fn find(id: ModelId) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.id == id)
}

/// Finds the model that a root field lists.
pub(crate) fn find_by_listing(root_field: &str) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.listing == root_field)
}

/// Finds the model of which a root field returns one record.
pub(crate) fn find_by_lookup(root_field: &str) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.lookup.0 == root_field)
}

/// Generates the records of all models; the other entities must be generated already.
pub(crate) fn populate(dataset: &mut Dataset, config: &SimConfig) {
    let pool = ReferencePool::new(dataset);
    for (stream, model) in (FIRST_STREAM..).zip(ALL) {
        let mut rng = SeededRng::new(dataset.seed, stream);
        let count = (model.count)(config);
        let null_nodes = if config.oddities { spread(count, NULL_NODES) } else { Vec::new() };
        let listed = count - null_nodes.len();
        let mut records: Vec<Record> =
            (0..listed).filter_map(|_| (model.populate)(&mut rng, &pool)).collect();
        if config.oddities {
            (model.add_oddities)(&mut rng, &mut records, dataset);
        }
        let table = dataset.table_mut(Entity::Modelled(model.id));
        table.load(records);
        table.add_null_nodes(null_nodes);
    }
}
