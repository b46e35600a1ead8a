//! The private GraphQL API: what a document asks, whether it may, and the answer.

mod compile;
mod execute;
mod fallback;
mod filter;
mod page;
mod refusal;
mod root;
mod sdl;
mod variables;

use std::sync::Arc;

use async_graphql::{
    Request, Response, Variables, async_trait,
    dynamic::Schema,
    extensions::{Extension, ExtensionContext, ExtensionFactory, NextExecute},
    parser::types::ExecutableDocument,
};
use serde::Deserialize;

pub(crate) use self::refusal::{Refusal, body as refusal_body};
pub use self::sdl::{ADDED_ENUM_VALUES, SCHEMA_SDL};
use self::{compile::Operation, sdl::Shapes};
use crate::world::World;

/// A GraphQL request as it comes over HTTP.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct GraphqlRequest {
    pub(crate) query: String,
    pub(crate) variables: Option<serde_json::Value>,
    pub(crate) operation_name: Option<String>,
}

/// A request that parses, before its validation.
pub(crate) struct ParsedRequest {
    query: String,
    variables: Variables,
    operation_name: Option<String>,
    document: ExecutableDocument,
}

/// What to spoil in an otherwise right answer.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spoil {
    /// The share of a page's nodes served as null, decided by the seed beside it.
    pub(crate) null_nodes: Option<(f64, u64)>,
    /// The page's nodes and edges are null, as after an error in their midst.
    pub(crate) null_page: bool,
    /// What becomes of the cursor by which the next page would be found.
    pub(crate) cursor: CursorFault,
}

/// What becomes of the cursor by which the next page would be found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CursorFault {
    /// It is right.
    #[default]
    None,
    /// There is more, and no cursor.
    Lost,
    /// It leads back to the beginning.
    Circles,
}

/// What every request needs to know of the schema.
pub(crate) struct Api {
    schema: Schema,
    shapes: Shapes,
    page_size_max: usize,
}

impl Api {
    /// The API of the schema file.
    pub(crate) fn new(page_size_max: usize) -> Result<Self, String> {
        let (shapes, builder) = sdl::load()?;
        let schema = builder.extension(ValidateOnly).finish().map_err(|error| error.to_string())?;
        Ok(Self { schema, shapes, page_size_max })
    }

    /// The JSON text of the answer to a request.
    pub(crate) async fn answer(&self, request: &ParsedRequest, world: &Arc<World>, spoil: Spoil) -> String {
        match self.try_answer(request, world, spoil).await {
            Ok(body) => body,
            Err(refusals) => refusal::body(&refusals),
        }
    }

    async fn try_answer(
        &self,
        request: &ParsedRequest,
        world: &Arc<World>,
        spoil: Spoil,
    ) -> Result<String, Vec<Refusal>> {
        let introspective = request.asks_the_schema();
        let mut validated = Request::new(request.query.clone()).variables(request.variables.clone());
        validated.operation_name.clone_from(&request.operation_name);
        validated.set_parsed_query(request.document.clone());
        let response = self.schema.execute(validated.data(Introspective(introspective))).await;
        if !response.errors.is_empty() {
            return Err(refusal::translate(&response.errors, &request.document));
        }
        if introspective {
            return serde_json::to_string(&response)
                .map_err(|error| vec![Refusal::new(&error.to_string(), "internal")]);
        }
        let operation = Operation::compile(request, &self.shapes).map_err(|refusal| vec![refusal])?;
        execute::run(&operation, world, &self.shapes, spoil, self.page_size_max)
            .map_err(|refusal| vec![refusal])
    }
}

impl ParsedRequest {
    /// Parses a request; a syntax error is the refusal's body.
    pub(crate) fn parse(request: GraphqlRequest) -> Result<Self, String> {
        let document = async_graphql::parser::parse_query(&request.query).map_err(|error| {
            refusal::body(&[Refusal::new(&format!("Parse error: {error}"), "parseError")])
        })?;
        Ok(Self {
            query: request.query,
            variables: Variables::from_json(request.variables.unwrap_or_default()),
            operation_name: request.operation_name,
            document,
        })
    }

    /// The names of the root fields, in the order of the document.
    pub(crate) fn root_fields(&self) -> Vec<String> {
        compile::root_fields(self).into_iter().map(|field| field.name.node.to_string()).collect()
    }

    /// What to count the request under: its operation name, else its first root field.
    pub(crate) fn label(&self) -> String {
        self.operation_name
            .clone()
            .or_else(|| compile::operation_name(self))
            .or_else(|| self.root_fields().into_iter().next())
            .unwrap_or_else(|| "unknown".into())
    }

    /// Whether it asks for a page of the timeline.
    pub(crate) fn asks_timeline(&self) -> bool {
        self.root_fields().iter().any(|name| name == "allTimelineEntries")
    }

    fn asks_the_schema(&self) -> bool {
        self.root_fields().iter().any(|name| name == "__schema" || name == "__type")
    }
}

struct Introspective(bool);

/// Lets the library parse, validate and introspect; the answer itself is written by `execute`, because
/// the library's dynamic executor cannot serve the null elements that real lists contain.
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
        if context.data_opt::<Introspective>().is_some_and(|introspective| introspective.0) {
            next.run(context, operation_name).await
        } else {
            Response::default()
        }
    }
}
