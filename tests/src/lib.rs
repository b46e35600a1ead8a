//! Shared test support: a mirror on a real PostgreSQL, hand-made raw pages, the deployed stack.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test fails where its environment is missing"
)]

pub mod bad_kind;
pub mod dice;
pub mod drill;
pub mod function_process;
pub mod fuzz;
pub mod inbox;
pub mod memory;
pub mod mirror;
pub mod observation;
pub mod pages;
pub mod pipeline;
pub mod pooler;
pub mod process;
pub mod source;
pub mod stack;
pub mod truth;
pub mod v5_data;
pub mod work;
