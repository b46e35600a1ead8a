//! What a person does with an installation from a terminal. Its words are French, as its readers are.

pub mod authorise;
pub mod doctor;
pub mod import_v5;
pub mod login;
pub mod migrate;
mod settings;

/// Why a command could not be done, for people.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
