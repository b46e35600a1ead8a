//! Proposals of probable duplicates: a person decides, records are never merged.

use model::entity::Entity;
use model::matching::ScoredCandidate;
use serde_json::json;

use super::decision::{Decision, MatchMethod, record_decisions};
use super::similar_pair::SimilarPair;
use crate::actions::{ProposedPair, propose_pairs};
use crate::error::Error;
use crate::pool::Tx;

/// Proposes each pair to a person, once and never again, whatever the person decided; returns the number of new
/// proposals.
pub(super) async fn propose_duplicates(
    tx: &mut Tx,
    entity: &Entity,
    pairs: &[SimilarPair<'_>],
) -> Result<u64, Error> {
    if pairs.is_empty() {
        return Ok(0);
    }
    record_decisions(tx, entity, &pairs.iter().map(decision).collect::<Vec<_>>()).await?;
    let pairs: Vec<ProposedPair<'_>> = pairs
        .iter()
        .map(|pair| ProposedPair { one: &pair.one.id, other: &pair.other.id, score: pair.score })
        .collect();
    propose_pairs(tx, entity, &pairs).await
}

fn decision(pair: &SimilarPair<'_>) -> Decision {
    Decision {
        record_id: pair.one.id.clone(),
        reference: "probable_duplicate",
        asked: json!({ "one": pair.one.id, "other": pair.other.id }),
        candidates: vec![ScoredCandidate { id: pair.other.id.clone(), score: pair.score }],
        method: MatchMethod::Fuzzy,
        choice: None,
    }
}
