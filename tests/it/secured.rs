//! Privileges in the database: nothing for any role but our own, shown by trying.

use db::PoolMode;
use db::schema::{Finding, findings};
use pipeline_tests::mirror::{Mirror, SCHEMA, entity, rows};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

/// Creates Supabase's roles, once per server: roles are shared by all databases.
const STRANGERS: &str = "
    do $$
    declare stranger text;
    begin
        foreach stranger in array array['anon', 'authenticated'] loop
            begin
                execute format('create role %I', stranger);
            exception when duplicate_object or unique_violation then null;
            end;
        end loop;
    end $$;
    -- What old projects of Supabase did, for whatever comes later.
    alter default privileges grant all on tables to anon, authenticated;
    alter default privileges grant all on routines to anon, authenticated;
    alter default privileges grant usage on schemas to anon, authenticated;
";

/// Returns a mirror with a row in each table, in a database that grants everything to `anon` by default.
async fn mirror(options: PgConnectOptions) -> Mirror {
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql(STRANGERS).execute(&mut connection).await.expect("strangers");
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    put(&source, "users", json!({"id": "usr_1", "firstName": "A"}));
    put(&source, "clients", json!({"id": "cli_1", "companyName": "B"}));
    put(
        &source,
        "timeline",
        json!({"id": "tme_1", "occurredAt": "2019-05-05T12:00:00Z", "client": {"id": "cli_1"}}),
    );
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    mirror
}

/// Stages and promotes one record.
fn put(source: &MemorySource, name: &str, record: Value) {
    let mut run = HandRun::new(entity(name), 0);
    run.page(source, &[record]);
    run.end(source, RunStatus::Success);
}

/// Returns the error of a statement run as that role, or none; its effect is rolled back.
async fn tried(connection: &mut PgConnection, role: &str, sql: &str) -> Option<String> {
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::raw_sql(AssertSqlSafe(format!("set local role {role}"))).execute(&mut *tx).await.expect("a role");
    let error = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await.err();
    tx.rollback().await.expect("a rollback");
    error.map(|error| error.to_string())
}

async fn names(mirror: &Mirror, kinds: &str) -> Vec<String> {
    let sql = format!(
        "select c.oid::regclass::text as name from pg_class c
         where c.relnamespace = '{SCHEMA}'::regnamespace and c.relkind in ({kinds}) order by 1"
    );
    let rows = mirror.rows(&sql).await;
    rows.iter()
        .filter_map(|row| Some(format!("{SCHEMA}.{}", row["name"].as_str()?.trim_start_matches("gazelle."))))
        .collect()
}

async fn found(mirror: &Mirror) -> Vec<Finding> {
    findings(&mut mirror.connection().await, SCHEMA).await.expect("a catalogue")
}

#[sqlx::test(migrations = false)]
async fn anon_and_authenticated_can_access_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Box::pin(mirror(options)).await;
    let mut connection = mirror.connection().await;
    let tables = names(&mirror, "'r', 'p'").await;
    assert!(tables.len() > 25 && tables.iter().any(|name| name.ends_with("_2019_05")), "{tables:?}");
    let views = names(&mirror, "'v'").await;
    assert!(!views.is_empty());
    for role in ["anon", "authenticated"] {
        let reads = tables.iter().chain(&views).map(|name| format!("select * from {name}"));
        let writes = tables
            .iter()
            .flat_map(|name| [format!("delete from {name}"), format!("insert into {name} default values")]);
        for sql in reads.chain(writes) {
            let error = tried(&mut connection, role, &sql).await;
            assert!(
                error.as_ref().is_some_and(|error| error.contains("permission denied")),
                "{role}: {sql}: {error:?}"
            );
        }
        for call in [
            "select gazelle.confirm_deletions('clients', 'me')",
            "select gazelle.ensure_monthly_partitions('timeline_entries', array['2031-01-01'::date])",
            "call gazelle.secure_schema('gazelle')",
            "call gazelle.expose_to('anon', 'gazelle')",
            "call gazelle.create_staging_table('stg_x', 'gazelle')",
        ] {
            let error = tried(&mut connection, role, call).await;
            assert!(
                error.as_ref().is_some_and(|error| error.contains("permission denied")),
                "{role}: {call}: {error:?}"
            );
        }
    }
    assert_eq!(found(&mirror).await, []);
}

