//! Candidate search: the records that share a match key, or many trigrams, with a profile.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::Entity;
use model::matching::{MatchKey, MatchProfile, Matching, NAME, Relation, TRIGRAM};
use sqlx::AssertSqlSafe;

use super::profile::read_profiles;
use super::statements;
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Candidates of one profile that are compared with it.
const CANDIDATES_MAX: i64 = 50;

/// Number of records that a trigram may be found in without being too common, however few records there are.
const COMMON_MIN: i64 = 200;

/// Records with one exact key, such as an e-mail, beyond which the key finds no candidates: it is that of a reception or
/// a school board, and each of its records would be compared with all others.
const EXACT_KEY_RECORDS_MAX: i64 = 60;

/// Names behind one phone, e-mail or street beyond which it is shared, and proves little. A household may have five.
const SHARED_NAMES_MIN: i64 = 6;

/// Records of a key whose names are counted.
const COUNTED_RECORDS_MAX: i64 = 60;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("shared_keys", SHARED_KEYS)];

/// Returns those of the keys `$2`, `$3` that at least `$5` names have. Takes `$4` the kind of the whole name and `$6` the
/// number of records to look at.
const SHARED_KEYS: &str = r"
    select a.kind, a.value
    from (select distinct kind, value from unnest($2::text[], $3::text[]) as u(kind, value)) a
    where (
        select count(distinct n.value)
        from (
            select k.id from match_keys k
            where k.entity = $1 and k.kind = a.kind and k.value = a.value
            limit $6
        ) r
        join match_keys n on n.entity = $1 and n.id = r.id and n.kind = $4
    ) >= $5
    ";

/// Key that many names share.
#[derive(Debug, sqlx::FromRow)]
struct SharedKeyRow {
    kind: String,
    value: String,
}

/// Marks in each profile those of its exact keys that many names share.
pub(super) async fn mark_shared(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    profiles: Vec<MatchProfile>,
) -> Result<Vec<MatchProfile>, Error> {
    let keys: Vec<Vec<MatchKey>> = profiles
        .iter()
        .map(|profile| {
            let keys = matching.keys_of(profile).into_iter();
            keys.filter(|key| key.kind != TRIGRAM && key.kind != NAME).collect()
        })
        .collect();
    let asked: BTreeSet<&MatchKey> = keys.iter().flatten().collect();
    let rows: Vec<SharedKeyRow> = tx
        .query_as(SHARED_KEYS)
        .bind(entity.name)
        .bind(asked.iter().map(|key| key.kind).collect::<Vec<_>>())
        .bind(asked.iter().map(|key| key.value.as_str()).collect::<Vec<_>>())
        .bind(NAME)
        .bind(SHARED_NAMES_MIN)
        .bind(COUNTED_RECORDS_MAX)
        .fetch_all(tx.connection())
        .await
        .during("find shared match keys")?;
    let shared: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row.kind.as_str(), row.value.as_str())).collect();
    let mark = |(profile, keys): (MatchProfile, Vec<MatchKey>)| {
        let kinds = keys.iter().filter(|key| shared.contains(&(key.kind, key.value.as_str())));
        profile.with_shared(kinds.map(|key| key.kind).collect())
    };
    Ok(profiles.into_iter().zip(keys).map(mark).collect())
}

/// A candidate of the profile at that position.
#[derive(Debug, sqlx::FromRow)]
struct CandidateRow {
    position: i32,
    id: String,
}

/// Returns for each profile the profiles that share a key with it, or half of its trigrams: best first, itself left
/// out.
pub(super) async fn find_candidates(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    profiles: &[MatchProfile],
) -> Result<Vec<Vec<MatchProfile>>, Error> {
    let mut keys: Vec<(i32, MatchKey)> = Vec::new();
    for (position, profile) in profiles.iter().enumerate() {
        let position = i32::try_from(position).unwrap_or(i32::MAX);
        keys.extend(matching.keys_of(profile).into_iter().map(|key| (position, key)));
    }
    let rows: Vec<CandidateRow> = tx
        .query_as(AssertSqlSafe(statements::find_candidates(entity)))
        .bind(entity.name)
        .bind(keys.iter().map(|(position, _)| *position).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.value.as_str()).collect::<Vec<_>>())
        .bind(TRIGRAM)
        .bind(CANDIDATES_MAX)
        .bind(COMMON_MIN)
        .bind(EXACT_KEY_RECORDS_MAX)
        .fetch_all(tx.connection())
        .await
        .during("find match candidates")?;
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let found = read_profiles(tx, entity, matching, &ids.into_iter().collect::<Vec<_>>()).await?;
    let found = match matching.relation {
        Relation::ProbableDuplicate(_) => mark_shared(tx, entity, matching, found).await?,
        Relation::None | Relation::Predecessor { .. } => found,
    };
    let by_id: BTreeMap<&str, &MatchProfile> =
        found.iter().map(|profile| (profile.id.as_str(), profile)).collect();
    let mut candidates: Vec<Vec<MatchProfile>> = vec![Vec::new(); profiles.len()];
    for row in &rows {
        let position = usize::try_from(row.position).unwrap_or(usize::MAX);
        let (Some(profile), Some(list)) = (profiles.get(position), candidates.get_mut(position)) else {
            continue;
        };
        list.extend(by_id.get(row.id.as_str()).filter(|found| found.id != profile.id).copied().cloned());
    }
    Ok(candidates)
}
