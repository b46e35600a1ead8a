//! Deletions: what complete listings lack, asked for, and in the end marked as deleted. Never removed.

use chrono::{DateTime, TimeDelta, Utc};
use model::entity::{self, Absence, Entity, Part, Source, TimeFilter};
use model::row::instant_text;
use protocol::lookup::Answer;
use protocol::v5_import;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use crate::pool::{Db, Tx};

/// Marked in one transaction at most.
const DELETED_AT_ONCE: i64 = 5_000;
/// Full runs within half a day past which no further one is asked for: a source that hides records at
/// random would keep us sweeping.
const SWEEPS_MAX: i64 = 6;
/// So many missing records are no mass deletion, whatever share of a small table they are.
const FEW: i64 = 5;
/// A question that was not answered for so long was lost.
const ANSWER_WITHIN: &str = "interval '1 day'";

/// What a complete listing lacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// The run that listed everything.
    pub run_id: String,
    /// Rows that it lacked.
    pub missing: i64,
    /// Rows in all.
    pub live: i64,
    /// Whether that is too large a share to be believed.
    pub is_withheld: bool,
}

/// What to ask of the source before anything is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Nothing.
    None,
    /// These records, by id.
    Records(Vec<String>),
    /// Everything once more.
    Everything,
}

/// The entities with something missing, or with a complete listing that was not looked at yet.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn entities_with_absence(db: &Db) -> Result<Vec<&'static Entity>, sqlx::Error> {
    let mut tx = db.begin().await?;
    let rows = tx
        .query(
            r"
            select distinct entity from missing_records
            union
            select distinct sync_type from sync_status
            where (mode = 'full' or window_start is not null) and fetch_status = 'success' and swept_at is null
            ",
        )
        .fetch_all(tx.connection())
        .await?;
    tx.rollback().await?;
    let names: Vec<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    let is_wanted =
        |entity: &&'static Entity| entity.absence != Absence::MeansNothing && names.contains(&entity.name);
    Ok(entity::ALL.into_iter().filter(is_wanted).collect())
}

/// The entity's newest complete listing that was not looked at yet: of everything first, then of a period.
const NEWEST: &str = r"
    update sync_status s set swept_at = clock_timestamp()
    from (
        select run_id, started_at, window_start, window_end from sync_status c
        where sync_type = $1 and (mode = 'full' or window_start is not null)
            and fetch_status = 'success' and swept_at is null and pages_staged >= pages_expected
            and not exists (select from sync_status q where q.run_id = c.run_id and q.records_quarantined > 0)
        order by window_start is not null, started_at desc
        limit 1
    ) newest
    where s.sync_type = $1 and (s.mode = 'full' or s.window_start is not null)
        and (s.window_start is null) = (newest.window_start is null)
        and s.swept_at is null and s.started_at <= newest.started_at
    returning newest.run_id, newest.window_start, newest.window_end
    ";

/// Notes what the newest complete listing lacks, if there is one that was not looked at yet. A listing is
/// complete when the fetcher proved it so and every page of it is staged.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn conclude_sweep(
    db: &Db,
    entity: &'static Entity,
    share_max_percent: u32,
) -> Result<Option<Swept>, sqlx::Error> {
    let mut tx = db.begin().await?;
    take_turns(&mut tx, entity).await?;
    let Some(newest) = tx.query(NEWEST).bind(entity.name).fetch_optional(tx.connection()).await? else {
        tx.rollback().await?;
        return Ok(None);
    };
    let run_id: String = newest.try_get("run_id")?;
    let start: Option<DateTime<Utc>> = newest.try_get("window_start")?;
    let period = entity.dated_by().zip(start.zip(newest.try_get("window_end")?));
    let (missing, live) = note_missing(&mut tx, entity, &run_id, period).await?;
    let is_large = missing.saturating_mul(100) > live.saturating_mul(i64::from(share_max_percent));
    // A few are believed when the source, asked for each of them, knows none.
    let is_asked_for = matches!(entity.absence, Absence::AskedFor { .. });
    let is_believed = is_asked_for && missing <= FEW && missing < live;
    let swept = Swept { run_id, missing, live, is_withheld: is_large && !is_believed };
    withhold(&mut tx, entity, &swept, share_max_percent).await?;
    tx.commit().await?;
    Ok(Some(swept))
}

