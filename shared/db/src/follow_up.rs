//! Actions that people are told of later, and those that end because newer facts have come.

use model::entity::Entity;
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::actions::{self, NewAction, Resolver};
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("open_actions_for_later", OPEN_FOR_LATER),
    ("resolve_aliased", RESOLVE_ALIASED),
    ("release_placeholders", RELEASE_PLACEHOLDERS),
    ("open_subjects", OPEN_SUBJECTS),
];

/// Returns the assembled statements of this file for an entity.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    vec![("resolve_outdated_failures", resolve_outdated_failures_sql(entity))]
}

const OPEN_FOR_LATER: &str = r"
    insert into admin_actions (kind, entity, subject, details, told_from)
    select distinct on (subject) $1, $2, subject, details::jsonb, 'infinity'
    from unnest($3::text[], $4::text[]) as u(subject, details)
    on conflict (kind, entity, subject) where resolved_at is null do nothing
    ";

/// Opens actions about placeholders of an entity of which people are not told yet. The details hold the run that
/// referred to each (`run_id`), the entity of that run (`by`) and the time of its page (`fetched_at`).
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn open_placeholders_for_later(
    tx: &mut Tx,
    entity: &str,
    actions: &[NewAction<'_>],
) -> Result<(), Error> {
    tx.query(OPEN_FOR_LATER)
        .bind(ActionKind::Placeholder.as_str())
        .bind(entity)
        .bind(actions.iter().map(|action| action.subject).collect::<Vec<_>>())
        .bind(actions.iter().map(|action| action.details.to_string()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("open actions for later")?;
    Ok(())
}

/// Takes `$1` the kind, `$2` the entity, and `$3` true where every incremental run lists the whole entity. What is still
/// unknown after a day is told in any case.
const RELEASE_PLACEHOLDERS: &str = r"
    update admin_actions a set told_from = clock_timestamp()
    where a.kind = $1 and a.entity = $2 and a.resolved_at is null and a.told_from = 'infinity'
        and (
            a.created_at < now() - interval '1 day'
            or not exists (
                select from sync_status s
                where s.run_id = a.details ->> 'run_id' and s.sync_type = a.details ->> 'by' and s.status = 'running'
            ) and exists (
                select from sync_status s
                where s.sync_type = a.entity and s.status <> 'running' and s.fetch_status in ('success', 'partial')
                    and (s.mode = 'full' or s.mode = 'incremental' and $3)
                    and s.started_at >= (a.details ->> 'fetched_at')::timestamptz
            )
        )
    ";

/// Lets people know of the placeholders of an entity whose record has not come with the run that referred to it, nor
/// with the listing of the entity that began after that. Resolves what was answered by an alias or by the record itself.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn release_placeholders(db: &Db, entity: &Entity) -> Result<u64, Error> {
    if entity.placeholder.is_empty() {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    tx.query(RESOLVE_ALIASED)
        .bind([ActionKind::Placeholder.as_str(), ActionKind::Unmatched.as_str()])
        .bind(entity.name)
        .bind(Resolver::Reconciler.as_str())
        .execute(tx.connection())
        .await
        .during("resolve the actions of aliases")?;
    actions::resolve_filled_placeholders(&mut tx, entity).await?;
    let released = tx
        .query(RELEASE_PLACEHOLDERS)
        .bind(ActionKind::Placeholder.as_str())
        .bind(entity.name)
        .bind(entity.time_filter().is_none())
        .execute(tx.connection())
        .await
        .during("release the actions of placeholders")?;
    tx.commit().await?;
    Ok(released.rows_affected())
}

/// Resolves what a person has answered with an alias: unknown ids, and names that no record bears.
const RESOLVE_ALIASED: &str = r"
    update admin_actions a set resolved_at = now(), resolved_by = $3
    from aliases l
    where a.kind = any($1) and a.entity = $2 and a.resolved_at is null
        and l.entity = a.entity and (l.alias = a.subject or lower(l.alias) = a.subject)
    ";

const OPEN_SUBJECTS: &str =
    "select subject from admin_actions where kind = $1 and entity = $2 and resolved_at is null";

/// Resolves the actions about failed records of which newer content is settled: whatever came of that, it says more. Of
/// several contents that failed, the newest alone stays told.
/// `settled` are staging ids.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn resolve_outdated_failures(
    tx: &mut Tx,
    entity: &Entity,
    settled: &[Uuid],
) -> Result<(), Error> {
    if settled.is_empty() {
        return Ok(());
    }
    tx.query(AssertSqlSafe(resolve_outdated_failures_sql(entity)))
        .bind(entity.name)
        .bind(settled)
        .execute(tx.connection())
        .await
        .during("resolve the actions of outdated failures")?;
    Ok(())
}

// The open actions come first: they are few, and the batch is large.
fn resolve_outdated_failures_sql(entity: &Entity) -> String {
    let (kind, resolver) = (ActionKind::Failed.as_str(), Resolver::Reconciler.as_str());
    format!(
        r"
        with failed as materialized (
            select a.id, s.id as staging_id, s.gazelle_id, s.fetched_at, s.source_key, s.content_hash
            from admin_actions a
            join {table} s on s.id::text = a.subject
            where a.kind = '{kind}' and a.entity = $1 and a.resolved_at is null and s.gazelle_id <> ''
        )
        update admin_actions a set resolved_at = now(), resolved_by = '{resolver}'
        from failed f
        where a.id = f.id and exists (
            select from {table} n
            where n.gazelle_id = f.gazelle_id and n.id <> f.staging_id and (n.id = any($2) or n.outcome = 'failed')
                and (n.fetched_at, n.source_key, n.content_hash) > (f.fetched_at, f.source_key, f.content_hash)
        )
        ",
        table = entity.staging_table
    )
}

/// Column of which many records of a batch cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Field of the source, such as `total` or `allInvoiceItems.total`.
    pub field: String,
    /// Records of the batch in which it cannot be read.
    pub unreadable: usize,
    /// Records of the batch.
    pub records: usize,
}

/// Returns the fields of an entity that many records could not be read in.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn open_drifts(tx: &mut Tx, entity: &Entity) -> Result<Vec<String>, Error> {
    tx.query_scalar(OPEN_SUBJECTS)
        .bind(ActionKind::Drift.as_str())
        .bind(entity.name)
        .fetch_all(tx.connection())
        .await
        .during("list open drifts")
}

/// Opens an action for each field that many records cannot be read in, and resolves those of the fields that can be
/// read again.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn update_drifts(
    tx: &mut Tx,
    entity: &'static Entity,
    found: &[Drift],
    healed: &[String],
) -> Result<(), Error> {
    for Drift { field, unreadable, records } in found {
        let details = json!({ "field": field, "unreadable": unreadable, "records": records,
            "reason": format!("{field}: {unreadable} / {records}") });
        let action = NewAction { subject: field, details };
        actions::open_or_update(tx, ActionKind::Drift, entity.name, &action).await?;
    }
    if healed.is_empty() {
        return Ok(());
    }
    actions::resolve(tx, ActionKind::Drift, entity, healed, Resolver::Reconciler).await
}
