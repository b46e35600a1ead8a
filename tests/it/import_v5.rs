//! V5 import: complete, repeatable, and never over what Gazelle sent.

use admin::import_v5::{EntityImport, ImportReport, Reason};
use model::entity;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::v5_data::{DATELESS, DOUBLES, ROWS, apply, dry_run, fingerprint, install, write};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::promotion::sync;

/// Units of V5 data: 20,000 rows in all.
const UNITS: u32 = 10;

pub(crate) async fn execute(mirror: &Mirror, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut mirror.connection().await).await.expect("a statement");
}

/// Returns everything that a write to a production row would change.
pub(crate) async fn physical(mirror: &Mirror) -> Vec<Value> {
    let mut all = Vec::new();
    for entity in entity::ALL {
        let table = entity.table;
        let sql = format!(
            "select '{table}' as name, id, version, updated_at, xmin::text, ctid::text from {table} order by id"
        );
        all.extend(mirror.rows(&sql).await);
    }
    all
}

/// Returns the content of production without its timestamps.
async fn content(mirror: &Mirror) -> Vec<Value> {
    let mut all = Vec::new();
    for entity in entity::ALL {
        let sql = format!(
            "select to_jsonb(t) - array['created_at', 'updated_at', 'source_key', 'version'] as row from {} t order by id",
            entity.table
        );
        all.extend(mirror.rows(&sql).await);
    }
    all
}

/// Returns the row count and the write counters of every table of the mirror.
async fn everything(mirror: &Mirror) -> Vec<Value> {
    let mut all = physical(mirror).await;
    for table in ["sync_status", "staged_pages", "admin_actions", "match_decisions", "quarantine"] {
        all.extend(
            mirror
                .rows(&format!("select '{table}' as name, count(*), max(xmin::text::bigint) from {table}"))
                .await,
        );
    }
    for entity in entity::ALL {
        all.extend(
            mirror
                .rows(&format!(
                    "select '{0}' as name, count(*), max(xmin::text::bigint) from {0}",
                    entity.staging_table
                ))
                .await,
        );
    }
    all
}

pub(crate) fn of<'r>(report: &'r ImportReport, name: &str) -> &'r EntityImport {
    report.entities.iter().find(|found| found.entity == name).expect("an entity of the report")
}

/// Returns the reconciler's counts for the runs of an import.
async fn counted(mirror: &Mirror, report: &ImportReport) -> Vec<Value> {
    let mut all = Vec::new();
    for found in &report.entities {
        let run_id = found.run_id.as_ref().expect("a run");
        let sql = format!(
            "select sync_type, status, mode, records_fetched, records_staged, records_processed, records_pending, records_failed
             from sync_status where run_id = '{run_id}' and sync_type = '{}'", found.entity
        );
        all.extend(mirror.rows(&sql).await);
    }
    all
}

/// Syncs some of the records from Gazelle first, with newer content.
async fn hear_gazelle(mirror: &Mirror) {
    let clients = |n| json!({"id": format!("cli_{n}"), "companyName": "Gazelle", "tags": []});
    let pianos = |n| json!({"id": format!("ins_{n}"), "make": "Gazelle", "damppChaserInstalled": null});
    let entries =
        |n| json!({"id": format!("tme_{n}"), "occurredAt": "2024-06-01T12:00:00Z", "summary": "Gazelle"});
    sync(mirror, entity("clients"), 0, &(1..=200).map(clients).collect::<Vec<_>>()).await;
    sync(mirror, entity("pianos"), 0, &(1..=200).map(pianos).collect::<Vec<_>>()).await;
    sync(mirror, entity("timeline"), 0, &(1..=200).map(entries).collect::<Vec<_>>()).await;
}

/// Returns a report without its run ids.
fn said(found: &EntityImport) -> EntityImport {
    EntityImport { run_id: None, pages: 0, records: 0, ..found.clone() }
}

