//! French texts of the terminal commands `gazelle-admin` and `fetch`, by command.
//!
//! A text never holds an English cause: the command prints that on a line of its own.

pub mod authorise;
pub mod database;
pub mod doctor;
pub mod failure;
pub mod fetch;
pub mod help;
pub mod import_v5;
