//! The schema: migrations, roles and privileges.

mod migrate;
mod secure;

pub use migrate::{latest_migration, migrate};
pub use secure::{Finding, Inspection, Login, expose, findings, inspect, set_password};
