//! Alerts an administrator: one notice when something fails, one when it is over, one report a day.
//!
//! Open alerts and undelivered notices stand in one object of the bucket: an alert needs no database.

pub mod alert;
pub mod alert_delay;
pub mod alert_store;
pub mod alerter;
pub mod channel;
pub mod config;
pub mod daily_report;
mod dispatch;
pub mod event;
pub mod handler;
pub mod memory;
pub mod message;
mod observe;
mod performance;
mod redrive;
pub mod snapshot;
