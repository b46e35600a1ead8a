//! French texts of the terminal command `gazelle-admin`, by command.
//!
//! A text never holds an English cause: the command prints that on a line of its own.

pub mod authorise;
pub mod database;
pub mod doctor;
pub mod failure;
pub mod help;
pub mod import_v5;
