//! Match keys: the index by which records are found without an id.

use model::entity::Entity;
use model::matching::{MatchKey, MatchProfile, Matching};

use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] =
    &[("delete_match_keys", DELETE_MATCH_KEYS), ("insert_match_keys", INSERT_MATCH_KEYS)];

const DELETE_MATCH_KEYS: &str = "delete from match_keys where entity = $1 and id = any($2)";

const INSERT_MATCH_KEYS: &str = r"
    insert into match_keys (entity, kind, value, id)
    select $1, kind, value, id from unnest($2::text[], $3::text[], $4::text[]) as u(kind, value, id)
    on conflict do nothing
    ";

/// Replaces the match keys of these records by those of their profiles; a record without a profile loses its keys.
pub(super) async fn replace_match_keys(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    ids: &[&str],
    profiles: &[MatchProfile],
) -> Result<(), Error> {
    let keys: Vec<(&str, MatchKey)> = profiles
        .iter()
        .flat_map(|profile| matching.keys_of(profile).into_iter().map(|key| (profile.id.as_str(), key)))
        .collect();
    tx.query(DELETE_MATCH_KEYS)
        .bind(entity.name)
        .bind(ids)
        .execute(tx.connection())
        .await
        .during("delete match keys")?;
    tx.query(INSERT_MATCH_KEYS)
        .bind(entity.name)
        .bind(keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.value.as_str()).collect::<Vec<_>>())
        .bind(keys.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("insert match keys")?;
    Ok(())
}
