//! PostgreSQL: every SQL statement of the pipeline stands in this crate.
//!
//! Statements work on sets of rows. Only a `&'static str` of the entity registry becomes an identifier. Names of tables
//! are unqualified: each transaction sets `search_path` to the configured schema.

pub mod actions;
mod bisect;
pub mod completeness;
pub mod deletion;
mod error;
pub mod follow_up;
pub mod matching;
pub mod performance;
mod pool;
pub mod production;
pub mod queries;
pub mod runs;
pub mod schema;
pub mod staging;
mod statements;
pub mod v5;

use model::entity;

pub use error::{ConnectError, Error, InvalidDatabaseConfig, is_data_error, is_out_of_reach};
pub use pool::{DatabaseConfig, DatabaseSettings, Db, PoolMode, SecretDb, Tx};

/// Returns every statement that this crate can send, static and assembled, for the test that prepares each on a migrated
/// database. `schema` is the name of the migrated schema. Statements on the tables of V5 are left out, because those
/// tables exist in a V5 database only.
#[must_use]
pub fn all_statements(schema: &str) -> Vec<(String, String)> {
    let fixed = [
        actions::STATEMENTS.to_vec(),
        completeness::STATEMENTS.to_vec(),
        deletion::statements(),
        follow_up::STATEMENTS.to_vec(),
        matching::statements(),
        performance::STATEMENTS.to_vec(),
        pool::statements(),
        production::statements(),
        queries::statements(),
        runs::STATEMENTS.to_vec(),
        schema::statements(),
        staging::statements(),
        v5::statements(),
    ];
    let fixed = fixed.concat().into_iter().map(|(name, sql)| (name.to_owned(), sql.to_owned()));
    let of_entity = |entity: &'static entity::Entity| {
        let rooms = [
            actions::assembled(entity),
            completeness::assembled(entity),
            deletion::assembled(entity),
            follow_up::assembled(entity),
            matching::assembled(entity),
            performance::assembled(entity),
            statements::assembled(entity),
            v5::assembled(entity),
        ];
        rooms.concat().into_iter().map(move |(name, sql)| (format!("{name} of {}", entity.name), sql))
    };
    let whole = [queries::assembled(), schema::assembled(schema)].concat();
    let whole = whole.into_iter().map(|(name, sql)| (name.to_owned(), sql));
    fixed.chain(entity::ALL.into_iter().flat_map(of_entity)).chain(whole).collect()
}
