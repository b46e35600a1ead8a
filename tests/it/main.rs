//! Tests of the pipeline on real parts: PostgreSQL, the simulated Gazelle, the deployed stack.
#![expect(clippy::expect_used, reason = "a test fails where its environment is missing")]

mod alerting;
mod any_order;
mod archiving;
mod bad_input;
mod clean_day;
mod crowd;
mod deployed;
mod fetching;
mod first_day;
mod hostile;
mod house;
mod import_v5;
mod incidents;
mod killed;
mod labelled;
mod matching;
mod mirroring;
mod observing;
mod odd_v5;
mod parts;
mod pooled;
mod promotion;
mod replaying;
mod secured;
mod shared_limits;
mod staging;
mod statements;
mod windows;
mod zero_trust;
