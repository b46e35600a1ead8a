//! `admin_actions`: findings that a person has to decide on. No other file writes this table.

use model::entity::Entity;
use protocol::action::ActionKind;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("open_actions", OPEN),
    ("open_or_update_action", OPEN_OR_UPDATE),
    ("propose_pairs", PROPOSE_PAIRS),
    ("resolve_actions", RESOLVE),
    ("resolve_actions_of_entity", RESOLVE_OF_ENTITY),
    ("resolve_withheld_deletions", RESOLVE_WITHHELD_DELETIONS),
    ("resolve_action_by_id", RESOLVE_BY_ID),
];

/// Finding that a person has to decide on.
#[derive(Debug)]
pub(crate) struct NewAction<'a> {
    /// Record, page, run or name that the finding is about; unique among the open actions of a kind and an entity.
    pub(crate) subject: &'a str,
    /// JSON object that describes the finding.
    pub(crate) details: Value,
}

/// Component that resolves an action, as the column `resolved_by` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// The fetcher, when a run has succeeded.
    Fetcher,
    /// The stager, when a page can be read.
    Stager,
    /// The reconciler, when a record is sound again.
    Reconciler,
    /// An operator's request to try failed records again.
    Retry,
}

impl Resolver {
    /// Returns the value of the column `resolved_by`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fetcher => "fetcher",
            Self::Stager => "stager",
            Self::Reconciler => "reconciler",
            Self::Retry => "retry",
        }
    }
}

const OPEN: &str = r"
    insert into admin_actions (kind, entity, subject, details)
    select distinct on (subject) $1, $2, subject, details::jsonb
    from unnest($3::text[], $4::text[]) as u(subject, details)
    on conflict (kind, entity, subject) where resolved_at is null do nothing
    ";

/// Opens actions of one kind about subjects of one entity; one that is open already stays as it is. `entity` is empty
/// where none is known. Sends nothing if there are no actions.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn open(
    tx: &mut Tx,
    kind: ActionKind,
    entity: &str,
    actions: &[NewAction<'_>],
) -> Result<(), Error> {
    if actions.is_empty() {
        return Ok(());
    }
    open_counted(tx, kind, entity, actions).await?;
    Ok(())
}

/// Opens actions like [`open`] and returns how many were not open before.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn open_counted(
    tx: &mut Tx,
    kind: ActionKind,
    entity: &str,
    actions: &[NewAction<'_>],
) -> Result<u64, Error> {
    if actions.is_empty() {
        return Ok(0);
    }
    let opened = tx
        .query(OPEN)
        .bind(kind.as_str())
        .bind(entity)
        .bind(actions.iter().map(|action| action.subject).collect::<Vec<_>>())
        .bind(actions.iter().map(|action| action.details.to_string()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("open actions")?;
    Ok(opened.rows_affected())
}

const OPEN_OR_UPDATE: &str = r"
    insert into admin_actions (kind, entity, subject, details)
    values ($1, $2, $3, $4::text::jsonb)
    on conflict (kind, entity, subject) where resolved_at is null do update set details = excluded.details
    ";

/// Opens an action, or replaces the details of the one that is open.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn open_or_update(
    tx: &mut Tx,
    kind: ActionKind,
    entity: &str,
    action: &NewAction<'_>,
) -> Result<(), Error> {
    tx.query(OPEN_OR_UPDATE)
        .bind(kind.as_str())
        .bind(entity)
        .bind(action.subject)
        .bind(action.details.to_string())
        .execute(tx.connection())
        .await
        .during("open or update an action")?;
    Ok(())
}

/// Two records that may be the same, for a person to decide.
#[derive(Debug)]
pub(crate) struct ProposedPair<'a> {
    /// Id of the one record, the smaller of the two.
    pub(crate) one: &'a str,
    /// Id of the other record.
    pub(crate) other: &'a str,
    /// Similarity of the two, from 0 to 1.
    pub(crate) score: f64,
}

const PROPOSE_PAIRS: &str = r"
    insert into admin_actions (kind, entity, subject, details)
    select $1, $2, u.one || ' ' || u.other,
        jsonb_build_object('one', u.one, 'other', u.other, 'score', u.score)
    from unnest($3::text[], $4::text[], $5::float8[]) as u(one, other, score)
    where not exists (
        select from admin_actions a
        where a.kind = $1 and a.entity = $2 and a.subject = u.one || ' ' || u.other
    )
    ";

/// Opens an action for each pair that was never proposed before, whatever a person decided on it then. Returns how
/// many were opened.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn propose_pairs(
    tx: &mut Tx,
    entity: &Entity,
    pairs: &[ProposedPair<'_>],
) -> Result<u64, Error> {
    let proposed = tx
        .query(PROPOSE_PAIRS)
        .bind(ActionKind::ProbableDuplicate.as_str())
        .bind(entity.name)
        .bind(pairs.iter().map(|pair| pair.one).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.other).collect::<Vec<_>>())
        .bind(pairs.iter().map(|pair| pair.score).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("propose pairs of duplicates")?;
    Ok(proposed.rows_affected())
}