#[sqlx::test(migrations = false)]
async fn v5_is_imported_whole_and_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut connection = mirror.connection().await;
    install(&mut connection, "public", UNITS).await;
    let v5 = fingerprint(&mut connection, "public").await;
    assert_eq!(v5.iter().filter_map(|table| table["count"].as_u64()).sum::<u64>(), 20_000);
    hear_gazelle(&mirror).await;

    let untouched = everything(&mirror).await;
    let dry = dry_run(&mirror, "public").await.expect("a dry run");
    assert_eq!(everything(&mirror).await, untouched, "a dry run writes nothing");
    let (report, _) = apply(&mirror, "public", 0).await;
    assert_eq!(fingerprint(&mut connection, "public").await, v5, "V5 is untouched");

    for (expected, done) in dry.entities.iter().zip(&report.entities) {
        assert_eq!(said(expected), said(done), "what the dry run said is what was done");
    }
    assert_eq!(dry.unknown, report.unknown);
    for (found, counted) in report.entities.iter().zip(counted(&mirror, &report).await) {
        assert_eq!(counted["records_processed"], json!(found.promoted()), "{counted}");
        assert_eq!(counted["records_fetched"], json!(found.records), "{counted}");
        assert_eq!(
            (&counted["status"], &counted["records_pending"]),
            (&json!("success"), &json!(0)),
            "{counted}"
        );
    }
    assert_nothing_is_lost(&mirror, &report).await;
    assert_what_is_fresher_and_what_is_kept_by_hand_stays(&mirror).await;
    assert_the_unknown_are_made_up(&mirror, &report).await;

    // Gazelle is asked afterwards: its word counts, and empty words take nothing away.
    let tagged = mirror.value(TAGGED).await;
    let fresh = |n| json!({"id": format!("cli_{n}"), "companyName": "Gazelle", "tags": []});
    sync(&mirror, entity("clients"), 5, &(201..=400).map(fresh).collect::<Vec<_>>()).await;
    assert_eq!(mirror.value(TAGGED).await, tagged);
    let renamed = mirror.value("select count(*) from clients where company_name = 'Gazelle'").await;
    assert_eq!(renamed, json!(400));

    // Once more: nothing changes, nothing waits.
    let before = physical(&mirror).await;
    let (again, _) = apply(&mirror, "public", 10).await;
    assert_eq!(physical(&mirror).await, before);
    assert_eq!(again.entities.iter().map(EntityImport::promoted).sum::<u64>(), 0, "{again}");
    for counted in counted(&mirror, &again).await {
        let expected = (&json!(0), &json!(0), &json!("success"));
        let counts = (&counted["records_processed"], &counted["records_staged"], &counted["status"]);
        assert_eq!(counts, expected, "{counted}");
    }
    // Even when staging has forgotten it.
    execute(
        &mirror,
        "delete from stg_users; delete from stg_clients; delete from stg_pianos; delete from stg_timeline_entries",
    )
    .await;
    apply(&mirror, "public", 20).await;
    assert_eq!(physical(&mirror).await, before);
    assert_eq!(fingerprint(&mut connection, "public").await, v5, "V5 is untouched");
}

/// Checks that every V5 row is in production, a counted duplicate, or reported and kept.
async fn assert_nothing_is_lost(mirror: &Mirror, report: &ImportReport) {
    let u = u64::from(UNITS);
    let timeline = of(report, "timeline");
    assert_eq!(timeline.duplicates.count, DOUBLES * u);
    assert_eq!(timeline.refused[&Reason::Required("occurredAt")].count, DATELESS * u);
    assert_eq!(timeline.refused[&Reason::NoKey].count, u);
    // Contacts of nobody, and of clients without an id.
    let orphans = "select count(*) from public.gazelle_contacts c
        where not exists (select from public.gazelle_clients v where v.external_id = c.client_external_id)";
    let orphans = mirror.value(orphans).await;
    let clients = of(report, "clients");
    assert_eq!(json!(clients.refused[&Reason::Orphan].count), orphans);
    let refused = report.entities.iter().flat_map(|found| found.refused.values());
    let reported: u64 = refused.map(|sample| sample.count).sum();
    let known = report.entities.iter().map(|found| found.new.count + found.same + found.differs.count);
    assert_eq!(known.sum::<u64>() + timeline.duplicates.count + reported + clients.contacts, ROWS * u);
    for (old, table, expected) in [
        ("users", "users", 0),
        ("gazelle_clients", "clients", 0),
        ("gazelle_pianos", "pianos", 0),
        ("gazelle_timeline_entries", "timeline_entries", (DOUBLES + DATELESS) * u),
    ] {
        let lost = format!(
            "select count(*) from public.{old} v where external_id is not null
                and not exists (select from {table} t where t.id = v.external_id and not t.is_placeholder)"
        );
        assert_eq!(mirror.value(&lost).await, json!(expected), "{table}");
        let twice = mirror.value(&format!("select count(*) - count(distinct id) from {table}")).await;
        assert_eq!(twice, json!(0), "{table}");
    }
    let left_out = "select count(*) from public.gazelle_timeline_entries v where external_id ~ '^tle_[0-9]+$'
        and not exists (select from timeline_entries t where t.id = v.external_id)";
    assert_eq!(mirror.value(left_out).await, json!(DOUBLES * u), "the first of each pair, and no other");
    let kept = "select count(*) from stg_clients
        where gazelle_id = '' and raw_data ? 'v5Contacts' and outcome = 'skipped'";
    assert_eq!(mirror.value(kept).await, orphans, "a contact without a client is kept");
    let kept = "select count(*) from stg_timeline_entries
        where gazelle_id = '' and raw_data #>> '{v5,title}' = 'sans date' and outcome = 'skipped'";
    assert_eq!(mirror.value(kept).await, json!(10 * u), "an entry without a date is kept");
}