/// The column that holds a record's instant, and the first and last of a period.
type Period = (&'static str, (DateTime<Utc>, DateTime<Utc>));

async fn note_missing(
    tx: &mut Tx,
    entity: &Entity,
    run_id: &str,
    period: Option<Period>,
) -> Result<(i64, i64), sqlx::Error> {
    // These join table with table, once a week.
    tx.query("select set_config('enable_hashjoin', 'on', true)").execute(tx.connection()).await?;
    let (table, staging) = (entity.table, entity.staging_table);
    // An older system's own entries, under ids of its own, were never the source's to lack.
    let foreign = entity.twins.as_ref().map_or_else(String::new, |twins| {
        let (prefix, length) = (twins.prefix, twins.prefix.len());
        format!("and not (left(t.id, {length}) <> '{prefix}' and t.synced_at = '{}')", v5_import::FETCHED_AT)
    });
    // Its first and its last day are not believed: whose days the source means is unknown.
    let within = period.map_or_else(String::new, |(column, (start, end))| {
        let (start, end) = (instant_text(start + TimeDelta::days(1)), instant_text(end - TimeDelta::days(1)));
        format!("and t.{column} >= '{start}' and t.{column} < '{end}'")
    });
    // A complete listing of a period comes every few minutes: an answer may be on its way, and what was found although
    // it is not listed need not be asked for each time. It proves nothing by itself either, however often it comes.
    let (is_asked_anew, counts) = if period.is_none() {
        ("true", 1)
    } else {
        ("m.answer = 'unclear' or m.asked_at < now() - interval '1 hour'", 0)
    };
    // What arrived after the listing began was seen since: by another run, or by this one.
    let sql = format!(
        r"
        with sweep as (
            select started_at from sync_status where run_id = $2 and sync_type = $1
        )
        insert into missing_records as m (entity, id, run_id, missing_since, times)
        select $1, t.id, $2, sweep.started_at, {counts}
        from sweep, {table} t
        where t.deleted_at is null and not t.is_placeholder
            and (t.synced_at is null or t.synced_at < sweep.started_at)
            {foreign}
            {within}
            and not exists (select from {staging} s where s.gazelle_id = t.id and s.fetched_at >= sweep.started_at)
        on conflict (entity, id) do update set
            run_id = excluded.run_id,
            times = m.times + {counts},
            missing_since = case when {is_asked_anew} then excluded.missing_since else m.missing_since end,
            asked_at = case when {is_asked_anew} then null else m.asked_at end,
            -- What was found is no candidate until the source says otherwise.
            answer = case when m.answer is distinct from 'found' and ({is_asked_anew}) then null else m.answer end
        "
    );
    tx.query(AssertSqlSafe(sql)).bind(entity.name).bind(run_id).execute(tx.connection()).await?;
    // What is missing no more; of what lies outside the period nothing is known.
    let of_period = period.map_or_else(String::new, |_| {
        format!("and exists (select from {table} t where t.id = m.id {within})")
    });
    let sql = format!("delete from missing_records m where m.entity = $1 and m.run_id <> $2 {of_period}");
    tx.query(AssertSqlSafe(sql)).bind(entity.name).bind(run_id).execute(tx.connection()).await?;
    // What was found although it is not listed is no candidate for deletion.
    let sql = format!(
        "select
            (select count(*) from missing_records m
             where m.entity = $1 and m.run_id = $2 and m.answer is distinct from 'found'),
            (select count(*) from {table} t where t.deleted_at is null and not t.is_placeholder {within})"
    );
    let counts =
        tx.query(AssertSqlSafe(sql)).bind(entity.name).bind(run_id).fetch_one(tx.connection()).await?;
    Ok((counts.try_get(0)?, counts.try_get(1)?))
}

/// Holds the deletions back, or lets them go, and asks a person where they are held.
async fn withhold(
    tx: &mut Tx,
    entity: &Entity,
    swept: &Swept,
    share_max_percent: u32,
) -> Result<(), sqlx::Error> {
    tx.query(
        r"
        update missing_records set withheld = $2 and confirmed_by is null and answer is distinct from 'found'
        where entity = $1 and run_id = $3
        ",
    )
    .bind(entity.name)
    .bind(swept.is_withheld)
    .bind(&swept.run_id)
    .execute(tx.connection())
    .await?;
    if swept.is_withheld {
        let details = json!({
            "run_id": swept.run_id, "missing": swept.missing, "rows": swept.live,
            "share_max_percent": share_max_percent,
        });
        tx.query(
            r"
            insert into admin_actions (kind, entity, subject, details)
            select 'deletion_withheld', $1, $1, $2::text::jsonb || jsonb_build_object(
                'confirm', format('select %I.confirm_deletions(%L, ''your name'')', current_schema(), $1))
            -- Unless all of them were confirmed before.
            where exists (select from missing_records m where m.entity = $1 and m.withheld)
            on conflict (kind, entity, subject) where resolved_at is null do update set details = excluded.details
            ",
        )
        .bind(entity.name)
        .bind(details.to_string())
        .execute(tx.connection())
        .await?;
    } else {
        tx.query(
            r"
            update admin_actions set resolved_at = now(), resolved_by = 'reconciler'
            where kind = 'deletion_withheld' and entity = $1 and resolved_at is null
                and not exists (select from missing_records m where m.entity = $1 and m.withheld)
            ",
        )
        .bind(entity.name)
        .execute(tx.connection())
        .await?;
    }
    Ok(())
}

/// What has yet to be asked before missing records can be deleted.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn question(db: &Db, entity: &Entity, ids_max: usize) -> Result<Question, sqlx::Error> {
    let mut tx = db.begin().await?;
    let rows = tx
        .query(
            r"
            select id from missing_records
            where entity = $1 and not withheld and (answer is null or answer = 'found') and asked_at is null
                and (times = 1 or $2)
            order by id
            limit $3
            ",
        )
        .bind(entity.name)
        .bind(matches!(entity.absence, Absence::AskedFor { .. }))
        .bind(i64::try_from(ids_max).unwrap_or(i64::MAX))
        .fetch_all(tx.connection())
        .await?;
    let sweeps: i64 = tx
        .query(
            r"
            select count(*) from sync_status
            where sync_type = $1 and mode = 'full' and started_at > now() - interval '12 hours'
            ",
        )
        .bind(entity.name)
        .fetch_one(tx.connection())
        .await?
        .try_get(0)?;
    tx.rollback().await?;
    let ids: Vec<String> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
    Ok(match entity.absence {
        _ if ids.is_empty() => Question::None,
        Absence::AskedFor { .. } => Question::Records(ids),
        Absence::ShownTwice if sweeps < SWEEPS_MAX => Question::Everything,
        Absence::ShownTwice | Absence::MeansNothing => Question::None,
    })
}

