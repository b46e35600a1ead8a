//! Entities, columns, rules, matching and readings: pure functions from a record of Gazelle to a row.
//!
//! No socket, no clock and no environment: time is an argument.

pub mod cell;
pub mod column;
pub mod entity;
pub mod fold;
pub mod local_day;
pub mod matching;
pub mod money;
pub mod normalize;
pub mod reading;
pub mod repair;
pub mod row;
pub mod rule;
pub mod unresolved;
pub mod window;
