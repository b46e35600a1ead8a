//! The health API as a Lambda function.

use health::handler::Health;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let health = Health::from_env()
        .await
        .inspect_err(|error| tracing::error!("Could not start: {}", lambda::error_chain(error.as_ref())))?;
    run(service_fn(|event: LambdaEvent<Value>| Box::pin(health.handle(event)))).await
}
