//! HTTP endpoints of the simulation.

pub(crate) mod control;
pub(crate) mod graphql;
pub(crate) mod oauth;
mod response;
