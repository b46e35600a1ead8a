//! The fetcher as a Lambda function.

use fetcher::handler::Fetcher;
use lambda_runtime::{LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let fetcher = Fetcher::from_env().await.inspect_err(|error| {
        tracing::error!("Could not start the fetcher: {}", lambda::error_chain(error.as_ref()));
    })?;
    run(service_fn(|event: LambdaEvent<Value>| fetcher.handle(event))).await
}
