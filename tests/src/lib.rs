//! Shared test support: a mirror on a real PostgreSQL, hand-made raw pages, the deployed stack.
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a test stops where its ground gives way"
)]

pub mod bad_kind;
pub mod dice;
pub mod fuzz;
pub mod heritage;
pub mod inbox;
pub mod memory;
pub mod mirror;
pub mod pages;
pub mod pipeline;
pub mod pooler;
pub mod process;
pub mod source;
pub mod stack;
pub mod truth;
pub mod work;
