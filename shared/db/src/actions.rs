//! `admin_actions`: findings that a person has to decide on. Only this file and `follow_up` write this table.

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
    ("replace_open_actions", REPLACE_OPEN),
    ("resolve_actions", RESOLVE),
    ("resolve_actions_of_entity", RESOLVE_OF_ENTITY),
    ("resolve_withheld_deletions", RESOLVE_WITHHELD_DELETIONS),
    ("resolve_action_by_id", RESOLVE_BY_ID),
    ("resolve_quarantined", RESOLVE_QUARANTINED),
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
    pub(crate) const fn as_str(self) -> &'static str {
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

const RESOLVE_QUARANTINED: &str = r"
    with readable as (
        update quarantine set resolved_at = now() where source_key = $1 and resolved_at is null returning source_key
    )
    update admin_actions a set resolved_at = now(), resolved_by = $3
    from readable r
    where a.kind = $2 and a.subject = r.source_key and a.resolved_at is null
    ";

/// Ends the quarantine of an object that can be read now, and resolves the action about it.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_quarantined(tx: &mut Tx, source_key: &str) -> Result<(), Error> {
    tx.query(RESOLVE_QUARANTINED)
        .bind(source_key)
        .bind(ActionKind::Quarantined.as_str())
        .bind(Resolver::Stager.as_str())
        .execute(tx.connection())
        .await
        .during("end a quarantine")?;
    Ok(())
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

const REPLACE_OPEN: &str = r"
    with wanted as (
        select subject, details::jsonb as details from unnest($3::text[], $4::text[]) as u(subject, details)
    ), resolved as (
        update admin_actions a set resolved_at = now(), resolved_by = $5
        where a.kind = $1 and a.entity = $2 and a.resolved_at is null
            and not exists (select from wanted w where w.subject = a.subject)
    )
    insert into admin_actions as a (kind, entity, subject, details)
    select $1, $2, subject, details from wanted
    on conflict (kind, entity, subject) where resolved_at is null
        do update set details = excluded.details where a.details is distinct from excluded.details
    returning xmax = 0 as is_new
    ";

/// Replaces the open actions of one kind about an entity by these: opens those that are new, updates those that are open
/// already, and resolves the others. Returns how many were opened.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn replace_open(
    tx: &mut Tx,
    kind: ActionKind,
    entity: &Entity,
    actions: &[NewAction<'_>],
) -> Result<u64, Error> {
    let changed: Vec<bool> = tx
        .query_scalar(REPLACE_OPEN)
        .bind(kind.as_str())
        .bind(entity.name)
        .bind(actions.iter().map(|action| action.subject).collect::<Vec<_>>())
        .bind(actions.iter().map(|action| action.details.to_string()).collect::<Vec<_>>())
        .bind(Resolver::Reconciler.as_str())
        .fetch_all(tx.connection())
        .await
        .during("replace open actions")?;
    Ok(u64::try_from(changed.iter().filter(|is_new| **is_new).count()).unwrap_or(0))
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

/// Records and lanes that a run was served.
#[derive(Debug)]
pub(crate) struct ServedRecords<'a> {
    /// Subjects of the actions that stay open, because the run was not served them either.
    pub(crate) subjects_left: &'a [String],
    /// Ids that the run has got a clear answer for.
    pub(crate) ids: &'a [String],
    /// Lane of a run that read its listing to the end: whatever it names no more was served, where no id is known.
    pub(crate) lane: Option<&'a str>,
    /// The run has listed everything.
    pub(crate) is_full: bool,
}

/// Resolves the open actions about records of an entity that were served since they were opened.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_served(
    tx: &mut Tx,
    entity: &Entity,
    served: &ServedRecords<'_>,
) -> Result<(), Error> {
    if served.lane.is_none() && served.ids.is_empty() {
        return Ok(());
    }
    tx.query(AssertSqlSafe(resolve_served_sql(entity)))
        .bind(entity.name)
        .bind(served.subjects_left)
        .bind(served.ids)
        .bind(served.lane)
        .bind(served.is_full)
        .execute(tx.connection())
        .await
        .during("resolve the actions of served records")?;
    Ok(())
}

/// A subject that is an id is served where staging has seen it since: another listing of the same lane may have reached
/// less far.
fn resolve_served_sql(entity: &Entity) -> String {
    let (kind, resolver) = (ActionKind::Unserved.as_str(), Resolver::Fetcher.as_str());
    format!(
        r"
        update admin_actions a set resolved_at = now(), resolved_by = '{resolver}'
        where a.kind = '{kind}' and a.entity = $1 and a.resolved_at is null and a.subject <> all($2::text[])
            and (
                a.subject = any($3::text[])
                or $5::boolean
                or a.details ->> 'lane' = $4::text
                    and (a.subject = $4::text or a.subject like $4::text || ', page %')
                or exists (
                    select from {} s where s.gazelle_id = a.subject and s.fetched_at > a.created_at
                )
            )
        ",
        entity.staging_table
    )
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
    let mut statements = vec![("resolve_served", resolve_served_sql(entity))];
    if !entity.placeholder.is_empty() {
        statements.push(("resolve_filled_placeholders", resolve_filled_placeholders_sql(entity)));
    }
    statements
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

/// Where the action is about an object or a message in quarantine, that one is dealt with, too.
const RESOLVE_BY_ID: &str = r"
    with resolved as (
        update admin_actions set resolved_at = now(), resolved_by = $2
        where id = $1 and resolved_at is null
        returning kind, subject
    ),
    dealt_with as (
        update quarantine q set resolved_at = now()
        from resolved r where r.kind = $3 and q.source_key = r.subject and q.resolved_at is null
    )
    select count(*) from resolved
    ";

/// Resolves an open action in a person's name. Returns whether it was open.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn resolve_action(db: &Db, id: Uuid, person: &str) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    let resolved: i64 = tx
        .query_scalar(RESOLVE_BY_ID)
        .bind(id)
        .bind(person)
        .bind(ActionKind::Quarantined.as_str())
        .fetch_one(tx.connection())
        .await
        .during("resolve an action")?;
    tx.commit().await?;
    Ok(resolved > 0)
}