#[sqlx::test(migrations = false)]
async fn row_security_holds_on_granted_partitions(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Box::pin(mirror(options)).await;
    let mut connection = mirror.connection().await;
    let tables = names(&mirror, "'r', 'p'").await;
    sqlx::raw_sql("grant usage on schema gazelle to anon; grant all on all tables in schema gazelle to anon")
        .execute(&mut connection)
        .await
        .expect("a grant");
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::raw_sql("set local role anon").execute(&mut *tx).await.expect("a role");
    for name in &tables {
        let sql = format!("select count(*) as n from {name}");
        assert_eq!(rows(&mut tx, &sql).await[0]["n"], 0, "{name}");
    }
    tx.rollback().await.expect("a rollback");
    assert!(found(&mirror).await.len() > 25, "and the catalogue says so");
    // The next migration closes it again.
    db::schema::migrate(&mirror.administrator()).await.expect("a migration");
    assert_eq!(found(&mirror).await, []);
}

#[sqlx::test(migrations = false)]
async fn each_planted_privilege_violation_is_found(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Box::pin(mirror(options)).await;
    let mut connection = mirror.connection().await;
    for (planted, problem) in [
        ("create table planted (id int)", "no row security"),
        ("create table planted (id int)", "owned by postgres"),
        ("alter table timeline_entries_2019_05 disable row level security", "no row security"),
        ("grant select on clients to authenticated", "open to authenticated"),
        ("grant usage on schema gazelle to public", "open to everybody"),
        ("grant execute on procedure secure_schema to public", "open to everybody"),
        ("create policy p on clients for select to anon using (true)", "a policy for others"),
        ("create policy p on clients for select using (true)", "a policy for others"),
        ("create view planted as select 1", "a view with its owner's rights"),
        (
            "create function planted() returns int language sql as 'select 1'",
            "a routine with the caller's search_path",
        ),
        (
            "create function planted() returns int language sql security definer set search_path = '' as 'select 1'",
            "a routine with its owner's rights",
        ),
        (
            "alter table pianos add column other_id text references clients (id)",
            "a foreign key without an index",
        ),
    ] {
        let mut tx = connection.begin().await.expect("a transaction");
        sqlx::raw_sql(planted).execute(&mut *tx).await.unwrap_or_else(|error| panic!("{planted}: {error}"));
        let found = findings(&mut tx, SCHEMA).await.expect("a catalogue");
        tx.rollback().await.expect("a rollback");
        assert!(found.iter().any(|finding| finding.problem == problem), "{planted}: {found:?}");
    }
    assert_eq!(found(&mirror).await, []);
}

#[sqlx::test(migrations = false)]
async fn exposed_role_reads_production_until_withdrawn(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Box::pin(mirror(options)).await;
    let administrator = mirror.administrator();
    let mut connection = mirror.connection().await;
    sqlx::raw_sql("update clients set deleted_at = now() where id = 'cli_1'")
        .execute(&mut connection)
        .await
        .expect("an update");
    db::schema::expose(&administrator, "authenticated", true).await.expect("a grant");
    db::schema::migrate(&administrator).await.expect("a migration");
    assert_eq!(found(&mirror).await, [], "an exposure that stands in the table is no finding");
    for (sql, is_open) in [
        ("select * from gazelle.users", true),
        ("select * from gazelle.timeline_entries", true),
        ("select * from gazelle.piano_climate", true),
        ("select * from gazelle.timeline_entries_2019_05", false),
        ("select * from gazelle.stg_users", false),
        ("select * from gazelle.quarantine", false),
        ("select * from gazelle.admin_actions", false),
        ("delete from gazelle.users", false),
    ] {
        let error = tried(&mut connection, "authenticated", sql).await;
        assert_eq!(error.is_none(), is_open, "{sql}: {error:?}");
        assert!(tried(&mut connection, "anon", sql).await.is_some(), "anon: {sql}");
    }
    let mut tx = connection.begin().await.expect("a transaction");
    sqlx::raw_sql("set local role authenticated").execute(&mut *tx).await.expect("a role");
    assert_eq!(rows(&mut tx, "select count(*) as n from gazelle.users").await[0]["n"], 1);
    assert_eq!(
        rows(&mut tx, "select count(*) as n from gazelle.clients").await[0]["n"],
        0,
        "what is deleted is gone"
    );
    tx.rollback().await.expect("a rollback");
    db::schema::expose(&administrator, "authenticated", false).await.expect("a revocation");
    assert!(tried(&mut connection, "authenticated", "select * from gazelle.users").await.is_some());
    assert_eq!(found(&mirror).await, []);
}

