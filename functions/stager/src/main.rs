//! Lambda function of the stager.

use lambda_runtime::{Diagnostic, LambdaEvent, run, service_fn};
use serde_json::Value;
use stager::handler::Stager;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    lambda::init_logging();
    let stager = Stager::from_env()
        .await
        .inspect_err(|error| tracing::error!("Could not start: {}", lambda::error_chain(error.as_ref())))?;
    run(service_fn(|event: LambdaEvent<Value>| {
        let answer = Box::pin(stager.handle(event));
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
