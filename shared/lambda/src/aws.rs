//! AWS configuration that every function shares.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};

/// Time limit for one attempt of a call to AWS. The SDK sets none by itself, so that one hanging call would use up
/// the invocation's deadline; a call cut off here is retried.
const AWS_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(20);
/// Time limit for a connection to AWS. Its endpoints are in the same region, so that a slower one is broken.
const AWS_CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Loads the AWS configuration of the environment, with this project's timeouts.
pub async fn aws_config() -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(AWS_CONNECT_TIMEOUT)
        .operation_attempt_timeout(AWS_ATTEMPT_TIMEOUT)
        .build();
    aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await
}

/// Returns whether buckets are addressed by path: an endpoint other than AWS's own has no host name per bucket.
#[must_use]
pub fn is_path_style(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some()
}
