//! The schema: migrations, roles, privileges, and an inspection of what stands open.

mod access;
mod inspect;
mod migrate;
mod session;
mod statements;

pub use access::{Login, expose, set_password};
pub use inspect::{Finding, Inspection, findings, inspect};
pub use migrate::{latest_migration, migrate};
pub use session::keeps_session;

/// Returns the static statements of the schema, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [access::STATEMENTS, inspect::STATEMENTS, session::STATEMENTS].concat()
}

/// Returns the statements that carry the name of a migrated schema, by name.
pub(crate) fn assembled(schema: &str) -> Vec<(&'static str, String)> {
    statements::assembled(schema)
}
