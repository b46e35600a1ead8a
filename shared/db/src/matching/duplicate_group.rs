//! Groups of probable duplicates: connected sets of pairs, each proposed to a person as one action.

use std::collections::{BTreeMap, BTreeSet};

use model::entity::Entity;
use model::matching::{DuplicateRule, MatchProfile, Matching};
use protocol::action::ActionKind;
use serde_json::{Value, json};

use super::candidate_search::mark_shared;
use super::profile::read_profiles;
use crate::actions::{self, NewAction};
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Groups of an entity that are open at once: no person works through more. The others wait, and are counted.
const GROUPS_OPEN_MAX: usize = 40;
/// Members that the action of a group lists.
const MEMBERS_LISTED_MAX: usize = 20;
/// Profiles read by one statement.
const PROFILES_PER_READ: usize = 2_000;
/// Subject of the action that counts the groups which wait.
const WAITING: &str = "*";

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("are_groups_due", ARE_GROUPS_DUE),
    ("record_decided_pairs", RECORD_DECIDED_PAIRS),
    ("open_pairs", OPEN_PAIRS),
    ("update_pairs", UPDATE_PAIRS),
    ("delete_pairs", DELETE_PAIRS),
    ("assign_pairs", ASSIGN_PAIRS),
    ("record_groups", RECORD_GROUPS),
];

/// Takes `$1` the entity, `$2` the kind of action, `$3` the number of groups that may be open and `$4` the subject of
/// the action that counts.
const ARE_GROUPS_DUE: &str = r"
    select exists (
        select from match_progress p
        where p.entity = $1 and (
            p.groups_stale
            or p.groups_waiting > 0 and $3 > (
                select count(*) from admin_actions a
                where a.kind = $2 and a.entity = $1 and a.subject <> $4 and a.resolved_at is null
            )
        )
    )
    ";

/// A pair whose action somebody else than the reconciler has closed is decided, also where the closed action was
/// deleted since.
const RECORD_DECIDED_PAIRS: &str = r"
    update duplicate_pairs p set decided_at = now()
    where p.entity = $1 and p.decided_at is null and p.action_id is not null
        and not exists (
            select from admin_actions a
            where a.id = p.action_id and (a.resolved_at is null or a.resolved_by = $2)
        )
    ";

const OPEN_PAIRS: &str = r"
    select one, other, score, array_to_string(evidence, ' ') as evidence
    from duplicate_pairs where entity = $1 and decided_at is null
    ";

const UPDATE_PAIRS: &str = r"
    update duplicate_pairs p set score = u.score, evidence = string_to_array(u.evidence, ' ')
    from unnest($2::text[], $3::text[], $4::float8[], $5::text[]) as u(one, other, score, evidence)
    where p.entity = $1 and p.one = u.one and p.other = u.other
    ";

const DELETE_PAIRS: &str = r"
    delete from duplicate_pairs p
    using unnest($2::text[], $3::text[]) as u(one, other)
    where p.entity = $1 and p.one = u.one and p.other = u.other and p.decided_at is null
    ";

/// Takes `$2` the ids of members and `$3` the subjects of their groups.
const ASSIGN_PAIRS: &str = r"
    update duplicate_pairs p set action_id = g.action_id
    from (
        select d.one, d.other, a.id as action_id
        from duplicate_pairs d
        left join unnest($2::text[], $3::text[]) as u(member, subject) on u.member = d.one
        left join admin_actions a
            on a.kind = $4 and a.entity = $1 and a.subject = u.subject and a.resolved_at is null
        where d.entity = $1 and d.decided_at is null
    ) g
    where p.entity = $1 and p.one = g.one and p.other = g.other and p.action_id is distinct from g.action_id
    ";

const RECORD_GROUPS: &str =
    "update match_progress set groups_stale = false, groups_waiting = $2 where entity = $1";

/// Pair of the table.
#[derive(Debug, Clone, PartialEq, sqlx::FromRow)]
struct Pair {
    one: String,
    other: String,
    score: f64,
    evidence: String,
}

