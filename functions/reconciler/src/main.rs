//! Lambda function of the reconciler.

use lambda_runtime::{LambdaEvent, run, service_fn};
use reconciler::handler::Reconciler;
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let reconciler = Reconciler::from_env()
        .await
        .inspect_err(|error| tracing::error!("Could not start: {}", lambda::error_chain(error.as_ref())))?;
    run(service_fn(|event: LambdaEvent<Value>| Box::pin(reconciler.handle(event)))).await
}
