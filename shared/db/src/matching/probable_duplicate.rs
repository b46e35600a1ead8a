//! Pairs of probable duplicates, as the table `duplicate_pairs` holds them: a person decides, records are never merged.

use model::entity::Entity;
use model::matching::{DuplicateRule, MatchProfile, ScoredCandidate};
use serde_json::json;

use super::decision::{Decision, MatchMethod, record_decisions};
use super::similar_pair::SimilarPair;
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Pairs kept of one record, the most similar first: more add no member to its group that the others would not bring.
const PAIRS_PER_RECORD_MAX: usize = 5;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] =
    &[("save_pairs", SAVE_PAIRS), ("mark_groups_stale", MARK_GROUPS_STALE)];

/// Keeps the decision of a person. Returns the pairs that are new.
const SAVE_PAIRS: &str = r"
    insert into duplicate_pairs as p (entity, one, other, score, evidence)
    select $1, u.one, u.other, u.score, string_to_array(u.evidence, ' ')
    from unnest($2::text[], $3::text[], $4::float8[], $5::text[]) as u(one, other, score, evidence)
    on conflict (entity, one, other) do update set score = excluded.score, evidence = excluded.evidence
        where p.decided_at is null and (p.score, p.evidence) is distinct from (excluded.score, excluded.evidence)
    returning xmax = 0 as is_new
    ";

/// Asks for new groups if a pair of these records is known: one of them may have left its group.
const MARK_GROUPS_STALE: &str = r"
    update match_progress p set groups_stale = true
    where p.entity = $1 and not p.groups_stale and ($3 or exists (
        select from duplicate_pairs d
        where d.entity = $1 and d.decided_at is null and (d.one = any($2) or d.other = any($2))
    ))
    ";

/// Saves the pairs of changed records, and asks for new groups where they differ. Returns the number of new pairs.
pub(super) async fn save_pairs(
    tx: &mut Tx,
    entity: &Entity,
    rule: &DuplicateRule,
    changed: &[&str],
    pairs: &[SimilarPair<'_>],
) -> Result<u64, Error> {
    let kept = best_pairs(pairs);
    record_decisions(tx, entity, &kept.iter().map(|pair| decision(pair)).collect::<Vec<_>>()).await?;
    let saved: Vec<bool> = if kept.is_empty() {
        Vec::new()
    } else {
        let evidence = |pair: &&SimilarPair<'_>| (rule.evidence)(pair.one, pair.other).join(" ");
        tx.query_scalar(SAVE_PAIRS)
            .bind(entity.name)
            .bind(kept.iter().map(|pair| pair.one.id.as_str()).collect::<Vec<_>>())
            .bind(kept.iter().map(|pair| pair.other.id.as_str()).collect::<Vec<_>>())
            .bind(kept.iter().map(|pair| pair.score).collect::<Vec<_>>())
            .bind(kept.iter().map(evidence).collect::<Vec<_>>())
            .fetch_all(tx.connection())
            .await
            .during("save pairs of duplicates")?
    };
    tx.query(MARK_GROUPS_STALE)
        .bind(entity.name)
        .bind(changed)
        .bind(!saved.is_empty())
        .execute(tx.connection())
        .await
        .during("ask for new groups of duplicates")?;
    Ok(u64::try_from(saved.iter().filter(|is_new| **is_new).count()).unwrap_or(0))
}

/// Returns the most similar pairs, so that no record has more than the bound on its lesser side.
fn best_pairs<'a, 'b>(pairs: &'b [SimilarPair<'a>]) -> Vec<&'b SimilarPair<'a>> {
    let mut best: Vec<&SimilarPair<'_>> = pairs.iter().collect();
    best.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| order(a).cmp(&order(b))));
    let mut counts: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    best.retain(|pair| {
        let count = counts.entry(pair.other.id.as_str()).or_default();
        *count += 1;
        *count <= PAIRS_PER_RECORD_MAX
    });
    best
}

fn order<'a>(pair: &'a SimilarPair<'_>) -> (&'a MatchProfile, &'a MatchProfile) {
    (pair.one, pair.other)
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