/// Connected set of records.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    members: BTreeSet<String>,
    /// Score of the weakest link that holds it together.
    score: f64,
    evidence: BTreeSet<String>,
}

/// Returns the subject of a group's action: the least of its ids, by which a group that grows keeps its action.
fn subject(group: &Group) -> &str {
    group.members.first().map_or("", String::as_str)
}

/// Makes the groups anew if pairs have changed or a place is free: opens, updates and closes their actions. Returns the
/// number of groups that were opened.
pub(super) async fn propose_groups(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    rule: &DuplicateRule,
) -> Result<u64, Error> {
    if !are_groups_due(tx, entity).await? {
        return Ok(0);
    }
    tx.query(RECORD_DECIDED_PAIRS)
        .bind(entity.name)
        .bind(actions::Resolver::Reconciler.as_str())
        .execute(tx.connection())
        .await
        .during("record decided pairs")?;
    let (pairs, labels) = current_pairs(tx, entity, matching, rule).await?;
    let mut groups = groups(&pairs);
    let waiting = groups.len().saturating_sub(GROUPS_OPEN_MAX);
    groups.truncate(GROUPS_OPEN_MAX);
    let proposed: Vec<(String, Value)> =
        groups
            .iter()
            .map(|group| (subject(group).to_owned(), details(group, rule, &labels)))
            .chain((waiting > 0).then(|| {
                (WAITING.to_owned(), json!({ "same_as": format!("+{waiting}"), "waiting": waiting }))
            }))
            .collect();
    let actions: Vec<NewAction<'_>> =
        proposed.iter().map(|(subject, details)| NewAction { subject, details: details.clone() }).collect();
    let opened = actions::replace_open(tx, ActionKind::ProbableDuplicate, entity, &actions).await?;
    assign(tx, entity, &groups).await?;
    tx.query(RECORD_GROUPS)
        .bind(entity.name)
        .bind(i32::try_from(waiting).unwrap_or(i32::MAX))
        .execute(tx.connection())
        .await
        .during("record the groups of duplicates")?;
    Ok(opened)
}

async fn are_groups_due(tx: &mut Tx, entity: &Entity) -> Result<bool, Error> {
    tx.query_scalar(ARE_GROUPS_DUE)
        .bind(entity.name)
        .bind(ActionKind::ProbableDuplicate.as_str())
        .bind(i64::try_from(GROUPS_OPEN_MAX).unwrap_or(i64::MAX))
        .bind(WAITING)
        .fetch_one(tx.connection())
        .await
        .during("ask if groups of duplicates are due")
}

/// Scores every open pair again, because its records or the number of those that share their phone may have changed
/// since; deletes those that are similar no more. Returns the others, and the names of their records.
async fn current_pairs(
    tx: &mut Tx,
    entity: &Entity,
    matching: &Matching,
    rule: &DuplicateRule,
) -> Result<(Vec<Pair>, BTreeMap<String, String>), Error> {
    let pairs: Vec<Pair> = tx
        .query_as(OPEN_PAIRS)
        .bind(entity.name)
        .fetch_all(tx.connection())
        .await
        .during("read pairs of duplicates")?;
    let ids: BTreeSet<&str> =
        pairs.iter().flat_map(|pair| [pair.one.as_str(), pair.other.as_str()]).collect();
    let ids: Vec<&str> = ids.into_iter().collect();
    let mut profiles: BTreeMap<String, MatchProfile> = BTreeMap::new();
    for ids in ids.chunks(PROFILES_PER_READ) {
        let read = read_profiles(tx, entity, matching, ids).await?;
        let read = mark_shared(tx, entity, matching, read).await?;
        profiles.extend(read.into_iter().map(|profile| (profile.id.clone(), profile)));
    }
    let (mut kept, mut changed, mut gone) = (Vec::new(), Vec::new(), Vec::new());
    for pair in pairs {
        let members = profiles.get(&pair.one).zip(profiles.get(&pair.other));
        let scored = members.map(|(one, other)| (matching.score_of(one, other), one, other));
        match scored.filter(|(score, _, _)| *score >= matching.threshold) {
            None => gone.push(pair),
            Some((score, one, other)) => {
                let evidence = (rule.evidence)(one, other).join(" ");
                let current = Pair { score, evidence, ..pair.clone() };
                if current != pair {
                    changed.push(current.clone());
                }
                kept.push(current);
            }
        }
    }
    let contacts: BTreeMap<&str, String> =
        profiles.iter().filter_map(|(id, profile)| Some((id.as_str(), (rule.contact)(profile)?))).collect();
    let (kept, apart) = split_by_contact(kept, &contacts);
    gone.extend(apart);
    update(tx, entity, &changed).await?;
    delete(tx, entity, &gone).await?;
    let labels = profiles.iter().map(|(id, profile)| (id.clone(), (rule.label)(profile))).collect();
    Ok((kept, labels))
}

