//! Candidate search: the records that share a match key, or many trigrams, with a profile.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::Entity;
use model::matching::{MatchKey, MatchProfile, Matching, TRIGRAM};

use super::profile::read_profiles;
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Candidates of one profile that are compared with it.
const CANDIDATES_MAX: i64 = 50;

/// Number of records that a trigram may be found in without being too common, however few records there are.
const COMMON_MIN: i64 = 200;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("find_candidates", FIND_CANDIDATES)];

/// Takes `$1` the entity, `$2` positions of profiles, `$3` kinds and `$4` values of their keys, `$5` the kind of
/// trigrams, `$6` candidates at most and `$7` the least number of records that makes a trigram common.
const FIND_CANDIDATES: &str = r"
    with common as (
        -- A trigram that every twentieth name holds (a name has about twenty) tells no record from another, and would
        -- join everything with everything.
        select value from match_keys
        where entity = $1 and kind = $5
        group by value
        having count(*) > greatest($7, (select count(*) / 20 from match_keys where entity = $1 and kind = $5) / 20)
    ),
    asked as (
        select u.*,
            ceil(count(*) filter (where u.kind = $5) over (partition by u.position) / 2.0) as needed
        from unnest($2::int[], $3::text[], $4::text[]) as u(position, kind, value)
        where u.kind <> $5 or u.value not in (select value from common)
    )
    select position, id from (
        select a.position, k.id,
            row_number() over (
                partition by a.position
                order by bool_or(a.kind <> $5) desc, count(*) desc, k.id
            ) as rank
        from asked a
        join match_keys k on k.entity = $1 and k.kind = a.kind and k.value = a.value
        group by a.position, k.id, a.needed
        having bool_or(a.kind <> $5) or count(*) >= a.needed
    ) ranked
    where rank <= $6
    order by position, rank
    ";

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
        .query_as(FIND_CANDIDATES)
        .bind(entity.name)
        .bind(keys.iter().map(|(position, _)| *position).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.value.as_str()).collect::<Vec<_>>())
        .bind(TRIGRAM)
        .bind(CANDIDATES_MAX)
        .bind(COMMON_MIN)
        .fetch_all(tx.connection())
        .await
        .during("find match candidates")?;
    let ids: BTreeSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    let found = read_profiles(tx, entity, matching, &ids.into_iter().collect::<Vec<_>>()).await?;
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