/// Returns the clients that have V5's tags.
const TAGGED: &str = "select count(*) from clients where tags = '{à la main,vip}'";

async fn assert_what_is_fresher_and_what_is_kept_by_hand_stays(mirror: &Mirror) {
    let heard = "select (select count(*) from clients where company_name = 'Gazelle')
        + (select count(*) from pianos where make = 'Gazelle')
        + (select count(*) from timeline_entries where summary = 'Gazelle' and occurred_at = '2024-06-01T12:00:00Z')";
    assert_eq!(mirror.value(heard).await, json!(600));
    let tagged = "select count(*) from public.gazelle_clients where tags = '{à la main,vip}' and external_id is not null";
    assert_eq!(mirror.value(TAGGED).await, mirror.value(tagged).await);
    let flagged =
        "select count(*) from pianos where dampp_chaser_installed and dampp_chaser_mfg_date = '2019-05-01'";
    let in_v5 =
        "select count(*) from public.gazelle_pianos where dampp_chaser_installed and external_id is not null";
    assert_eq!(mirror.value(flagged).await, mirror.value(in_v5).await);
    let filled = "select version, tags, raw_data -> 'v5' as v5, synced_at > '2024-01-01' as is_fresh
        from clients where id = 'cli_20'";
    let expected = json!({"version": 2, "tags": ["à la main", "vip"], "v5": null, "is_fresh": true});
    assert_eq!(mirror.rows(filled).await, [expected], "what Gazelle said, and when, stays");
    let resolved = "select count(*) from timeline_entries where client_id !~ '^cli_' or piano_id !~ '^ins_'";
    assert_eq!(mirror.value(resolved).await, json!(0), "V5's own ids have become Gazelle's");
}

/// Checks that exactly the unknown references have placeholder rows.
async fn assert_the_unknown_are_made_up(mirror: &Mirror, report: &ImportReport) {
    let u = u64::from(UNITS);
    let made_up = "select 'clients' as entity, count(*) from clients where is_placeholder
        union all select 'pianos', count(*) from pianos where is_placeholder
        union all select 'users', count(*) from users where is_placeholder order by 1";
    let expected = [
        json!({"entity": "clients", "count": 3}),
        json!({"entity": "pianos", "count": 0}),
        json!({"entity": "users", "count": u}),
    ];
    assert_eq!(mirror.rows(made_up).await, expected);
    let unknown =
        report.unknown.iter().map(|(entity, ids)| (*entity, ids.len())).filter(|(_, count)| *count > 0);
    assert_eq!(unknown.collect::<Vec<_>>(), [("clients", 3), ("users", UNITS as usize)]);
}

#[sqlx::test(migrations = false)]
async fn rollback_to_v5_and_return_are_lossless(_: PgPoolOptions, options: PgConnectOptions) {
    // The steps of docs/runbook.md, «Revenir à V5». The first, the schedules, is a parameter of the stack.
    let mirror = Mirror::open(options.clone()).await;
    let mut connection = mirror.connection().await;
    install(&mut connection, "public", 1).await;
    let v5 = fingerprint(&mut connection, "public").await;
    let (_, source) = apply(&mirror, "public", 0).await;
    sync(&mirror, entity("clients"), 0, &[json!({"id": "cli_10", "companyName": "Gazelle", "tags": []})])
        .await;
    let imported = content(&mirror).await;
    assert!(imported.len() > 1_500, "{}", imported.len());

    execute(&mirror, "alter schema gazelle rename to gazelle_v6").await;
    assert_eq!(fingerprint(&mut connection, "public").await, v5, "V5 is as it was");
    execute(&mirror, "alter schema gazelle_v6 rename to gazelle").await;
    assert_eq!(content(&mirror).await, imported, "the mirror comes back as it was");

    execute(&mirror, "drop schema gazelle cascade").await;
    assert_eq!(fingerprint(&mut connection, "public").await, v5, "V5 is as it was");

    let mirror = Mirror::open(options).await;
    assert_eq!(content(&mirror).await, Vec::<Value>::new());
    sync(&mirror, entity("clients"), 0, &[json!({"id": "cli_10", "companyName": "Gazelle", "tags": []})])
        .await;
    apply(&mirror, "public", 1).await;
    assert_eq!(content(&mirror).await, imported, "imported again");
    let physical_before = physical(&mirror).await;
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    assert_eq!(physical(&mirror).await, physical_before, "the pages of the first import say nothing else");
    assert_eq!(fingerprint(&mut connection, "public").await, v5);
}

