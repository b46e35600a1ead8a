//! Client of Gazelle's private GraphQL API: transport, rate limiter, credentials. Read-only.

mod client;
mod config;
mod credentials;
mod error;
mod error_code;
mod query_guard;
mod rate_limiter;
mod response;
mod retry;
mod token_fields;
mod token_lease;
mod token_refresh;
mod token_store;

pub use client::{Gazelle, PageRequest};
pub use config::{GAZELLE_TOKEN_URL, GAZELLE_URL, GazelleConfig};
pub use credentials::{Authentication, Credentials};
pub use error::{ApiError, AttemptError, Refusal, TokenError};
pub use token_store::{AwsTokenStore, FixedTokenStore, TokenStore};
