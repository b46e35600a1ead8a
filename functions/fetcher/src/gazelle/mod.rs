//! Gazelle's private GraphQL API: read, paced, tried again.

mod graphql;
mod pace;
mod token;
mod token_lease;
mod token_store;

pub use graphql::{ApiError, Gazelle};
pub use token::{Authentication, Credentials, TokenError};
pub use token_store::{AwsTokenStore, FixedTokenStore, TokenStore};
