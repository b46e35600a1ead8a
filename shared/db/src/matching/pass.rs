//! Rows that changed, compared with the others of their entity: duplicates are proposed, predecessors linked.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use model::entity::Entity;
use model::matching::{Card, Matching, Relation, Scored};
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::decision::{Decision, record};
use super::keys;
use crate::pool::{Db, Tx};

/// Rows compared in one transaction.
const ROWS: i64 = 100;

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Matched {
    /// Rows compared.
    pub rows: usize,
    /// Pairs proposed to a person, not proposed before.
    pub proposed: u64,
    /// Records linked anew.
    pub linked: u64,
}

/// Two records that are alike.
#[derive(Debug)]
struct Pair<'a> {
    one: &'a Card,
    other: &'a Card,
    score: f64,
}

/// Compares the next rows of an entity that changed since they were last compared. Nothing is left when it
/// answers no rows.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn match_changed(db: &Db, entity: &'static Entity) -> Result<Matched, sqlx::Error> {
    let Some(matching) = &entity.matching else { return Ok(Matched::default()) };
    let mut tx = db.begin().await?;
    // Those who promote rows of this entity wait: every change up to now can be seen.
    tx.take_turn("reconcile", entity.table).await?;
    let changed = changed(&mut tx, entity).await?;
    let Some(last) = changed.last() else {
        tx.rollback().await?;
        return Ok(Matched::default());
    };
    let ids: Vec<&str> = changed.iter().map(|(_, id)| id.as_str()).collect();
    let cards = keys::read(&mut tx, entity, matching, &ids).await?;
    keys::replace(&mut tx, entity, matching, &ids, &cards).await?;
    let mut matched = Matched { rows: changed.len(), ..Matched::default() };
    match matching.relation {
        Relation::None => (),
        Relation::ProbableDuplicate => {
            let candidates = keys::candidates(&mut tx, entity, matching, &cards).await?;
            matched.proposed = propose(&mut tx, entity, &pairs(matching, &cards, &candidates)).await?;
        }
        Relation::Predecessor { since } => {
            matched.linked = relink(&mut tx, entity, matching, since, &ids, &cards).await?;
        }
    }
    note_progress(&mut tx, entity, last).await?;
    tx.commit().await?;
    Ok(matched)
}

