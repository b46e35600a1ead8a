//! Gazelle's private GraphQL API: read, paced, tried again.

mod graphql;
mod pace;
mod token;
mod token_lease;

pub use graphql::{ApiError, Gazelle};
pub use token::{Authentication, AwsTokenStore, Credentials, FixedTokenStore, TokenError, TokenStore};
