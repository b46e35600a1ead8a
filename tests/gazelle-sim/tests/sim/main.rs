//! Holds the simulated Gazelle to what it promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod change;
mod data;
mod faults;
mod paging;
mod schema;
mod session;
