//! Predecessor links: a record that continues an older one under a new id.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use model::entity::Entity;
use model::matching::{MatchProfile, Matching, ScoredCandidate};
use serde_json::json;

use super::candidate_search::find_candidates;
use super::decision::{Decision, MatchMethod, record_decisions};
use super::profile::read_profiles;
use super::similar_pair::{SimilarPair, similar_pairs};
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("delete_links_of_and_to", DELETE_LINKS_OF_AND_TO),
    ("delete_links_of", DELETE_LINKS_OF),
    ("insert_links", INSERT_LINKS),
];

const DELETE_LINKS_OF_AND_TO: &str = r"
    delete from record_links
    where entity = $1 and relation = 'predecessor' and (id = any($2) or other_id = any($2))
    returning id
    ";

const DELETE_LINKS_OF: &str =
    "delete from record_links where entity = $1 and relation = 'predecessor' and id = any($2)";

const INSERT_LINKS: &str = r"
    insert into record_links as l (entity, id, relation, other_id, score)
    select $1, u.id, 'predecessor', u.other_id, u.score
    from unnest($2::text[], $3::text[], $4::float8[]) as u(id, other_id, score)
    on conflict (entity, id, relation) do update
        set other_id = excluded.other_id, score = excluded.score, linked_at = now()
        where l.other_id <> excluded.other_id
    ";

/// Finds the predecessors of changed rows and of all rows that are similar to them: one that arrives between two others
/// is the predecessor of the younger. Returns the number of links that are new or lead elsewhere.
pub(super) async fn relink(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    since: &'static str,
    changed: &[&str],
    profiles: &[MatchProfile],
) -> Result<u64, Error> {
    let unlinked: Vec<String> = tx
        .query_scalar(DELETE_LINKS_OF_AND_TO)
        .bind(entity.name)
        .bind(changed)
        .fetch_all(tx.connection())
        .await
        .during("delete predecessor links")?;
    let mut affected: BTreeSet<String> = unlinked.into_iter().collect();
    let candidates = find_candidates(tx, entity, matching, profiles).await?;
    for pair in similar_pairs(matching, profiles, &candidates) {
        affected.extend([pair.one.id.clone(), pair.other.id.clone()]);
    }
    if affected.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = affected.iter().map(String::as_str).collect();
    tx.query(DELETE_LINKS_OF)
        .bind(entity.name)
        .bind(&ids)
        .execute(tx.connection())
        .await
        .during("delete predecessor links")?;
    let profiles = read_profiles(tx, entity, matching, &ids).await?;
    let candidates = find_candidates(tx, entity, matching, &profiles).await?;
    let mut successions = successions(since, &similar_pairs(matching, &profiles, &candidates));
    // Of a row that is not affected some older ones may be missing here: its link stays as it is.
    successions.retain(|succession| affected.contains(&succession.id));
    link(tx, entity, &successions).await
}

/// A record, the similar ones that began before it, youngest first, and the predecessor chosen among them.
#[derive(Debug)]
struct Succession {
    id: String,
    older: Vec<ScoredCandidate>,
    predecessor: Option<String>,
}

/// Returns for each record the similar ones that began before it. The youngest of them is the predecessor; there is
/// none where two began at once.
fn successions(since: &'static str, pairs: &[SimilarPair<'_>]) -> Vec<Succession> {
    let mut older: BTreeMap<&str, Vec<(&str, ScoredCandidate)>> = BTreeMap::new();
    for pair in pairs {
        let (Some(one), Some(other)) = (pair.one.get(since), pair.other.get(since)) else { continue };
        let (younger, elder, began) = match one.cmp(other) {
            Ordering::Greater => (pair.one, pair.other, other),
            Ordering::Less => (pair.other, pair.one, one),
            Ordering::Equal => continue,
        };
        let scored = ScoredCandidate { id: elder.id.clone(), score: pair.score };
        older.entry(&younger.id).or_default().push((began, scored));
    }
    older
        .into_iter()
        .map(|(id, mut older)| {
            older.sort_by(|a, b| b.0.cmp(a.0).then_with(|| a.1.id.cmp(&b.1.id)));
            let is_tie = older.get(1).is_some_and(|next| next.0 == older[0].0);
            let older: Vec<ScoredCandidate> = older.into_iter().map(|(_, scored)| scored).collect();
            let predecessor = older.first().filter(|_| !is_tie).map(|youngest| youngest.id.clone());
            Succession { id: id.to_owned(), older, predecessor }
        })
        .collect()
}

async fn link(tx: &mut Tx, entity: &Entity, successions: &[Succession]) -> Result<u64, Error> {
    record_decisions(tx, entity, &successions.iter().map(decision).collect::<Vec<_>>()).await?;
    let linked: Vec<(&str, &str, f64)> = successions
        .iter()
        .filter_map(|succession| {
            let score = succession.older.first()?.score;
            Some((succession.id.as_str(), succession.predecessor.as_deref()?, score))
        })
        .collect();
    let done = tx
        .query(INSERT_LINKS)
        .bind(entity.name)
        .bind(linked.iter().map(|(id, _, _)| *id).collect::<Vec<_>>())
        .bind(linked.iter().map(|(_, predecessor, _)| *predecessor).collect::<Vec<_>>())
        .bind(linked.iter().map(|(_, _, score)| *score).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("insert predecessor links")?;
    Ok(done.rows_affected())
}

fn decision(succession: &Succession) -> Decision {
    Decision {
        record_id: succession.id.clone(),
        reference: "predecessor",
        asked: json!({ "id": succession.id }),
        candidates: succession.older.clone(),
        method: if succession.predecessor.is_some() { MatchMethod::Fuzzy } else { MatchMethod::None },
        choice: succession.predecessor.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the predecessor of `c`, of three records that began at these instants.
    fn predecessor_of_c(began: [&str; 3]) -> Option<String> {
        let profile = |id: &str, began: &str| MatchProfile::new(id, [("began", Some(began.to_owned()))]);
        let [a, b, c] = [profile("a", began[0]), profile("b", began[1]), profile("c", began[2])];
        let pair = |one, other| SimilarPair { one, other, score: 1.0 };
        let found = successions("began", &[pair(&a, &b), pair(&a, &c), pair(&b, &c)]);
        found
            .into_iter()
            .find(|succession| succession.id == "c")
            .and_then(|succession| succession.predecessor)
    }

    #[test]
    fn youngest_older_record_is_the_predecessor() {
        assert_eq!(predecessor_of_c(["2001", "2002", "2003"]).as_deref(), Some("b"));
        assert_eq!(predecessor_of_c(["2002", "2001", "2003"]).as_deref(), Some("a"));
        assert_eq!(predecessor_of_c(["2002", "2003", "2001"]), None);
    }

    #[test]
    fn two_equally_old_records_leave_no_predecessor() {
        assert_eq!(predecessor_of_c(["2001", "2001", "2002"]), None);
    }
}
