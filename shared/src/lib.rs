//! The vocabulary of the pipeline: entities, requests, raw pages, keys, manifests and messages.
//!
//! Everything here is pure: no socket, no clock, no environment. What the functions say to
//! each other is written down once, here, and nowhere else.

pub mod alert;
pub mod by_id;
pub mod entity;
pub mod env;
pub mod fold;
pub mod heritage;
pub mod key;
pub mod local_day;
pub mod manifest;
pub mod matching;
pub mod message;
pub mod money;
pub mod normalise;
pub mod raw_page;
pub mod reading;
pub mod request;
pub mod row;
pub mod rule;
pub mod verdict;
pub mod window;
pub mod words;
