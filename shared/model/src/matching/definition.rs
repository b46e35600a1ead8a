//! Definition of an entity's matching, and the choice of a clear match among scored candidates.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::profile::{MatchKey, MatchProfile};

/// Functions and thresholds by which records of an entity are recognised without their id.
#[derive(Debug)]
pub struct Matching {
    /// Columns that make up a profile.
    pub columns: &'static [&'static str],
    /// Returns the keys by which a profile is found.
    pub keys: fn(&MatchProfile) -> Vec<MatchKey>,
    /// Returns the confidence that two profiles describe the same record: 0 to 1.
    pub score: fn(&MatchProfile, &MatchProfile) -> f64,
    /// Lowest score that counts as a match.
    pub threshold: f64,
    /// Lowest lead of the best candidate over the next one.
    pub margin: f64,
    /// Relation between two matching records of the entity.
    pub relation: Relation,
}

/// Relation between two matching records of one entity.
#[derive(Debug, Clone, Copy)]
pub enum Relation {
    /// Matches among the entity's own records are ignored.
    None,
    /// The records may be duplicates: a person decides, the pipeline never merges.
    ProbableDuplicate(DuplicateRule),
    /// The younger record continues the older one, and is linked to it.
    Predecessor {
        /// Column with the instant at which a record began.
        since: &'static str,
    },
}

/// Properties of probable duplicates that a person is shown.
#[derive(Debug, Clone, Copy)]
pub struct DuplicateRule {
    /// Lowest score of a certain duplicate; below it, a duplicate is likely.
    pub certain: f64,
    /// Returns the names of the fields in which two profiles agree.
    pub evidence: fn(&MatchProfile, &MatchProfile) -> Vec<&'static str>,
    /// Returns the name of a record for people.
    pub label: fn(&MatchProfile) -> String,
    /// Returns the person of a record that has one beside its name, such as the contact of a company: empty without one,
    /// none where the record is a person itself. Where a group has several, each of them is a record of its own.
    pub contact: fn(&MatchProfile) -> Option<String>,
}

impl Matching {
    /// Returns the keys of a profile, without duplicates. A panic costs the profile its keys, and nothing else.
    #[must_use]
    pub fn keys_of(&self, profile: &MatchProfile) -> BTreeSet<MatchKey> {
        catch_unwind(AssertUnwindSafe(|| (self.keys)(profile))).unwrap_or_default().into_iter().collect()
    }

    /// Returns the confidence that two profiles describe the same record: 0 to 1, and 0 after a panic.
    #[must_use]
    pub fn score_of(&self, a: &MatchProfile, b: &MatchProfile) -> f64 {
        catch_unwind(AssertUnwindSafe(|| (self.score)(a, b))).unwrap_or(0.0)
    }
}

/// Candidate with its score.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredCandidate {
    /// Id of the candidate.
    pub id: String,
    /// Confidence from 0 to 1.
    pub score: f64,
}

/// Returns the candidates by score, best first, and the id of the clear match, if there is one.
#[must_use]
pub fn choose(
    matching: &Matching,
    wanted: &MatchProfile,
    candidates: &[MatchProfile],
) -> (Vec<ScoredCandidate>, Option<String>) {
    let mut scored: Vec<ScoredCandidate> = candidates
        .iter()
        .map(|profile| ScoredCandidate { id: profile.id.clone(), score: matching.score_of(wanted, profile) })
        .filter(|candidate| candidate.score > 0.0)
        .collect();
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let best = scored.first().filter(|best| best.score >= matching.threshold);
    let next = scored.get(1).map_or(0.0, |next| next.score);
    let choice = best.filter(|best| best.score - next >= matching.margin).map(|best| best.id.clone());
    (scored, choice)
}
