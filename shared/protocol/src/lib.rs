//! Formats that the functions exchange: requests, raw pages, manifests, object keys, messages and statuses.
//!
//! Pure, as [`model`] is.

pub mod action;
pub mod alert;
pub mod graphql_error;
pub mod health;
pub mod indicator;
pub mod lane;
pub mod listing;
pub mod lookup;
pub mod manifest;
pub mod message;
pub mod object_key;
pub mod raw_page;
pub mod refusal;
pub mod request;
pub mod request_origin;
mod response;
pub mod salvage;
pub mod secret;
pub mod settings;
pub mod v5_import;
