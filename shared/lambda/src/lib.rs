//! Shell around a Lambda function: logs, metrics, alert messages, deadline, secrets, queues.
//!
//! Reaches nothing on the network but AWS.

mod alert_sender;
mod aws;
mod deadline;
mod error_chain;
mod logging;
mod metrics;
mod queue;
mod secret;

pub use alert_sender::AlertSender;
pub use aws::{aws_config, is_path_style};
pub use deadline::deadline;
pub use error_chain::error_chain;
pub use logging::{init_logging, init_terminal_logging};
pub use metrics::{Unit, emit_metrics};
pub use queue::{Queue, QueueError};
pub use secret::Secrets;
