//! Situations of the pipeline, healthy and not, against the table of `docs/situations.md`: the health, the page and the
//! alerts that each must give. A mismatch prints the table as the product gives it.

use std::fmt::Write as _;

use alerter::alert_store::AlertStore;
use alerter::snapshot::{ScheduleSign, Snapshot};
use chrono::{TimeDelta, Utc};
use gazelle_sim::SimConfig;
use health::page::{dashboard, unreachable};
use i18n::language::Language;
use pipeline_tests::observation::{THRESHOLDS, observe};
use pipeline_tests::pipeline::Pipeline;
use protocol::alert::{AlertClass, Signal};
use protocol::health::{HealthStatus, assess, worst};
use protocol::request::Mode;
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const DOCUMENT: &str = include_str!("../../docs/situations.md");

/// Statements that the situations use: a run that ended some minutes ago, an action, waiting records.
const TOOLS: &str = "
    create schema saved;
    create function saved.run(entity text, mode text, status text, minutes_ago int) returns void language sql as $$
        insert into gazelle.sync_status
            (run_id, sync_type, mode, lane, status, fetch_status, started_at, completed_at, fetch_ended_at, error_summary)
        select gen_random_uuid(), entity, mode, mode, status, status, now() - (minutes_ago * 60 + 5) * interval '1 s',
            now() - minutes_ago * interval '1 min', now() - minutes_ago * interval '1 min',
            case when status <> 'success' then jsonb_build_object('fetch', 'HTTP 502') end
    $$;
    create function saved.action(kind text, entity text, subjects int) returns void language sql as $$
        insert into gazelle.admin_actions (kind, entity, subject)
        select kind, entity, kind || n from generate_series(1, subjects) n
    $$;
    -- Lets time pass since everything that is recorded.
    create function saved.age(spent interval) returns void language sql as $$
        update gazelle.sync_status set started_at = started_at - spent, completed_at = completed_at - spent,
            fetch_ended_at = fetch_ended_at - spent, swept_at = swept_at - spent;
        update gazelle.staged_pages set staged_at = staged_at - spent;
        update gazelle.stg_clients set first_fetched_at = first_fetched_at - spent, created_at = created_at - spent,
            processed_at = processed_at - spent;
    $$;
    -- Makes records wait since then.
    create function saved.pend(records int, since interval) returns void language sql as $$
        update gazelle.stg_clients set processed = false, processed_at = null, outcome = null,
            first_fetched_at = now() - since, created_at = now() - since
        where id in (select id from gazelle.stg_clients order by id limit records)
    $$;
    create function saved.fail(records int) returns void language sql as $$
        update gazelle.stg_clients set outcome = 'failed', first_fetched_at = now() - interval '10 min',
            processed_at = now() - interval '9 min'
        where id in (select id from gazelle.stg_clients order by id limit records)
    $$;
    -- The first runs were two days ago; the last ticks, a minute ago.
    create function saved.tick() returns void language sql as $$
        select saved.age(interval '2 days');
        select saved.run(sync_type, 'incremental', 'success', 1) from gazelle.sync_status group by sync_type;
    $$;
    do $$
    declare
        t record;
    begin
        for t in select c.relname from pg_class c where c.relnamespace = 'gazelle'::regnamespace
            and c.relkind in ('r', 'p') and not c.relispartition
        loop
            execute format('create table saved.%I as table gazelle.%I', t.relname, t.relname);
        end loop;
    end
    $$;
    create procedure saved.restore() language plpgsql as $$
    declare
        t record;
    begin
        set local session_replication_role = replica;
        for t in select c.relname, (
                select string_agg(quote_ident(a.attname), ', ') from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            ) as columns
            from pg_class c where c.relnamespace = 'gazelle'::regnamespace and c.relkind in ('r', 'p')
                and not c.relispartition
        loop
            execute format('truncate gazelle.%I cascade', t.relname);
        end loop;
        for t in select c.relname, (
                select string_agg(quote_ident(a.attname), ', ') from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            ) as columns
            from pg_class c where c.relnamespace = 'gazelle'::regnamespace and c.relkind in ('r', 'p')
                and not c.relispartition
        loop
            execute format('insert into gazelle.%1$I (%2$s) select %2$s from saved.%1$I', t.relname, t.columns);
        end loop;
    end
    $$;
";

