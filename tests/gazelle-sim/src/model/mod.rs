//! The registry of models: each file tells all that the simulation needs to know of one more entity.

mod appointment;
mod cast;
mod invoice;
mod reference;

use std::fmt;

pub(crate) use self::{cast::Cast, reference::Reference};
use crate::{
    SimConfig,
    dice::Dice,
    generate::spread,
    record::{Entity, Record},
    table::Table,
    truth::{Column, Part},
    world::World,
};

/// Every model. A line may be added at the end; the place of each decides its draws.
pub(crate) static ALL: &[&Model] = &[&invoice::INVOICE, &appointment::APPOINTMENT];

/// Models draw from streams of their own from here on, beside those of the other entities.
const FIRST_STREAM: u64 = 10;

/// How many null nodes stand in the listing of each model, where the data is odd.
const NULL_NODES: usize = 2;

/// All about one entity.
pub(crate) struct Model {
    /// The name of the mirror's table, in addresses and reports.
    pub(crate) name: &'static str,
    /// The root field that lists the records.
    pub(crate) root: &'static str,
    /// The root field that answers one record, and the argument that holds the id.
    pub(crate) by_id: (&'static str, &'static str),
    /// The date field that the listing is in the order of, oldest first.
    pub(crate) date_field: &'static str,
    /// What the sort orders call it: `CREATED_AT` of `CREATED_AT_ASC`.
    pub(crate) sort: &'static str,
    /// How many places the listing has.
    pub(crate) count: fn(&SimConfig) -> usize,
    /// A record as it stands there at the present.
    pub(crate) populate: fn(&mut Dice, &Cast) -> Option<Record>,
    /// Makes some of the records odd, in place.
    pub(crate) make_odd: fn(&mut Dice, &mut [Record], &World),
    /// A record made at the present.
    pub(crate) create: fn(&mut Dice, &Cast) -> Option<Record>,
    /// The days from the present in which records are dated that people change, if not all.
    pub(crate) edited_days: Option<(i64, i64)>,
    /// Changes a record visibly at the present and never empties a text; `updatedAt` moves by itself.
    pub(crate) edit: fn(&mut Dice, &mut Record, &Cast),
    /// The filters of the listing that are simulated.
    pub(crate) filters: &'static [(&'static str, Filter)],
    /// Where a record names records of other entities.
    pub(crate) references: &'static [Reference],
    /// The columns of the mirror's table.
    pub(crate) columns: &'static [Column],
    /// The lists inside a record that the mirror keeps in tables of their own.
    pub(crate) parts: &'static [Part],
}

/// What a filter compares.
pub(crate) enum Filter {
    /// The text at the path is one of those asked for.
    OneOf(&'static [&'static str]),
    /// The flag is as asked for; one that is not set is false.
    Flag(&'static str),
    /// The local day of the moment is the one asked for or a later one.
    DayGet(&'static str),
    /// The local day of the moment is the one asked for or an earlier one.
    DayLet(&'static str),
    /// A record of the list has in this field one of the texts asked for.
    AnyOf(&'static str, &'static str),
}

impl PartialEq for Model {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}

impl Model {
    /// The place in the registry.
    pub(crate) fn place(&self) -> usize {
        ALL.iter().position(|model| *model == self).unwrap_or_default()
    }

    /// A table without records.
    pub(crate) fn table(&self) -> Table {
        Table::new(self.date_field, false)
    }
}

/// The model that this root field lists.
pub(crate) fn listed_by(root: &str) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.root == root)
}

/// The model of which this root field answers one record.
pub(crate) fn answered_by(root: &str) -> Option<&'static Model> {
    ALL.iter().copied().find(|model| model.by_id.0 == root)
}

/// Lists the records of all models. The other entities are there already.
pub(crate) fn populate(world: &mut World, config: &SimConfig) {
    let cast = Cast::of(world);
    for (stream, model) in (FIRST_STREAM..).zip(ALL) {
        let mut dice = Dice::new(world.seed, stream);
        let count = (model.count)(config);
        let null_nodes = if config.oddities { spread(count, NULL_NODES) } else { Vec::new() };
        let listed = count - null_nodes.len();
        let mut records: Vec<Record> =
            (0..listed).filter_map(|_| (model.populate)(&mut dice, &cast)).collect();
        if config.oddities {
            (model.make_odd)(&mut dice, &mut records, world);
        }
        let table = world.table_mut(Entity::Modelled(model));
        table.fill(records);
        table.add_null_nodes(null_nodes);
    }
}
