//! Administration of an installation from a terminal. What it prints is French, from `i18n::terminal`.

pub mod authorise;
mod callback;
pub mod doctor;
mod error;
pub mod import_v5;
pub mod login;
pub mod migrate;
mod settings;

pub use error::AdminError;