/// Notes that a question is on its way.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn mark_asked(db: &Db, entity: &Entity, question: &Question) -> Result<(), sqlx::Error> {
    let ids = match question {
        Question::None => return Ok(()),
        Question::Records(ids) => Some(ids),
        Question::Everything => None,
    };
    let mut tx = db.begin().await?;
    tx.query(
        r"
        update missing_records set asked_at = clock_timestamp()
        where entity = $1 and not withheld and ($2::text[] is null or id = any($2))
        ",
    )
    .bind(entity.name)
    .bind(ids)
    .execute(tx.connection())
    .await?;
    tx.commit().await
}

/// Notes what the source said of missing records; one that is there is missing no more, or, where complete listings
/// come every few minutes, missing no more for a while.
pub(crate) async fn record_answers(
    tx: &mut Tx,
    entity: &Entity,
    answers: &[(DateTime<Utc>, &(String, Answer))],
) -> Result<(), sqlx::Error> {
    if answers.is_empty() {
        return Ok(());
    }
    let words = answers.iter().map(|(_, (_, answer))| match answer {
        Answer::Found => "found",
        Answer::Gone => "gone",
        Answer::Unclear => "unclear",
    });
    tx.query(
        r"
        with said as (
            select distinct on (id) id, answer, at
            from unnest($2::text[], $3::text[], $4::timestamptz[]) as u(id, answer, at)
            order by id, at desc
        ),
        noted as (
            update missing_records m set
                -- What was found, and is now said to be gone, is a candidate first: the next listing counts it
                -- among what is missing, and it is asked for once more.
                answer = case when m.answer = 'found' and said.answer = 'gone' then 'unclear' else said.answer end,
                times = case when said.answer = 'found' then 0 else m.times end,
                confirmed_by = case when said.answer = 'found' then null else m.confirmed_by end
            from said
            -- An answer from before says nothing of what is missing since.
            where m.entity = $1 and m.id = said.id and said.at >= m.missing_since and (said.answer <> 'found' or $5)
        )
        delete from missing_records m using said
        where m.entity = $1 and m.id = said.id and said.at >= m.missing_since and said.answer = 'found' and not $5
        ",
    )
    .bind(entity.name)
    .bind(answers.iter().map(|(_, (id, _))| id.as_str()).collect::<Vec<_>>())
    .bind(words.collect::<Vec<_>>())
    .bind(answers.iter().map(|(at, _)| *at).collect::<Vec<_>>())
    .bind(entity.time_filter().is_some_and(TimeFilter::proves_absence))
    .execute(tx.connection())
    .await?;
    Ok(())
}