#[sqlx::test(migrations = false)]
async fn app_role_writes_rows_only_and_reader_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Box::pin(mirror(options)).await;
    let mut connection = mirror.connection().await;
    for (role, sql, is_allowed) in [
        ("gazelle_app", "update gazelle.clients set display_name = 'x'", true),
        (
            "gazelle_app",
            "select gazelle.ensure_monthly_partitions('timeline_entries', array['2031-01-01'::date])",
            true,
        ),
        ("gazelle_app", "drop table gazelle.clients", false),
        ("gazelle_app", "truncate gazelle.clients", false),
        ("gazelle_app", "alter table gazelle.clients disable row level security", false),
        ("gazelle_app", "create table gazelle.mine (id int)", false),
        ("gazelle_app", "delete from gazelle._sqlx_migrations", false),
        ("gazelle_app", "call gazelle.expose_to('anon', 'gazelle')", false),
        ("gazelle_reader", "select * from gazelle.clients", true),
        ("gazelle_reader", "select * from gazelle.sync_status", true),
        ("gazelle_reader", "select * from gazelle.stg_clients", false),
        ("gazelle_reader", "select * from gazelle.quarantine", false),
        ("gazelle_reader", "update gazelle.clients set display_name = 'x'", false),
        ("gazelle_reader", "select gazelle.confirm_deletions('clients', 'me')", false),
    ] {
        let error = tried(&mut connection, role, sql).await;
        assert_eq!(error.is_none(), is_allowed, "{role}: {sql}: {error:?}");
    }
    let owner = mirror.value("select pg_has_role('gazelle_app', 'gazelle_owner', 'member')").await;
    assert_eq!(owner, false, "the functions cannot become the owner");
    let limits = mirror
        .rows("select rolname as role, rolconfig as limits from pg_roles where rolname in ('gazelle_app', 'gazelle_reader') order by 1")
        .await;
    let text = Value::from(limits).to_string();
    for limit in [
        "statement_timeout=60s",
        "statement_timeout=30s",
        "default_transaction_read_only=on",
        "idle_in_transaction_session_timeout=60s",
    ] {
        assert!(text.contains(limit), "{limit}: {text}");
    }
}

#[sqlx::test(migrations = false)]
async fn mirror_has_its_own_schema_beside_v5(_: PgPoolOptions, options: PgConnectOptions) {
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql("create table public.users (external_id text, name text); insert into public.users values ('usr_1', 'x'); create table public.gazelle_clients (external_id text)")
        .execute(&mut connection)
        .await
        .expect("tables");
    let url = options.to_url_lossy();
    for schema in ["gazelle", "mirror_2"] {
        let config = db::DatabaseConfig::new(url.as_str(), schema, PoolMode::Direct).expect("an address");
        db::schema::migrate(&config).await.expect("migrations");
        db::schema::migrate(&config).await.expect("again");
        assert_eq!(findings(&mut connection, schema).await.expect("a catalogue"), []);
    }
    let db = db::Db::new(
        &db::DatabaseConfig::new(url.as_str(), "mirror_2", PoolMode::Session).expect("an address"),
    );
    let source = MemorySource::default();
    put(&source, "timeline", json!({"id": "tme_1", "occurredAt": "2019-05-05T12:00:00Z"}));
    let staged = stager::stage::stage(&db, &source, &source.keys()).await;
    assert!(staged.failed.is_empty(), "{:?}", staged.failed);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
    Box::pin(reconciler::reconcile::drain(&db, entity("timeline"), deadline)).await.expect("a database");
    let counts = sqlx::query(
        "select (select count(*) from mirror_2.timeline_entries_2019_05), (select count(*) from gazelle.timeline_entries),
            (select count(*) from public.users), (select count(*) from pg_class where relnamespace = 'public'::regnamespace)",
    )
    .fetch_one(&mut connection)
    .await
    .expect("counts");
    let counts: Vec<i64> = (0..4).map(|place| counts.get(place)).collect();
    assert_eq!(counts, [1, 0, 1, 2], "the other schemas are as they were");
}
