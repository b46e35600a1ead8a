//! Entry point of the GraphQL API: validates a request and writes its response.

use std::sync::Arc;

use async_graphql::{
    Request, Response, async_trait,
    dynamic::Schema,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
};

use super::{
    error::{self, GraphqlError},
    execute,
    plan::ExecutionPlan,
    request::ParsedRequest,
    schema::{self, SchemaError, SchemaIndex},
};
use crate::{dataset::Dataset, faults::PageFaults};

/// GraphQL API of the schema file.
pub(crate) struct Api {
    validator: Schema,
    schema: SchemaIndex,
    page_size_max: usize,
}

impl Api {
    /// Loads the schema file.
    pub(crate) fn new(page_size_max: usize) -> Result<Self, SchemaError> {
        let (schema, builder) = schema::load()?;
        let validator = builder.extension(ValidateOnly).finish()?;
        Ok(Self { validator, schema, page_size_max })
    }

    /// Executes a request and returns the JSON text of the response.
    pub(crate) async fn execute(
        &self,
        request: &ParsedRequest,
        dataset: &Arc<Dataset>,
        page_faults: PageFaults,
    ) -> String {
        match self.try_execute(request, dataset, page_faults).await {
            Ok(body) => body,
            Err(errors) => error::body(&errors),
        }
    }

    async fn try_execute(
        &self,
        request: &ParsedRequest,
        dataset: &Arc<Dataset>,
        page_faults: PageFaults,
    ) -> Result<String, Vec<GraphqlError>> {
        let is_introspection = request.is_introspection();
        let mut validated = Request::new(request.query.clone()).variables(request.variables.clone());
        validated.operation_name.clone_from(&request.operation_name);
        validated.set_parsed_query(request.document.clone());
        let response = self.validator.execute(validated.data(IsIntrospection(is_introspection))).await;
        if !response.errors.is_empty() {
            return Err(error::translate(&response.errors, &request.document));
        }
        if is_introspection {
            return serde_json::to_string(&response)
                .map_err(|error| vec![GraphqlError::new(&error.to_string(), "internal")]);
        }
        let plan = ExecutionPlan::compile(request, &self.schema).map_err(|error| vec![error])?;
        execute::run(&plan, dataset, &self.schema, page_faults, self.page_size_max)
            .map_err(|error| vec![error])
    }
}

struct IsIntrospection(bool);

/// Extension that lets the library validate and introspect only. The response is written by `execute`,
/// because the library's dynamic executor cannot serve null elements, which real lists contain.
struct ValidateOnly;

impl ExtensionFactory for ValidateOnly {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Self)
    }
}

#[async_trait::async_trait]
impl Extension for ValidateOnly {
    async fn execute(
        &self,
        context: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        if context.data_opt::<IsIntrospection>().is_some_and(|introspection| introspection.0) {
            next.run(context, operation_name).await
        } else {
            Response::default()
        }
    }
}