/// Separates the pairs of a group that has several contacts: there, a record with a contact and one without are two. Of
/// the pairs of two contacts, the score has decided.
fn split_by_contact(pairs: Vec<Pair>, contacts: &BTreeMap<&str, String>) -> (Vec<Pair>, Vec<Pair>) {
    let mut with_contacts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let sets = connected(&pairs);
    for pair in &pairs {
        for id in [pair.one.as_str(), pair.other.as_str()] {
            let contact = contacts.get(id).map_or("", String::as_str);
            if !contact.is_empty() {
                with_contacts.entry(sets.lead(&pair.one)).or_default().insert(contact);
            }
        }
    }
    let has_several = |id: &str| with_contacts.get(sets.lead(id)).is_some_and(|people| people.len() > 1);
    let is_empty = |id: &str| contacts.get(id).is_some_and(String::is_empty);
    let is_apart = |pair: &Pair| has_several(&pair.one) && is_empty(&pair.one) != is_empty(&pair.other);
    let apart: Vec<bool> = pairs.iter().map(is_apart).collect();
    let (mut kept, mut removed) = (Vec::new(), Vec::new());
    for (pair, is_apart) in pairs.into_iter().zip(apart) {
        if is_apart { removed.push(pair) } else { kept.push(pair) }
    }
    (kept, removed)
}

async fn update(tx: &mut Tx, entity: &Entity, pairs: &[Pair]) -> Result<(), Error> {
    if pairs.is_empty() {
        return Ok(());
    }
    tx.query(UPDATE_PAIRS)
        .bind(entity.name)
        .bind(pairs.iter().map(|pair| pair.one.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.other.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.score).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.evidence.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("update pairs of duplicates")?;
    Ok(())
}

async fn delete(tx: &mut Tx, entity: &Entity, pairs: &[Pair]) -> Result<(), Error> {
    if pairs.is_empty() {
        return Ok(());
    }
    tx.query(DELETE_PAIRS)
        .bind(entity.name)
        .bind(pairs.iter().map(|pair| pair.one.as_str()).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.other.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("delete pairs of duplicates")?;
    Ok(())
}

/// Notes for each pair the action of its group; none for those that wait.
async fn assign(tx: &mut Tx, entity: &Entity, groups: &[Group]) -> Result<(), Error> {
    let members =
        || groups.iter().flat_map(|group| group.members.iter().map(move |id| (id.as_str(), subject(group))));
    tx.query(ASSIGN_PAIRS)
        .bind(entity.name)
        .bind(members().map(|(id, _)| id).collect::<Vec<_>>())
        .bind(members().map(|(_, subject)| subject).collect::<Vec<_>>())
        .bind(ActionKind::ProbableDuplicate.as_str())
        .execute(tx.connection())
        .await
        .during("assign pairs to the actions of their groups")?;
    Ok(())
}

/// Returns the connected sets of the pairs, the most certain first.
fn groups(pairs: &[Pair]) -> Vec<Group> {
    let sets = connected(pairs);
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for pair in pairs {
        let root = sets.lead(&pair.one);
        let score = sets.scores.get(root).copied().unwrap_or(pair.score);
        let group = groups.entry(root).or_insert_with(|| Group {
            members: BTreeSet::new(),
            score,
            evidence: BTreeSet::new(),
        });
        group.members.extend([pair.one.clone(), pair.other.clone()]);
        group.evidence.extend(pair.evidence.split_whitespace().map(str::to_owned));
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.members.cmp(&b.members)));
    groups
}

/// Joins the ends of all pairs, the strongest first: the last link that a set needs is its weakest.
fn connected(pairs: &[Pair]) -> DisjointSets<'_> {
    let mut ordered: Vec<&Pair> = pairs.iter().collect();
    ordered.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut sets = DisjointSets::default();
    for pair in ordered {
        sets.join(&pair.one, &pair.other, pair.score);
    }
    sets
}