const RESOLVE: &str = r"
    update admin_actions set resolved_at = now(), resolved_by = $4
    where kind = $1 and entity = $2 and subject = any($3) and resolved_at is null
    ";

/// Resolves the open actions of one kind about these subjects.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve(
    tx: &mut Tx,
    kind: ActionKind,
    entity: &Entity,
    subjects: &[String],
    resolver: Resolver,
) -> Result<(), Error> {
    tx.query(RESOLVE)
        .bind(kind.as_str())
        .bind(entity.name)
        .bind(subjects)
        .bind(resolver.as_str())
        .execute(tx.connection())
        .await
        .during("resolve actions")?;
    Ok(())
}

const RESOLVE_OF_ENTITY: &str = r"
    update admin_actions set resolved_at = now(), resolved_by = $3
    where kind = any($1) and entity = $2 and resolved_at is null
    ";

/// Resolves every open action of these kinds about an entity.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_of_entity(
    tx: &mut Tx,
    kinds: &[ActionKind],
    entity: &Entity,
    resolver: Resolver,
) -> Result<(), Error> {
    tx.query(RESOLVE_OF_ENTITY)
        .bind(kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>())
        .bind(entity.name)
        .bind(resolver.as_str())
        .execute(tx.connection())
        .await
        .during("resolve the actions of an entity")?;
    Ok(())
}

const RESOLVE_WITHHELD_DELETIONS: &str = r"
    update admin_actions set resolved_at = now(), resolved_by = $3
    where kind = $1 and entity = $2 and resolved_at is null
        and not exists (select from missing_records m where m.entity = $2 and m.withheld)
    ";

/// Resolves the request to confirm an entity's deletions if none is withheld any more.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_withheld_deletions(tx: &mut Tx, entity: &Entity) -> Result<(), Error> {
    tx.query(RESOLVE_WITHHELD_DELETIONS)
        .bind(ActionKind::DeletionWithheld.as_str())
        .bind(entity.name)
        .bind(Resolver::Reconciler.as_str())
        .execute(tx.connection())
        .await
        .during("resolve withheld deletions")?;
    Ok(())
}

/// Resolves the open actions about placeholders of an entity whose real record has arrived.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_filled_placeholders(tx: &mut Tx, entity: &Entity) -> Result<(), Error> {
    tx.query(AssertSqlSafe(resolve_filled_placeholders_sql(entity)))
        .bind(entity.name)
        .execute(tx.connection())
        .await
        .during("resolve the actions of placeholders")?;
    Ok(())
}

// This statement runs with every batch: with literals, the planner knows that few rows have this kind.
fn resolve_filled_placeholders_sql(entity: &Entity) -> String {
    let (kind, resolver) = (ActionKind::Placeholder.as_str(), Resolver::Reconciler.as_str());
    format!(
        r"
        update admin_actions a set resolved_at = now(), resolved_by = '{resolver}'
        where a.kind = '{kind}' and a.entity = $1 and a.resolved_at is null
            and exists (select from {} t where t.id = a.subject and not t.is_placeholder)
        ",
        entity.table
    )
}

/// Returns the assembled statements of this file for an entity.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    if entity.placeholder.is_empty() {
        return Vec::new();
    }
    vec![("resolve_filled_placeholders", resolve_filled_placeholders_sql(entity))]
}

/// Returns an update that resolves open actions `a` of one kind, as a part of a larger statement: for each row of
/// `source`, such as `retried r`, those that `condition` joins to it.
pub(crate) fn resolve_from_sql(
    kind: ActionKind,
    resolver: Resolver,
    source: &'static str,
    condition: &'static str,
) -> String {
    let (kind, resolver) = (kind.as_str(), resolver.as_str());
    format!(
        r"update admin_actions a set resolved_at = now(), resolved_by = '{resolver}'
            from {source}
            where a.kind = '{kind}' and {condition} and a.resolved_at is null"
    )
}

const RESOLVE_BY_ID: &str =
    "update admin_actions set resolved_at = now(), resolved_by = $2 where id = $1 and resolved_at is null";

/// Resolves an open action in a person's name. Returns whether it was open.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn resolve_action(db: &Db, id: Uuid, person: &str) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    let resolved = tx
        .query(RESOLVE_BY_ID)
        .bind(id)
        .bind(person)
        .execute(tx.connection())
        .await
        .during("resolve an action")?;
    tx.commit().await?;
    Ok(resolved.rows_affected() > 0)
}
