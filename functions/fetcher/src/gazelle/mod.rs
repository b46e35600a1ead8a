//! Gazelle's private GraphQL API: read, paced, tried again.

mod graphql;
mod rate_limiter;
mod token;

pub use graphql::{ApiError, Gazelle};
pub use token::{Authentication, AwsTokenStore, Credentials, FixedTokenStore, TokenError, TokenStore};