/// Marks as deleted what is proven to be gone; answers how many rows. A record seen in the meantime stays.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn delete_missing(db: &Db, entity: &'static Entity) -> Result<u64, sqlx::Error> {
    let proof = match entity.absence {
        Absence::MeansNothing => return Ok(0),
        Absence::ShownTwice => "times >= 2 or confirmed_by is not null".to_owned(),
        Absence::AskedFor { .. } => format!(
            "answer = 'gone' or times >= 2 and (answer = 'unclear' or answer is null and asked_at < now() - {ANSWER_WITHIN})"
        ),
    };
    let (table, staging) = (entity.table, entity.staging_table);
    let (join, placed) = entity.partitioned_by.map_or_else(Default::default, |by| {
        (format!("join {table}_keys k on k.id = d.id"), format!("and t.{by} = k.{by}"))
    });
    let parts: String = entity
        .parts
        .iter()
        .map(|Part { table, parent, .. }| {
            format!(
                ", deleted_{table} as (
                    update {table} p set deleted_at = d.deleted_at, updated_at = clock_timestamp()
                    from deleted d where p.{parent} = d.id
                )"
            )
        })
        .collect();
    let sql = format!(
        r"
        with proven as (
            delete from missing_records m
            where m.entity = $1 and m.id in (
                select id from missing_records where entity = $1 and not withheld and ({proof}) limit {DELETED_AT_ONCE}
            )
            returning m.id, m.run_id, m.missing_since
        ),
        doomed as (
            select p.* from proven p
            where not exists (select from {staging} s where s.gazelle_id = p.id and s.fetched_at >= p.missing_since)
        ),
        marked as (
            update {staging} s set gone_since = d.missing_since from doomed d where s.gazelle_id = d.id
        ),
        deleted as (
            update {table} t set
                deleted_at = clock_timestamp(),
                -- From then on Gazelle says that it is gone: no older page brings it back.
                synced_at = d.missing_since,
                source_key = format('runs/%s/%s.json', $2::text, d.run_id),
                version = t.version + 1,
                updated_at = clock_timestamp()
            from doomed d {join}
            where t.id = d.id {placed} and t.deleted_at is null
                and (t.synced_at is null or t.synced_at < d.missing_since)
            returning t.id, t.deleted_at
        )
        {parts}
        select (select count(*) from deleted), (select count(*) from proven)
        "
    );
    let listed_with = listed_with(entity).name;
    let mut all = 0;
    loop {
        let mut tx = db.begin().await?;
        take_turns(&mut tx, entity).await?;
        let row = tx
            .query(AssertSqlSafe(sql.clone()))
            .bind(entity.name)
            .bind(listed_with)
            .fetch_one(tx.connection())
            .await?;
        tx.commit().await?;
        let (deleted, proven): (i64, i64) = (row.try_get(0)?, row.try_get(1)?);
        all += u64::try_from(deleted).unwrap_or_default();
        if proven < DELETED_AT_ONCE {
            return Ok(all);
        }
    }
}

/// Neither a reconciler nor a stager of the entity is at work meanwhile: what is gone must not come back
/// unseen.
async fn take_turns(tx: &mut Tx, entity: &'static Entity) -> Result<(), sqlx::Error> {
    tx.take_turn("reconcile", entity.table).await?;
    tx.take_turn("stage", listed_with(entity).staging_table).await
}

/// The entity in whose pages this one's records come.
fn listed_with(entity: &'static Entity) -> &'static Entity {
    match entity.source {
        Source::Nested { parent, .. } => entity::find(parent).unwrap_or(entity),
        Source::Query(_) => entity,
    }
}