/// Sets of ids that are joined link by link, each with the score of its weakest link.
#[derive(Debug, Default)]
struct DisjointSets<'a> {
    parents: BTreeMap<&'a str, &'a str>,
    scores: BTreeMap<&'a str, f64>,
}

impl<'a> DisjointSets<'a> {
    fn lead(&self, id: &'a str) -> &'a str {
        let mut lead = id;
        while let Some(parent) = self.parents.get(lead) {
            lead = parent;
        }
        lead
    }

    fn join(&mut self, one: &'a str, other: &'a str, score: f64) {
        let (one, other) = (self.lead(one), self.lead(other));
        if one == other {
            return;
        }
        let weakest = [one, other].iter().filter_map(|id| self.scores.remove(id)).fold(score, f64::min);
        // The lesser id leads, so that the depth does not depend on the order of the links alone.
        let (root, child) = if one < other { (one, other) } else { (other, one) };
        self.parents.insert(child, root);
        self.scores.insert(root, weakest);
    }
}

/// Returns what the action says: the members, how certain it is, and what they have in common. `same_as` is shown.
fn details(group: &Group, rule: &DuplicateRule, labels: &BTreeMap<String, String>) -> Value {
    let label = |id: &String| labels.get(id).map(String::as_str).unwrap_or_default();
    let listed = || group.members.iter().take(MEMBERS_LISTED_MAX);
    let more = group.members.len().saturating_sub(MEMBERS_LISTED_MAX);
    let names: Vec<String> = listed().map(|id| format!("{} ({id})", label(id))).collect();
    let evidence: Vec<&str> = group.evidence.iter().map(String::as_str).collect();
    let rest = if more > 0 { format!(" +{more}") } else { String::new() };
    json!({
        "grade": if group.score >= rule.certain { "certain" } else { "likely" },
        "score": group.score,
        "members": listed().map(|id| json!({ "id": id, "name": label(id) })).collect::<Value>(),
        "members_total": group.members.len(),
        "evidence": evidence,
        "same_as": format!("{:.0} % · {}{rest} · {}", group.score * 100.0, names.join(" = "), evidence.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(one: &str, other: &str, score: f64) -> Pair {
        Pair { one: one.to_owned(), other: other.to_owned(), score, evidence: "email".to_owned() }
    }

    #[test]
    fn connected_pairs_are_one_group_of_its_weakest_link() {
        let found =
            groups(&[pair("a", "b", 0.9), pair("c", "d", 1.0), pair("b", "c", 0.86), pair("x", "y", 0.99)]);
        let members: Vec<Vec<&str>> =
            found.iter().map(|group| group.members.iter().map(String::as_str).collect()).collect();
        assert_eq!(members, [vec!["x", "y"], vec!["a", "b", "c", "d"]]);
        assert!((found[1].score - 0.86).abs() < f64::EPSILON, "{found:?}");
    }

    #[test]
    fn stronger_links_decide_over_redundant_ones() {
        let found = groups(&[pair("a", "b", 1.0), pair("b", "c", 1.0), pair("a", "c", 0.85)]);
        assert!((found[0].score - 1.0).abs() < f64::EPSILON, "{found:?}");
    }
}