/// Situation: what differs from a mirror whose runs end every two minutes.
struct Situation {
    name: &'static str,
    /// Statements that bring the database into the situation.
    sql: &'static str,
    /// Signal of a function.
    signal: Option<(AlertClass, &'static str)>,
    /// Change of what is observed.
    observed: Option<fn(&mut Snapshot)>,
}

const fn database(name: &'static str, sql: &'static str) -> Situation {
    Situation { name, sql, signal: None, observed: None }
}

const fn signal(name: &'static str, class: AlertClass, subject: &'static str) -> Situation {
    Situation { name, sql: "", signal: Some((class, subject)), observed: None }
}

const fn observed(name: &'static str, observed: fn(&mut Snapshot)) -> Situation {
    Situation { name, sql: "", signal: None, observed: Some(observed) }
}

const SITUATIONS: &[Situation] = &[
    database("in order", ""),
    database(
        "quiet for a night",
        "select saved.age(interval '8 hours'); select saved.run(sync_type, 'incremental', 'success', 1) from sync_status group by sync_type",
    ),
    database(
        "replay of an old run",
        "update sync_status set completed_at = now() where mode = 'full'; update staged_pages set staged_at = now()",
    ),
    database(
        "replay of records under way",
        "update stg_clients set processed = false, processed_at = null, outcome = null, requeued_at = now()",
    ),
    database(
        "record late an hour ago, settled since",
        "update stg_clients set first_fetched_at = now() - interval '3 h', processed_at = now() - interval '1 h'",
    ),
    database("records waiting for ten minutes", "select saved.pend(20, interval '10 min')"),
    database("record waiting for 65 minutes", "select saved.pend(1, interval '65 min')"),
    database("five records waiting for three days", "select saved.pend(5, interval '3 days')"),
    database("every record waiting for 25 hours", "select saved.pend(1000, interval '25 h')"),
    database("one record failed", "select saved.fail(1); select saved.action('failed', 'clients', 1)"),
    database("every record failed", "select saved.fail(1000); select saved.action('failed', 'clients', 20)"),
    database("run failed once", "select saved.run('clients', 'incremental', 'failed', 0)"),
    database("run failed once, succeeded since", "select saved.run('clients', 'incremental', 'failed', 2)"),
    database(
        "three runs failed",
        "select saved.run('clients', 'incremental', 'failed', n) from generate_series(0, 0) n, generate_series(1, 3)",
    ),
    database("full run failed, ticks succeed", "select saved.run('clients', 'full', 'failed', 30)"),
    database("nightly run failed, ticks succeed", "select saved.run('timeline', 'lookback', 'failed', 30)"),
    database("lookup failed, ticks succeed", "select saved.run('clients', 'verify', 'failed', 30)"),
    database("full run partial once", "select saved.run('clients', 'full', 'partial', 30)"),
    database(
        "full runs partial twice",
        "select saved.run('clients', 'full', 'partial', n) from unnest(array[30, 20]) n",
    ),
    database(
        "ticks partial for two hours",
        "delete from sync_status where sync_type = 'clients' and mode = 'incremental'; select saved.run('clients', 'incremental', 'partial', n) from generate_series(0, 120, 2) n",
    ),
    database(
        "no proven full run for nine days",
        "update sync_status set started_at = started_at - interval '7 days', completed_at = completed_at - interval '7 days', fetch_ended_at = fetch_ended_at - interval '7 days', swept_at = swept_at - interval '7 days' where mode = 'full'",
    ),
    database("no run for ten minutes", "select saved.age(interval '10 minutes')"),
    database(
        "no run for ten minutes, replays go on",
        "select saved.age(interval '10 minutes'); update staged_pages set staged_at = now(); update sync_status set completed_at = now() where mode = 'full'",
    ),
    database(
        "long full run in progress",
        "delete from sync_status where mode = 'incremental'; update sync_status set status = 'running', fetch_status = null, completed_at = null, fetch_ended_at = null, started_at = now() - interval '20 min'; update staged_pages set staged_at = now()",
    ),
    database("first run under way", "delete from sync_status; delete from staged_pages"),
    database(
        "credentials refused",
        "select saved.action('credentials', 'clients', 1); select saved.run('clients', 'incremental', 'failed', 0)",
    ),
    database(
        "credentials refused behind 2,000 duplicates",
        "select saved.action('probable_duplicate', 'clients', 2000); select saved.action('credentials', 'clients', 1)",
    ),
    database("query refused", "select saved.action('schema', 'clients', 1)"),
    database("deletions withheld", "select saved.action('deletion_withheld', 'clients', 1)"),
    database("probable duplicates", "select saved.action('probable_duplicate', 'clients', 3)"),
    database("names without a record", "select saved.action('unmatched', 'timeline', 3)"),
    database("placeholder that lasts", "select saved.action('placeholder', 'clients', 1)"),
    database("object in quarantine", "select saved.action('quarantined', 'clients', 1)"),
    database("values of another type", "select saved.action('drift', 'invoices', 1)"),
    database("record that is never served", "select saved.action('unserved', 'clients', 1)"),
    database("mirror incomplete", "select saved.action('incomplete', 'clients', 1)"),
    database(
        "one record in ten failed within the hour",
        "update sync_status set records_fetched = 100, records_staged = 90, records_processed = 80, records_failed = 10, records_quarantined = 10, status = 'partial' where sync_type = 'clients' and mode = 'incremental'",
    ),
    observed("schedule silent", |snapshot| {
        snapshot.schedule = Some(ScheduleSign::FetchedAt(snapshot.at - TimeDelta::minutes(6)));
    }),
    observed("schedule never fired", |snapshot| {
        snapshot.schedule = Some(ScheduleSign::Never);
        snapshot.memory.watched_since = Some(snapshot.at - TimeDelta::minutes(10));
    }),
    observed("dead letters", |snapshot| snapshot.dead_letters = Some(vec![("reconcile", 3)])),
    observed("database away", |snapshot| {
        snapshot.database = None;
        snapshot.database_error = Some("connection refused".to_owned());
    }),
    signal("function crashed", AlertClass::FunctionFailed, "stager"),
    signal("channel refuses", AlertClass::Channel, "slack"),
];

#[sqlx::test(migrations = false)]
async fn situations_give_the_documented_answers(_: PgPoolOptions, options: PgConnectOptions) {
    let config = SimConfig { clients: 40, pianos: 40, timeline: 120, ..SimConfig::default() };
    let pipeline = Pipeline::open(config, options.clone()).await;
    for mode in [Mode::Full, Mode::Full] {
        pipeline.sync(&mode).await;
    }
    pipeline.mirror.execute("delete from admin_actions").await;
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql(TOOLS).execute(&mut connection).await.expect("tools");
    let mut table = String::new();
    for situation in SITUATIONS {
        let row = Box::pin(answer(&pipeline, situation)).await;
        table.push_str(&row);
    }
    let documented: String = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1)
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(documented == table, "docs/situations.md says otherwise; the product gives:\n{table}");
    assert!(SITUATIONS.len() >= 40, "{} situations", SITUATIONS.len());
}

