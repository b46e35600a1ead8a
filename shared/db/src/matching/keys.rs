//! What records can be found by.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::Entity;
use model::matching::{Card, Key, Matching, TRIGRAM};
use sqlx::{AssertSqlSafe, Row};

use crate::pool::Tx;

/// Candidates of one card that are looked at.
const CANDIDATES_MAX: i64 = 50;

/// A trigram of fewer records is never too common.
const COMMON_MIN: i64 = 200;

/// Writes down what these records can be found by, in place of what was there.
pub(super) async fn replace(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    ids: &[&str],
    cards: &[Card],
) -> Result<(), sqlx::Error> {
    let keys: Vec<(&str, Key)> = cards
        .iter()
        .flat_map(|card| {
            let keys = matching.keys_of(card);
            keys.into_iter().map(|key| (card.id.as_str(), key))
        })
        .collect();
    tx.query("delete from match_keys where entity = $1 and id = any($2)")
        .bind(entity.name)
        .bind(ids)
        .execute(tx.connection())
        .await?;
    tx.query(
        r"
        insert into match_keys (entity, kind, value, id)
        select $1, kind, value, id from unnest($2::text[], $3::text[], $4::text[]) as u(kind, value, id)
        on conflict do nothing
        ",
    )
    .bind(entity.name)
    .bind(keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>())
    .bind(keys.iter().map(|(_, key)| key.value.as_str()).collect::<Vec<_>>())
    .bind(keys.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// For each card the cards that share a key with it, or half of its trigrams: best first, itself left out.
pub(super) async fn candidates(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    cards: &[Card],
) -> Result<Vec<Vec<Card>>, sqlx::Error> {
    let mut keys: Vec<(i32, Key)> = Vec::new();
    for (place, card) in cards.iter().enumerate() {
        let place = i32::try_from(place).unwrap_or(i32::MAX);
        keys.extend(matching.keys_of(card).into_iter().map(|key| (place, key)));
    }
    let rows = tx
        .query(
            r"
            with common as (
                -- What every twentieth name holds (a name has about twenty trigrams) tells none from another, and
                -- would join everything with everything.
                select value from match_keys
                where entity = $1 and kind = $5
                group by value
                having count(*) > greatest($7, (select count(*) / 20 from match_keys where entity = $1 and kind = $5) / 20)
            ),
            asked as (
                select u.*,
                    ceil(count(*) filter (where u.kind = $5) over (partition by u.place) / 2.0) as needed
                from unnest($2::int[], $3::text[], $4::text[]) as u(place, kind, value)
                where u.kind <> $5 or u.value not in (select value from common)
            )
            select place, id from (
                select a.place, k.id,
                    row_number() over (
                        partition by a.place
                        order by bool_or(a.kind <> $5) desc, count(*) desc, k.id
                    ) as rank
                from asked a
                join match_keys k on k.entity = $1 and k.kind = a.kind and k.value = a.value
                group by a.place, k.id, a.needed
                having bool_or(a.kind <> $5) or count(*) >= a.needed
            ) ranked
            where rank <= $6
            order by place, rank
            ",
        )
        .bind(entity.name)
        .bind(keys.iter().map(|(place, _)| *place).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.kind).collect::<Vec<_>>())
        .bind(keys.iter().map(|(_, key)| key.value.as_str()).collect::<Vec<_>>())
        .bind(TRIGRAM)
        .bind(CANDIDATES_MAX)
        .bind(COMMON_MIN)
        .fetch_all(tx.connection())
        .await?;
    let mut ids: Vec<Vec<String>> = vec![Vec::new(); cards.len()];
    for row in &rows {
        let place = usize::try_from(row.try_get::<i32, _>("place")?).unwrap_or(usize::MAX);
        if let Some(ids) = ids.get_mut(place) {
            ids.push(row.try_get("id")?);
        }
    }
    let wanted: BTreeSet<&str> = ids.iter().flatten().map(String::as_str).collect();
    let known: BTreeMap<String, Card> = read(tx, entity, matching, &wanted.into_iter().collect::<Vec<_>>())
        .await?
        .into_iter()
        .map(|card| (card.id.clone(), card))
        .collect();
    let others = |place: usize, ids: Vec<String>| {
        ids.into_iter().filter(|id| *id != cards[place].id).filter_map(|id| known.get(&id).cloned()).collect()
    };
    Ok(ids.into_iter().enumerate().map(|(place, ids)| others(place, ids)).collect())
}

/// The cards of these records; none of one that was made up or deleted.
pub(super) async fn read(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    ids: &[&str],
) -> Result<Vec<Card>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let columns: String = matching.columns.iter().map(|column| format!(", {column}::text")).collect();
    let sql = format!(
        "select id{columns} from {} where id = any($1) and not is_placeholder and deleted_at is null",
        entity.table
    );
    let rows = tx.query(AssertSqlSafe(sql)).bind(ids).fetch_all(tx.connection()).await?;
    rows.iter()
        .map(|row| {
            let fields: Vec<(&'static str, Option<String>)> = matching
                .columns
                .iter()
                .enumerate()
                .map(|(place, column)| Ok((*column, row.try_get(place + 1)?)))
                .collect::<Result<_, sqlx::Error>>()?;
            Ok(Card::new(row.try_get(0)?, fields))
        })
        .collect()
}
