//! The one door to PostgreSQL: every SQL statement of the pipeline stands in this crate.
//!
//! One statement per function, set-based. Only a `&'static str` of the entity registry becomes an
//! identifier. Names are unqualified: each transaction sets `search_path` to the configured schema.

pub mod actions;
pub mod deletion;
mod error;
pub mod matching;
mod pool;
pub mod production;
pub mod queries;
pub mod runs;
pub mod schema;
pub mod staging;
pub mod v5;

pub use error::{is_data_error, is_out_of_reach};
pub use pool::{
    BadDatabaseConfig, DatabaseConfig, DatabaseSettings, Db, PoolMode, SecretDb, Tx, UnreachableDb,
};

/// The error of every function here.
pub type Error = sqlx::Error;
