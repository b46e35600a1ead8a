//! Unusual V5 installations: fewer tables and columns, odd names and values, or no V5 at all.

use std::error::Error as _;

use admin::AdminError;
use admin::import_v5::{ImportReport, Reason};
use pipeline_tests::mirror::Mirror;
use pipeline_tests::v5_data::{apply, dry_run};
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::import_v5::{execute, of, physical};

#[sqlx::test(migrations = false)]
async fn smaller_v5_installation_is_imported(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(&mirror, r#"create schema vieux;
        create table vieux.gazelle_clients (external_id text, "Étrange ""nom" text, tags text, old_row text);
        insert into vieux.gazelle_clients values ('cli_1', 'a', 'b, c', null), ('cli_2', 'x', null, null),
            ('cli_2', 'y', null, null), (null, 'z', null, null);
        create table vieux.gazelle_timeline_entries (external_id text, occurred_at text, odd json);
        insert into vieux.gazelle_timeline_entries values ('tme_1', '2024-05-01 10:00:00', '{"a": 1.50}'), ('tle_1', 'hier', null),
            ('tle_2', '2024-05-01T10:00:00Z', '{"a": "\u0000"}')"#).await;
    let dry = dry_run(&mirror, "vieux").await.expect("a dry run");
    let text = dry.to_string();
    for expected in [
        "V5 n'a pas de table users.",
        "V5 n'a pas de table gazelle_pianos.",
        "gazelle_clients.company_name",
        "gazelle_contacts",
        "Doublons non cherchés dans gazelle_timeline_entries",
        "Historique, refusée par la base : tle_2",
        "Historique, occurredAt absent ou illisible : tle_1",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let (report, _) = apply(&mirror, "vieux", 0).await;
    let clients = of(&report, "clients");
    assert_eq!(
        (clients.new.count, clients.refused[&Reason::Repeated].count, clients.refused[&Reason::NoKey].count),
        (2, 1, 1)
    );
    let rows = mirror
        .rows(
            r#"select id, tags, raw_data #>> '{v5,"Étrange \"nom"}' as odd from clients where id = 'cli_1'"#,
        )
        .await;
    assert_eq!(rows, [json!({"id": "cli_1", "tags": ["b", "c"], "odd": "a"})]);
    // The text that no database holds was repaired on its way.
    let rows = mirror.rows("select id, occurred_at from timeline_entries order by id").await;
    let at = "2024-05-01T10:00:00+00:00";
    assert_eq!(rows, [json!({"id": "tle_2", "occurred_at": at}), json!({"id": "tme_1", "occurred_at": at})]);
    let failed = mirror.value("select count(*) from stg_timeline_entries where outcome = 'failed'").await;
    assert_eq!(failed, json!(0));
    let before = physical(&mirror).await;
    apply(&mirror, "vieux", 1).await;
    assert_eq!(physical(&mirror).await, before);
}

#[sqlx::test(migrations = false)]
async fn non_v5_schema_is_refused(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let refused = |result: Result<ImportReport, AdminError>| match result {
        Ok(report) => panic!("{report}"),
        Err(error) => lambda::error_chain(error.source().expect("a cause")),
    };
    assert_eq!(refused(dry_run(&mirror, "public").await), "schema public holds no table of V5");
    assert_eq!(
        refused(dry_run(&mirror, "gazelle").await),
        "schema gazelle is the mirror's own; expected the schema of V5"
    );
    assert!(refused(dry_run(&mirror, "a\"; drop schema gazelle").await).starts_with("invalid schema name"));
    execute(&mirror, "create table public.gazelle_pianos (id bigint, make text)").await;
    assert_eq!(refused(dry_run(&mirror, "public").await), "table gazelle_pianos has no column external_id");
    execute(&mirror, "drop table public.gazelle_pianos; create table public.users (external_id text); insert into public.users values ('usr_1');
        alter table public.users enable row level security; create role peeper login password 'peeper';
        grant usage on schema public, gazelle to peeper; grant select on all tables in schema public, gazelle to peeper").await;
    let peeper = mirror.as_role("peeper", "peeper");
    let hidden = refused(admin::import_v5::import(&peeper, "public", None, chrono::Utc::now()).await);
    execute(&mirror, "drop owned by peeper; drop role peeper").await;
    assert!(hidden.contains("row-level security"), "{hidden}");
}
