//! Every French and English word that people read: page, alerts, daily report and terminal.

pub mod language;
