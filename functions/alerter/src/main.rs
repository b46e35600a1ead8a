//! The alerter as a Lambda function.

use alerter::alerter::Alerter;
use alerter::handler::handle;
use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let alerter = Alerter::from_env()
        .await
        .inspect_err(|error| tracing::error!("Could not start: {}", lambda::error_chain(error.as_ref())))?;
    run(service_fn(|event: LambdaEvent<Value>| {
        let answer = Box::pin(handle(&alerter, event));
        // People read the type of an error, too: without this it is the name of a Rust type.
        async move {
            answer.await.map_err(|error| Diagnostic {
                error_type: "RequestFailed".to_owned(),
                error_message: lambda::error_chain(error.as_ref()),
            })
        }
    }))
    .await
}
