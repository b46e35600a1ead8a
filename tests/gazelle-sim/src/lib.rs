//! A simulated Gazelle: the real schema, odd data, a truth to compare with, on 127.0.0.1 only.

mod advance;
mod clock;
mod config;
mod dice;
mod endpoint;
mod faults;
mod generate;
mod graphql;
mod model;
mod record;
mod server;
mod stats;
mod table;
mod tokens;
mod truth;
mod wire;
mod world;

pub use self::{
    config::SimConfig,
    graphql::{ADDED_ENUM_VALUES, SCHEMA_SDL},
    server::{RunningSim, serve},
};
