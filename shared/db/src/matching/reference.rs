//! References without a usable id: resolved by alias, or by the profile that the record gives instead.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::{self, Entity};
use model::fold::fold;
use model::matching::{MatchProfile, Matching, ScoredCandidate, choose};
use protocol::action::ActionKind;

use super::alias::{Aliases, name_of};
use super::candidate_search::find_candidates;
use super::decision::{Decision, MatchMethod, record_decisions};
use crate::actions::{self, NewAction, Resolver};
use crate::error::Error;
use crate::pool::Tx;
use crate::production::candidate::Candidate;

/// Record that a profile means, with the candidates that were compared.
#[derive(Debug)]
struct Choice {
    scored: Vec<ScoredCandidate>,
    method: MatchMethod,
    id: Option<String>,
}

type Choices = BTreeMap<MatchProfile, Choice>;

/// Fills references that have no usable id with the record that is clearly meant, and replaces ids by those that they
/// are aliases of. Records a decision for each, and opens an action about every name that no record bears.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn resolve_references(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: &mut [Candidate],
) -> Result<(), Error> {
    let mut decisions = Vec::new();
    let aliases = Aliases::read(tx, entity, candidates).await?;
    aliases.replace_ids(tx, entity, candidates, &mut decisions).await?;
    for target in entity::ALL {
        let Some(matching) = &target.matching else { continue };
        let unresolved = candidates.iter().flat_map(|candidate| &candidate.unresolved);
        let of_target = unresolved.filter(|asked| asked.target == target.name);
        let profiles: BTreeSet<MatchProfile> = of_target.map(|asked| asked.profile.clone()).collect();
        if profiles.is_empty() {
            continue;
        }
        let choices = choices(tx, target, matching, &aliases, profiles.into_iter().collect()).await?;
        for candidate in candidates.iter_mut() {
            fill_references(entity, target, candidate, &choices, &mut decisions);
        }
        update_actions(tx, target, &choices).await?;
    }
    record_decisions(tx, entity, &decisions).await
}

/// Chooses the record that each profile means: by alias first, then by similarity.
async fn choices(
    tx: &mut Tx,
    target: &Entity,
    matching: &Matching,
    aliases: &Aliases,
    profiles: Vec<MatchProfile>,
) -> Result<Choices, Error> {
    let found = find_candidates(tx, target, matching, &profiles).await?;
    let choices = profiles.into_iter().zip(&found).map(|(profile, found)| {
        let alias = name_of(&profile).and_then(|name| aliases.of_name(target, &name));
        let (scored, chosen) = choose(matching, &profile, found);
        let is_equal = scored.first().is_some_and(|best| best.score >= 1.0);
        let (method, id) = match (alias, chosen) {
            (Some(id), _) => (MatchMethod::Alias, Some(id.clone())),
            (None, Some(id)) if is_equal => (MatchMethod::Equal, Some(id)),
            (None, Some(id)) => (MatchMethod::Fuzzy, Some(id)),
            (None, None) => (MatchMethod::None, None),
        };
        (profile, Choice { scored, method, id })
    });
    Ok(choices.collect())
}

/// Writes the chosen ids into a candidate's references to one entity, and adds a decision for each.
fn fill_references(
    entity: &Entity,
    target: &Entity,
    candidate: &mut Candidate,
    choices: &Choices,
    decisions: &mut Vec<Decision>,
) {
    for asked in candidate.unresolved.iter().filter(|asked| asked.target == target.name) {
        let Some(choice) = choices.get(&asked.profile) else { continue };
        let Some(column) = entity.columns.get(asked.column) else { continue };
        if let Some(cell) = candidate.row.cells.get_mut(asked.column) {
            cell.clone_from(&choice.id);
        }
        decisions.push(Decision {
            record_id: candidate.row.id.clone(),
            reference: column.name,
            asked: asked.profile.to_json(),
            candidates: choice.scored.clone(),
            method: choice.method,
            choice: choice.id.clone(),
        });
    }
}

/// Opens an action for each name that no record bears, once however many records hold it, and resolves those of the
/// names that were found.
async fn update_actions(tx: &mut Tx, target: &Entity, choices: &Choices) -> Result<(), Error> {
    let (found, unmatched): (Vec<_>, Vec<_>) = choices
        .iter()
        .filter_map(|(profile, choice)| Some((fold(&name_of(profile)?), profile, choice.id.is_some())))
        .partition(|(_, _, is_found)| *is_found);
    let actions: Vec<NewAction<'_>> = unmatched
        .iter()
        .map(|(name, profile, _)| NewAction { subject: name, details: profile.to_json() })
        .collect();
    actions::open(tx, ActionKind::Unmatched, target.name, &actions).await?;
    let found: Vec<String> = found.into_iter().map(|(name, _, _)| name).collect();
    actions::resolve(tx, ActionKind::Unmatched, target, &found, Resolver::Reconciler).await
}