#[sqlx::test(migrations = false)]
async fn manual_columns_survive_in_either_order(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(&mirror, "create table public.gazelle_clients (id bigint, external_id text, tags jsonb, personal_notes text, company_name text);
        insert into public.gazelle_clients values (1, 'cli_1', '[\"a\"]', 'à la main', 'V5'), (2, 'cli_2', '[\"a\"]', 'à la main', 'V5'),
            (3, 'cli_3', '[\"a\"]', 'à la main', 'V5');
        create table public.gazelle_pianos (external_id text, client_external_id text, dampp_chaser_installed boolean, notes text);
        insert into public.gazelle_pianos values ('ins_1', 'cli_1', true, 'clé'), ('ins_2', 'cli_gone', true, 'clé')").await;
    let said = |tags: Value| move |id: &str| json!({"id": id, "companyName": "Gazelle", "tags": tags.clone(), "personalNotes": ""});
    let empty = said(json!([]));
    sync(&mirror, entity("clients"), 0, &[empty("cli_1"), said(json!(["b"]))("cli_3")]).await;
    sync(
        &mirror,
        entity("pianos"),
        0,
        &[json!({"id": "ins_2", "damppChaserInstalled": false, "make": "Yamaha"})],
    )
    .await;
    // Both of one id wait at once.
    let mut run = HandRun::new(entity("clients"), 1);
    let source = MemorySource::default();
    run.page(&source, &[empty("cli_1"), empty("cli_2"), said(json!(["b"]))("cli_3")]);
    run.end(&source, RunStatus::Success);
    let (report, pages) = write(&mirror, "public", 0).await.expect("an import");
    assert_eq!(mirror.stage(&pages).await, Vec::<String>::new());
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let clients = mirror.rows("select id, company_name, tags, personal_notes from clients order by id").await;
    let row = |id: &str, tags: Value| json!({"id": id, "company_name": "Gazelle", "tags": tags, "personal_notes": "à la main"});
    assert_eq!(clients, [row("cli_1", json!(["a"])), row("cli_2", json!(["a"])), row("cli_3", json!(["b"]))]);
    assert_eq!(of(&report, "clients").filled.count, 2);
    let pianos = mirror
        .rows("select id, make, client_id, dampp_chaser_installed, notes from pianos order by id")
        .await;
    let expected = [
        json!({"id": "ins_1", "make": null, "client_id": "cli_1", "dampp_chaser_installed": true, "notes": "clé"}),
        json!({"id": "ins_2", "make": "Yamaha", "client_id": null, "dampp_chaser_installed": false, "notes": "clé"}),
    ];
    assert_eq!(
        pianos, expected,
        "a value of Gazelle's is none that is missing, and V5's owner of it is not made up"
    );
    // And later ones of Gazelle keep them.
    sync(&mirror, entity("clients"), 2, &[json!({"id": "cli_1", "companyName": "Gazelle 2", "tags": null})])
        .await;
    let later =
        mirror.rows("select company_name, tags, personal_notes from clients where id = 'cli_1'").await;
    assert_eq!(later, [json!({"company_name": "Gazelle 2", "tags": ["a"], "personal_notes": "à la main"})]);
}

#[sqlx::test(migrations = false)]
async fn import_does_not_count_as_freshness(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    install(&mut mirror.connection().await, "public", 1).await;
    let (_, source) = write(&mirror, "public", 0).await.expect("an import");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let check = |reports: Vec<protocol::health::EntityFacts>, waits: bool| {
        for facts in reports {
            assert_eq!(
                (facts.last_success, facts.last_progress, &facts.last_status),
                (None, None, &None),
                "{facts:?}"
            );
            assert_eq!((facts.failures_in_a_row, facts.recent), (0, 0), "{facts:?}");
            assert!(facts.oldest_pending_seconds.is_none_or(|seconds| waits && seconds < 600), "{facts:?}");
        }
    };
    check(db::queries::entity_facts(&mirror.db).await.expect("facts"), true);
    mirror.reconcile().await;
    check(db::queries::entity_facts(&mirror.db).await.expect("facts"), false);
    let watch = db::queries::monitor_snapshot(&mirror.db, &[]).await.expect("a look");
    assert!(watch.lanes.is_empty(), "{watch:?}");
    let pages: Vec<String> = source.keys().into_iter().filter(|key| key.starts_with("raw/")).collect();
    let unknown = db::staging::unknown_pages(&mirror.db, &pages).await.expect("an audit");
    assert!(pages.len() >= 4 && unknown.is_empty(), "{unknown:?} of {pages:?}");
    let modes = mirror.rows("select distinct mode, status from sync_status").await;
    assert_eq!(modes, [json!({"mode": "import", "status": "success"})]);
}

#[sqlx::test(migrations = false)]
async fn v5_only_records_go_through_deletion_guards(_: PgPoolOptions, options: PgConnectOptions) {
    for (gone, is_withheld) in [(10, false), (40, true)] {
        let mirror = Mirror::open(options.clone()).await;
        execute(&mirror, "drop table if exists public.gazelle_clients; create table public.gazelle_clients (external_id text, company_name text);
            insert into public.gazelle_clients select 'cli_' || n, 'V5' from generate_series(1, 100) n;
            truncate clients, stg_clients, sync_status, staged_pages, missing_records, admin_actions cascade").await;
        apply(&mirror, "public", 0).await;
        let swept =
            db::deletion::process_sweep(&mirror.db, entity("clients"), 20).await.expect("the database");
        assert_eq!(swept, None, "an import proves no absence");
        let listed: Vec<Value> = (gone + 1..=100).map(|n| json!({"id": format!("cli_{n}")})).collect();
        sync(&mirror, entity("clients"), 1, &listed).await;
        let swept = db::deletion::process_sweep(&mirror.db, entity("clients"), 20)
            .await
            .expect("the database")
            .expect("a sweep");
        assert_eq!((swept.missing, swept.live, swept.is_withheld), (gone, 100, is_withheld));
        // Said to be gone, it stays gone, whatever V5 still says.
        execute(&mirror, "update missing_records set answer = 'gone', withheld = false").await;
        let deleted = db::deletion::mark_deleted(&mirror.db, entity("clients")).await.expect("the database");
        assert_eq!(deleted, u64::try_from(gone).unwrap_or_default());
        let physical_before = physical(&mirror).await;
        apply(&mirror, "public", 2).await;
        execute(&mirror, "delete from stg_clients").await;
        apply(&mirror, "public", 3).await;
        assert_eq!(physical(&mirror).await, physical_before);
    }
}

#[sqlx::test(migrations = false)]
async fn second_import_brings_later_v5_changes(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(
        &mirror,
        "create table public.gazelle_clients (external_id text, company_name text);
        insert into public.gazelle_clients values ('cli_1', 'A'), ('cli_2', 'B')",
    )
    .await;
    apply(&mirror, "public", 0).await;
    for (minute, name) in [(1, "C"), (2, "A")] {
        execute(
            &mirror,
            &format!("update public.gazelle_clients set company_name = '{name}' where external_id = 'cli_1'"),
        )
        .await;
        let (report, _) = apply(&mirror, "public", minute).await;
        assert_eq!((of(&report, "clients").renewed.count, of(&report, "clients").same), (1, 1), "{report}");
        let rows = mirror.rows("select company_name from clients order by id").await;
        assert_eq!(rows, [json!({"company_name": name}), json!({"company_name": "B"})]);
    }
}

#[sqlx::test(migrations = false)]
async fn v5_only_entry_is_not_deleted_by_full_run(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(&mirror, "create table public.gazelle_timeline_entries (external_id text, occurred_at timestamptz, title text);
        insert into public.gazelle_timeline_entries values
            ('tle_1', '2019-01-01', 'of a file'), ('tme_1', '2019-01-02', 'of Gazelle'), ('tme_2', '2019-01-03', 'of Gazelle, still there')").await;
    apply(&mirror, "public", 0).await;
    for minute in 1..=2 {
        sync(
            &mirror,
            entity("timeline"),
            minute,
            &[json!({"id": "tme_2", "occurredAt": "2019-01-03T00:00:00Z"})],
        )
        .await;
        let swept =
            db::deletion::process_sweep(&mirror.db, entity("timeline"), 100).await.expect("the database");
        assert_eq!(swept.map(|swept| swept.missing), Some(1));
        db::deletion::mark_deleted(&mirror.db, entity("timeline")).await.expect("the database");
    }
    let rows =
        mirror.rows("select id, deleted_at is not null as is_gone from timeline_entries order by id").await;
    let expected = [("tle_1", false), ("tme_1", true), ("tme_2", false)];
    assert_eq!(rows, expected.map(|(id, is_gone)| json!({"id": id, "is_gone": is_gone})));
}