/// Brings the mirror into a situation; returns the table's row: health, page and alerts.
async fn answer(pipeline: &Pipeline, situation: &Situation) -> String {
    let mirror = &pipeline.mirror;
    mirror.execute("call saved.restore(); select saved.tick()").await;
    let mut store = AlertStore::default();
    store.memory.watched_since = Some(Utc::now() - TimeDelta::days(2));
    let before = observe(&mirror.db, &store.memory, Utc::now()).await;
    store.apply(&before, &before.conditions(&THRESHOLDS));
    assert!(store.open.is_empty(), "{}: {:?}", situation.name, store.open);
    mirror.execute(situation.sql).await;
    let mut snapshot = observe(&mirror.db, &store.memory, Utc::now()).await;
    if let Some(change) = situation.observed {
        change(&mut snapshot);
    }
    if let Some((class, subject)) = situation.signal {
        store.raise(&Signal::new(class, subject, "", snapshot.at), snapshot.at);
    }
    store.apply(&snapshot, &snapshot.conditions(&THRESHOLDS));
    let (status, page) = verdict(pipeline, &snapshot).await;
    let alerts: Vec<&str> = store.open.keys().map(|key| key.trim_end_matches('/')).collect();
    let alerts = if alerts.is_empty() { "none".to_owned() } else { format!("`{}`", alerts.join("`, `")) };
    let mut row = String::new();
    let _ = writeln!(row, "| {} | {} | {page} | {alerts} |", situation.name, status.as_str());
    row
}

/// Returns the health of the whole, and the page's banner with the first thing to do.
async fn verdict(pipeline: &Pipeline, snapshot: &Snapshot) -> (HealthStatus, String) {
    let interval = THRESHOLDS.interval_seconds;
    let (status, page) = if snapshot.database.is_none() {
        (HealthStatus::Unhealthy, unreachable(&[], Language::French, snapshot.at))
    } else {
        let overview = db::queries::overview(&pipeline.mirror.db).await.expect("an overview");
        let health = assess(&overview.entities, snapshot.at, interval);
        (worst(&health), dashboard(&overview, &[], Language::French, snapshot.at, interval))
    };
    let text_after = |start: &str| {
        let (_, rest) = page.split_once(start)?;
        Some(rest.split('<').next().unwrap_or_default().to_owned())
    };
    let banner = text_after("role=\"status\">").unwrap_or_default();
    let banner = banner.split_once(' ').map_or(banner.as_str(), |(_, label)| label).to_owned();
    let first = text_after("role=\"cell\"><strong>");
    (status, first.map_or(banner.clone(), |first| format!("{banner}; {first}")))
}
