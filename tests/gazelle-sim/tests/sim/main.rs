//! Tests of the simulated Gazelle over HTTP.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod advance;
mod appointments;
mod auth;
mod fallback;
mod faults;
mod generation;
mod golden;
mod invoices;
mod paging;
mod schema;
mod session;
