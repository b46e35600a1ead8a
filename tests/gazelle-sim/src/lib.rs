//! Simulated Gazelle on 127.0.0.1: the real GraphQL schema, seeded data with oddities, and the expected
//! contents of the mirror to compare with.

mod advance;
mod column;
mod config;
mod dataset;
mod datetime;
mod endpoint;
mod entity;
mod faults;
mod generate;
mod graphql;
mod mirror;
mod model;
mod record;
mod record_faults;
mod rng;
mod server;
mod state;
mod stats;
mod table;
mod tcp;
mod tokens;
mod truth;
mod values;

pub use self::{
    config::SimConfig,
    graphql::schema::{ADDED_ENUM_VALUES, SCHEMA_SDL},
    server::{RunningSim, serve},
};
