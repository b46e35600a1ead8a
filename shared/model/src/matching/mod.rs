//! Matching of records without a usable id: profiles, their similarity, and the choice of a clear match.
//!
//! A false link costs more than a missing one.

pub mod client;
mod client_evidence;
mod definition;
mod given_names;
pub mod person;
pub mod piano;
mod profile;
mod similarity;

pub use definition::{DuplicateRule, Matching, Relation, ScoredCandidate, choose};
pub use profile::{MatchKey, MatchProfile, NAME, TRIGRAM, trigrams};
pub use similarity::{given_name_similarity, similarity};
