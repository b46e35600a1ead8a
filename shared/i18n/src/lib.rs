//! Every French and English word that people read: page, alerts, daily report and terminal.

mod actions;
pub mod alert;
pub mod indicator;
mod labels;
pub mod language;
pub mod page;
pub mod report;
pub mod terminal;
