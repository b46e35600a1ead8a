//! Client of Gazelle's private GraphQL API: transport, rate limiter, credentials. Read-only.

mod config;
mod graphql;
mod rate_limiter;
mod token;
mod token_lease;
mod token_store;

pub use config::{GAZELLE_TOKEN_URL, GAZELLE_URL, GazelleConfig};
pub use graphql::{ApiError, Gazelle};
pub use token::{Authentication, Credentials, TokenError};
pub use token_store::{AwsTokenStore, FixedTokenStore, TokenStore};
