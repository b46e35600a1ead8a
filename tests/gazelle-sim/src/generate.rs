//! Generation of the initial data from a seed.

pub(crate) mod client;
pub(crate) mod piano;
pub(crate) mod timeline;
pub(crate) mod user;
mod vocabulary;

use crate::{config::SimConfig, dataset::Dataset, model};

/// Number of clients, pianos and users that timeline entries refer to and that are in no listing.
const UNLISTED_PER_ENTITY: usize = 2;

/// Generates the data of a configuration. Without clients there is no timeline, as each entry needs one.
pub(crate) fn dataset(config: &SimConfig) -> Dataset {
    let mut dataset = Dataset::empty(config, model::tables());
    let unlisted = if config.oddities { UNLISTED_PER_ENTITY } else { 0 };
    user::populate(&mut dataset, config, unlisted);
    client::populate(&mut dataset, config, unlisted);
    piano::populate(&mut dataset, config, unlisted);
    timeline::populate(&mut dataset, config);
    model::populate(&mut dataset, config);
    dataset
}
