//! References by alias, and by what a record says of someone without a usable id.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::{self, Entity};
use model::fold::fold;
use model::matching::{Card, Matching, Scored, choose};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::decision::{Decision, record};
use super::keys::candidates;
use crate::actions;
use crate::pool::Tx;
use crate::production::Candidate;

/// Ids by entity and alias: an id as it is, a name folded.
type Aliases = BTreeMap<(String, String), String>;

/// A name in an action's subject, at most: an index of PostgreSQL takes 2,700 bytes.
const SUBJECT_CHARACTERS_MAX: usize = 200;

/// Who is meant by a card, and how that was found out.
struct Choice {
    scored: Vec<Scored>,
    method: &'static str,
    id: Option<String>,
}

/// Fills references that have no usable id with the one that is clearly meant, and replaces ids by those that
/// they are aliases of. Writes every such choice down, and asks a person about a name that nobody bears.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn resolve_references(
    tx: &mut Tx,
    entity: &'static Entity,
    rows: &mut [Candidate],
) -> Result<(), sqlx::Error> {
    let aliases = aliases(tx, entity, rows).await?;
    let mut decisions = Vec::new();
    if !aliases.is_empty() {
        let mut dead = aliases.clone();
        forget_living(tx, &mut dead).await?;
        follow_aliases(entity, &dead, rows, &mut decisions);
    }
    for target in entity::ALL {
        let Some(matching) = &target.matching else { continue };
        let asked = rows.iter().flat_map(|row| &row.asked).filter(|asked| asked.target == target.name);
        let cards: BTreeSet<Card> = asked.map(|asked| asked.card.clone()).collect();
        if cards.is_empty() {
            continue;
        }
        let choices = choices(tx, target, matching, &aliases, cards.into_iter().collect()).await?;
        for row in rows.iter_mut() {
            for asked in row.asked.iter().filter(|asked| asked.target == target.name) {
                let Some(choice) = choices.get(&asked.card) else { continue };
                let Some(column) = entity.columns.get(asked.column) else { continue };
                if let Some(cell) = row.row.cells.get_mut(asked.column) {
                    cell.clone_from(&choice.id);
                }
                decisions.push(Decision {
                    record_id: row.row.id.clone(),
                    reference: column.name,
                    asked: asked.card.to_json(),
                    candidates: choice.scored.clone(),
                    method: choice.method,
                    choice: choice.id.clone(),
                });
            }
        }
        ask_a_person(tx, target, choices.iter().filter(|(_, choice)| choice.id.is_none())).await?;
        let known = choices.iter().filter(|(_, choice)| choice.id.is_some());
        let names: Vec<String> = known.filter_map(|(card, _)| Some(fold(&name(card)?))).collect();
        actions::close(tx, "unmatched", target, &names).await?;
    }
    record(tx, entity, &decisions).await
}

fn follow_aliases(entity: &Entity, aliases: &Aliases, rows: &mut [Candidate], decisions: &mut Vec<Decision>) {
    for row in rows {
        let own = entity.columns.iter().zip(&mut row.row.cells);
        let parts = entity.parts.iter().zip(&mut row.row.parts).flat_map(|(part, list)| {
            list.lines.iter_mut().flat_map(|line| part.columns.iter().zip(&mut line.cells))
        });
        for (column, cell) in own.chain(parts) {
            let Some((target, id)) = column.references.zip(cell.as_deref()) else { continue };
            let Some(meant) = aliases.get(&(target.to_owned(), id.to_owned())) else { continue };
            decisions.push(Decision {
                record_id: row.row.id.clone(),
                reference: column.name,
                asked: json!({ "id": id }),
                candidates: Vec::new(),
                method: "alias",
                choice: Some(meant.clone()),
            });
            *cell = Some(meant.clone());
        }
    }
}

/// Leaves out aliases that are the id of a record that lives: the exact id wins.
async fn forget_living(tx: &mut Tx, aliases: &mut Aliases) -> Result<(), sqlx::Error> {
    for target in entity::ALL.into_iter().filter(|target| !target.placeholder.is_empty()) {
        let of_target: Vec<&str> = aliases
            .keys()
            .filter(|(entity, _)| entity == target.name)
            .map(|(_, alias)| alias.as_str())
            .collect();
        if of_target.is_empty() {
            continue;
        }
        let sql = format!(
            "select id from {} where id = any($1) and not is_placeholder and deleted_at is null",
            target.table
        );
        let living = tx.query(AssertSqlSafe(sql)).bind(&of_target).fetch_all(tx.connection()).await?;
        for row in &living {
            aliases.remove(&(target.name.to_owned(), row.try_get(0)?));
        }
    }
    Ok(())
}

