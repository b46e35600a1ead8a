//! Lambda function of the stager.

use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;
use stager::handler::Stager;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let stager = Stager::from_env()
        .await
        .inspect_err(|error| tracing::error!("Could not start: {}", lambda::error_chain(error.as_ref())))?;
    run(service_fn(|event: LambdaEvent<Value>| Box::pin(stager.handle(event)))).await
}
