//! What a person does with an installation from a terminal.

pub mod import_v5;
pub mod migrate;

/// Why a command could not be done, for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
