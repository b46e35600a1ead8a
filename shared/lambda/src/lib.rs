//! The shell around a function: logs, numbers, alerts, deadline, secrets, queues. No sockets but AWS's.

mod alerts;
mod deadline;
mod error_chain;
mod logging;
mod metrics;
mod queue;
mod secret;

pub use alerts::Alerts;
pub use deadline::deadline;
pub use error_chain::error_chain;
pub use logging::{init_logging, init_terminal_logging};
pub use metrics::{Unit, measure};
pub use queue::{Queue, SendError};
pub use secret::Secrets;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// A call to AWS that takes longer is tried again: a default without limit would eat the deadline.
const AWS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
const AWS_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// The AWS configuration of the environment, with our timeouts.
pub async fn aws_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(AWS_CONNECT_TIMEOUT)
        .operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await
}

/// Whether buckets are addressed by path: where the endpoint is not AWS's own, a bucket has no host name.
#[must_use]
pub fn is_path_style(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some()
}
