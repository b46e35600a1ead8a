//! Pairs of records that are similar enough to be the same, or to belong together.

use std::collections::BTreeMap;

use model::matching::{MatchProfile, Matching};

/// Two records whose similarity reaches the entity's threshold; `one` has the lesser id.
#[derive(Debug)]
pub(super) struct SimilarPair<'a> {
    pub(super) one: &'a MatchProfile,
    pub(super) other: &'a MatchProfile,
    pub(super) score: f64,
}

/// Returns the pairs of a profile and one of its candidates that reach the threshold, each once.
pub(super) fn similar_pairs<'a>(
    matching: &Matching,
    profiles: &'a [MatchProfile],
    candidates: &'a [Vec<MatchProfile>],
) -> Vec<SimilarPair<'a>> {
    let mut pairs: BTreeMap<(&str, &str), SimilarPair<'a>> = BTreeMap::new();
    for (profile, others) in profiles.iter().zip(candidates) {
        for other in others {
            let (one, other) = if profile.id < other.id { (profile, other) } else { (other, profile) };
            let score = matching.score_of(one, other);
            if score >= matching.threshold {
                pairs.insert((&one.id, &other.id), SimilarPair { one, other, score });
            }
        }
    }
    pairs.into_values().collect()
}