async fn changed(tx: &mut Tx, entity: &Entity) -> Result<Vec<(DateTime<Utc>, String)>, sqlx::Error> {
    let sql = format!(
        r"
        select t.updated_at, t.id from {} t
        where (t.updated_at, t.id) > (
            select coalesce(max(p.updated_at), '-infinity'), coalesce(max(p.id), '') from match_progress p where p.entity = $1
        )
        order by t.updated_at, t.id
        limit $2
        ",
        entity.table
    );
    let rows = tx.query(AssertSqlSafe(sql)).bind(entity.name).bind(ROWS).fetch_all(tx.connection()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn note_progress(
    tx: &mut Tx,
    entity: &Entity,
    last: &(DateTime<Utc>, String),
) -> Result<(), sqlx::Error> {
    tx.query(
        r"
        insert into match_progress (entity, updated_at, id) values ($1, $2, $3)
        on conflict (entity) do update set updated_at = excluded.updated_at, id = excluded.id
        ",
    )
    .bind(entity.name)
    .bind(last.0)
    .bind(&last.1)
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Pairs above the threshold, each once.
fn pairs<'a>(matching: &Matching, cards: &'a [Card], candidates: &'a [Vec<Card>]) -> Vec<Pair<'a>> {
    let mut pairs: BTreeMap<(&str, &str), Pair<'a>> = BTreeMap::new();
    for (card, others) in cards.iter().zip(candidates) {
        for other in others {
            let (one, other) = if card.id < other.id { (card, other) } else { (other, card) };
            let score = matching.score_of(one, other);
            if score >= matching.threshold {
                pairs.insert((&one.id, &other.id), Pair { one, other, score });
            }
        }
    }
    pairs.into_values().collect()
}

/// Asks a person about each pair, once, whatever the answer was.
async fn propose(tx: &mut Tx, entity: &Entity, pairs: &[Pair<'_>]) -> Result<u64, sqlx::Error> {
    if pairs.is_empty() {
        return Ok(0);
    }
    let decision = |pair: &Pair<'_>| Decision {
        record_id: pair.one.id.clone(),
        reference: "probable_duplicate",
        asked: json!({ "one": pair.one.id, "other": pair.other.id }),
        candidates: vec![Scored { id: pair.other.id.clone(), score: pair.score }],
        method: "fuzzy",
        choice: None,
    };
    record(tx, entity, &pairs.iter().map(decision).collect::<Vec<_>>()).await?;
    let proposed = tx
        .query(
            r"
            insert into admin_actions (kind, entity, subject, details)
            select 'probable_duplicate', $1, u.one || ' ' || u.other,
                jsonb_build_object('one', u.one, 'other', u.other, 'score', u.score)
            from unnest($2::text[], $3::text[], $4::float8[]) as u(one, other, score)
            where not exists (
                select from admin_actions a
                where a.kind = 'probable_duplicate' and a.entity = $1 and a.subject = u.one || ' ' || u.other
            )
            ",
        )
        .bind(entity.name)
        .bind(pairs.iter().map(|pair| pair.one.id.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.other.id.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.score).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(proposed.rows_affected())
}

/// Finds the links of rows that changed anew, and those of all that are alike to them: one that arrives between
/// two others is the predecessor of the younger.
async fn relink(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    since: &'static str,
    changed: &[&str],
    cards: &[Card],
) -> Result<u64, sqlx::Error> {
    let rows = tx
        .query(
            r"
            delete from record_links
            where entity = $1 and relation = 'predecessor' and (id = any($2) or other_id = any($2))
            returning id
            ",
        )
        .bind(entity.name)
        .bind(changed)
        .fetch_all(tx.connection())
        .await?;
    let mut wide: BTreeSet<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let candidates = keys::candidates(tx, entity, matching, cards).await?;
    for pair in pairs(matching, cards, &candidates) {
        wide.extend([pair.one.id.clone(), pair.other.id.clone()]);
    }
    if wide.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = wide.iter().map(String::as_str).collect();
    tx.query("delete from record_links where entity = $1 and relation = 'predecessor' and id = any($2)")
        .bind(entity.name)
        .bind(&ids)
        .execute(tx.connection())
        .await?;
    let cards = keys::read(tx, entity, matching, &ids).await?;
    let candidates = keys::candidates(tx, entity, matching, &cards).await?;
    let mut successions = predecessors(since, &pairs(matching, &cards, &candidates));
    // Of the others not all elders are known here.
    successions.retain(|succession| wide.contains(&succession.id));
    link(tx, entity, &successions).await
}

/// A record, those alike that began before it, youngest first, and the one that it continues.
struct Succession {
    id: String,
    older: Vec<Scored>,
    choice: Option<String>,
}

/// The youngest of those alike that began before a record is its predecessor; none is where two began at once.
fn predecessors(since: &'static str, pairs: &[Pair<'_>]) -> Vec<Succession> {
    let mut older: BTreeMap<&str, Vec<(&str, Scored)>> = BTreeMap::new();
    for pair in pairs {
        let (Some(one), Some(other)) = (pair.one.get(since), pair.other.get(since)) else { continue };
        let (younger, elder, began) = match one.cmp(other) {
            Ordering::Greater => (pair.one, pair.other, other),
            Ordering::Less => (pair.other, pair.one, one),
            Ordering::Equal => continue,
        };
        let scored = Scored { id: elder.id.clone(), score: pair.score };
        older.entry(&younger.id).or_default().push((began, scored));
    }
    older
        .into_iter()
        .map(|(id, mut older)| {
            older.sort_by(|a, b| b.0.cmp(a.0).then_with(|| a.1.id.cmp(&b.1.id)));
            let is_tie = older.get(1).is_some_and(|next| next.0 == older[0].0);
            let older: Vec<Scored> = older.into_iter().map(|(_, scored)| scored).collect();
            let choice = older.first().filter(|_| !is_tie).map(|youngest| youngest.id.clone());
            Succession { id: id.to_owned(), older, choice }
        })
        .collect()
}

async fn link(tx: &mut Tx, entity: &Entity, successions: &[Succession]) -> Result<u64, sqlx::Error> {
    let decision = |succession: &Succession| Decision {
        record_id: succession.id.clone(),
        reference: "predecessor",
        asked: json!({ "id": succession.id }),
        candidates: succession.older.clone(),
        method: if succession.choice.is_some() { "fuzzy" } else { "none" },
        choice: succession.choice.clone(),
    };
    record(tx, entity, &successions.iter().map(decision).collect::<Vec<_>>()).await?;
    let chosen = || successions.iter().filter(|succession| succession.choice.is_some());
    let linked = tx
        .query(
            r"
            insert into record_links as l (entity, id, relation, other_id, score)
            select $1, u.id, 'predecessor', u.other_id, u.score
            from unnest($2::text[], $3::text[], $4::float8[]) as u(id, other_id, score)
            on conflict (entity, id, relation) do update
                set other_id = excluded.other_id, score = excluded.score, linked_at = now()
                where l.other_id <> excluded.other_id
            ",
        )
        .bind(entity.name)
        .bind(chosen().map(|succession| succession.id.as_str()).collect::<Vec<_>>())
        .bind(chosen().filter_map(|succession| succession.choice.as_deref()).collect::<Vec<_>>())
        .bind(chosen().map(|succession| succession.older[0].score).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(linked.rows_affected())
}
