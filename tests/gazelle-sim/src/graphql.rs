//! Private GraphQL API: validation and execution of queries.

pub(crate) mod api;
pub(crate) mod error;
mod execute;
mod fallback;
mod filter;
mod page;
mod plan;
pub(crate) mod request;
mod root;
pub(crate) mod schema;
mod variables;