async fn choices(
    tx: &mut Tx,
    target: &Entity,
    matching: &Matching,
    aliases: &Aliases,
    cards: Vec<Card>,
) -> Result<BTreeMap<Card, Choice>, sqlx::Error> {
    let found = candidates(tx, target, matching, &cards).await?;
    let choices = cards.into_iter().zip(&found).map(|(card, found)| {
        let alias = name(&card).and_then(|name| aliases.get(&(target.name.to_owned(), fold(&name))));
        let (scored, chosen) = choose(matching, &card, found);
        let is_equal = scored.first().is_some_and(|best| best.score >= 1.0);
        let (method, id) = match (alias, chosen) {
            (Some(id), _) => ("alias", Some(id.clone())),
            (None, Some(id)) => (if is_equal { "equal" } else { "fuzzy" }, Some(id)),
            (None, None) => ("none", None),
        };
        (card, Choice { scored, method, id })
    });
    Ok(choices.collect())
}

/// What a card calls the one it asks for.
fn name(card: &Card) -> Option<String> {
    let names: Vec<&str> = ["name", "first_name", "last_name", "company_name", "serial_number", "email"]
        .into_iter()
        .filter_map(|field| card.get(field))
        .collect();
    (!names.is_empty()).then(|| names.join(" ").chars().take(SUBJECT_CHARACTERS_MAX).collect())
}

/// The aliases among the ids and names that these rows refer to.
async fn aliases(tx: &mut Tx, entity: &Entity, rows: &[Candidate]) -> Result<Aliases, sqlx::Error> {
    let columns = entity.columns.iter().chain(entity.parts.iter().flat_map(|part| part.columns));
    if !columns.into_iter().any(|column| column.references.is_some()) {
        return Ok(Aliases::new());
    }
    // Few, or none: they are all read, and most batches ask nothing else.
    let known =
        tx.query("select entity, alias, id from aliases order by alias").fetch_all(tx.connection()).await?;
    let mut wanted: BTreeSet<(&str, String)> = BTreeSet::new();
    if !known.is_empty() {
        for row in rows {
            let own = entity.columns.iter().zip(&row.row.cells);
            let parts = entity.parts.iter().zip(&row.row.parts).flat_map(|(part, list)| {
                list.lines.iter().flat_map(|line| part.columns.iter().zip(&line.cells))
            });
            let cells = own.chain(parts);
            wanted.extend(cells.filter_map(|(column, cell)| Some((column.references?, cell.clone()?))));
            wanted
                .extend(row.asked.iter().filter_map(|asked| Some((asked.target, fold(&name(&asked.card)?)))));
        }
    }
    let mut aliases = Aliases::new();
    for row in &known {
        let (entity, alias): (String, String) = (row.try_get("entity")?, row.try_get("alias")?);
        for alias in BTreeSet::from([fold(&alias), alias]) {
            if wanted.contains(&(entity.as_str(), alias.clone())) {
                aliases.entry((entity.clone(), alias)).or_insert(row.try_get("id")?);
            }
        }
    }
    Ok(aliases)
}

/// Once for each name, however many records bear it.
async fn ask_a_person(
    tx: &mut Tx,
    target: &Entity,
    nobody: impl Iterator<Item = (&Card, &Choice)>,
) -> Result<(), sqlx::Error> {
    let nobody: Vec<(String, Value)> =
        nobody.filter_map(|(card, _)| Some((fold(&name(card)?), card.to_json()))).collect();
    if nobody.is_empty() {
        return Ok(());
    }
    tx.query(
        r"
        insert into admin_actions (kind, entity, subject, details)
        select distinct on (subject) 'unmatched', $1, subject, details::jsonb
        from unnest($2::text[], $3::text[]) as u(subject, details)
        on conflict (kind, entity, subject) where resolved_at is null do nothing
        ",
    )
    .bind(target.name)
    .bind(nobody.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    .bind(nobody.iter().map(|(_, card)| card.to_string()).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}
