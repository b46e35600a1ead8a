//! Holds the simulated Gazelle to what it promises.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod appointments;
mod change;
mod data;
mod fallback;
mod faults;
mod invoices;
mod paging;
mod schema;
mod session;
mod unchanged;
