//! A real PgBouncer with TLS, in both modes: no statement fails, no write is lost, certificates are verified.

use std::pin::pin;
use std::time::Duration;

use db::{DatabaseConfig, Db, PoolMode};
use futures::future::{Either, join_all, select};
use model::entity;
use pipeline_tests::mirror::{Mirror, SCHEMA};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pooler::Pooler;
use protocol::manifest::RunStatus;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, Row};
use tokio::time::Instant;

const CLIENTS: usize = 12;
const STATEMENTS: usize = 300;
/// Server connections: fewer than clients, so that transactions of several clients share each.
const SERVERS: u32 = 4;

fn config(pooler: &Pooler, host: &str, mode: PoolMode) -> DatabaseConfig {
    let config = DatabaseConfig::new(&pooler.url(host), SCHEMA, mode).expect("an address");
    config.trusting(&pooler.authority).expect("a certificate")
}

/// Stages and promotes a page of every entity through this pool.
async fn sync(db: &Db) {
    let source = MemorySource::default();
    for (minute, entity) in (0..).zip(entity::fetched()) {
        let mut run = HandRun::new(entity, minute);
        let records: Vec<_> =
            (0..50).map(|n| crate::staging::record(&format!("{}_{n}", entity.name))).collect();
        run.page(&source, &records);
        run.end(&source, RunStatus::Success);
    }
    let staged = stager::stage::stage(db, &source, &source.keys()).await;
    assert!(staged.failed.is_empty(), "{:?}", staged.failed);
    for entity in entity::ALL {
        let deadline = Instant::now() + Duration::from_mins(2);
        Box::pin(reconciler::reconcile::drain(db, entity, deadline)).await.expect("a database");
    }
}

#[sqlx::test(migrations = false)]
async fn pooler_accepts_every_statement_in_both_modes(_: PgPoolOptions, options: PgConnectOptions) {
    let _mirror = Mirror::open(options.clone()).await;
    // A session keeps its connection to the server for itself, and a client has two at most.
    let sessions = u32::try_from(2 * CLIENTS).unwrap_or_default();
    for (word, mode, servers) in
        [("transaction", PoolMode::Transaction, SERVERS), ("session", PoolMode::Session, sessions)]
    {
        let pooler = Pooler::start(&options, word, servers, "localhost").await;
        let failures = failures(&config(&pooler, "localhost", mode), mode).await;
        assert_eq!(failures, Vec::<String>::new(), "{word}");
    }
}

/// Returns the errors of clients that send their statements concurrently.
async fn failures(config: &DatabaseConfig, mode: PoolMode) -> Vec<String> {
    let clients = (0..CLIENTS).map(|client| {
        let db = Db::new(config);
        async move {
            let mut failures = Vec::new();
            for number in 0..STATEMENTS {
                // Differing statements: what is prepared under one name must not be met as another.
                let shape = (client + number) % 7;
                let sql = format!("select $1::int + {shape}, count(*) from sync_status where mode <> $2");
                let value = i32::try_from(number).unwrap_or_default();
                let answer = async {
                    let mut tx = db.begin().await?;
                    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
                        .persistent(mode != PoolMode::Transaction)
                        .bind(value)
                        .bind("none")
                        .fetch_one(tx.connection())
                        .await?;
                    tx.commit().await?;
                    Ok::<i32, db::Error>(row.try_get(0)?)
                };
                match answer.await {
                    Ok(sum) if sum == value + i32::try_from(shape).unwrap_or_default() => {}
                    other => failures.push(format!("{other:?}")),
                }
            }
            db.close().await;
            failures
        }
    });
    join_all(clients).await.into_iter().flatten().collect()
}

#[sqlx::test(migrations = false)]
async fn declared_session_mode_is_tested_by_behaviour(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options.clone()).await;
    assert!(db::schema::keeps_session(&mirror.administrator()).await.expect("a server"), "without a pooler");
    for (word, servers, is_kept) in
        [("session", SERVERS, true), ("transaction", SERVERS, false), ("transaction", 1, false)]
    {
        let pooler = Pooler::start(&options, word, servers, "localhost").await;
        let found = db::schema::keeps_session(&config(&pooler, "localhost", PoolMode::Session)).await;
        assert_eq!(found.expect("an answer"), is_kept, "{word}, {servers} connections");
    }
}

#[sqlx::test(migrations = false)]
async fn sync_through_pooler_equals_direct_sync(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options.clone()).await;
    sync(&mirror.db).await;
    let tables = ["users", "clients", "pianos", "timeline_entries"];
    let content = async || {
        let mut all = Vec::new();
        for table in tables {
            all.push(mirror.value(&format!("select md5(string_agg(to_jsonb(t)::text, '' order by id)) from (select * from {table}) t")).await);
            all.push(mirror.value(&format!("select count(*) from {table}")).await);
        }
        all
    };
    assert_eq!(content().await[1], json!(50));
    for (word, mode) in [("transaction", PoolMode::Transaction), ("session", PoolMode::Session)] {
        let pooler = Pooler::start(&options, word, SERVERS, "localhost").await;
        let db = Db::new(&config(&pooler, "localhost", mode));
        let before = content().await;
        // The same again is no news; then the health's question, and all anew.
        sync(&db).await;
        assert_eq!(content().await, before, "{word}: nothing changed");
        db::queries::is_reachable(&db).await.expect("an answer");
        let mut connection = mirror.connection().await;
        for entity in entity::ALL {
            let sql = format!("truncate {}, {} cascade", entity.staging_table, entity.table);
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("a table");
        }
        sqlx::raw_sql(
            "truncate staged_pages, sync_status, timeline_entries_keys, match_keys, match_progress",
        )
        .execute(&mut connection)
        .await
        .expect("tables");
        sync(&db).await;
        let counts: Vec<_> = content().await.into_iter().skip(1).step_by(2).collect();
        assert_eq!(counts, vec![json!(50); tables.len()], "{word}");
        db.close().await;
    }
}

#[sqlx::test(migrations = false)]
async fn cancelled_begin_loses_no_write(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options.clone()).await;
    let pooler = Pooler::start(&options, "transaction", SERVERS, "localhost").await;
    let db = Db::new(&config(&pooler, "localhost", PoolMode::Transaction));
    let mut acknowledged = 0;
    let mut cancelled = 0;
    for number in 0..200_u64 {
        // Cut off somewhere between its first byte and its answer: an answer takes longer than so many turns.
        let patience = pin!(async {
            for _ in 0..number % 20 {
                tokio::task::yield_now().await;
            }
        });
        let begun = pin!(db.begin());
        cancelled += u32::from(matches!(select(begun, patience).await, Either::Right(_)));
        let written = async {
            let mut tx = db.begin().await?;
            sqlx::query("insert into aliases (entity, alias, id) values ('test', $1, 'x')")
                .persistent(false)
                .bind(number.to_string())
                .execute(tx.connection())
                .await?;
            tx.commit().await
        };
        written.await.expect("a write");
        acknowledged += 1;
    }
    assert!(cancelled > 20, "{cancelled} were cut off");
    assert_eq!(mirror.value("select count(*) from aliases where entity = 'test'").await, json!(acknowledged));
}

#[sqlx::test(migrations = false)]
async fn only_a_valid_certificate_and_name_is_accepted(_: PgPoolOptions, options: PgConnectOptions) {
    let _mirror = Mirror::open(options.clone()).await;
    let pooler = Pooler::start(&options, "session", SERVERS, "localhost").await;
    let other = Pooler::start(&options, "transaction", SERVERS, "db.example.org").await;
    let connect = async |config: DatabaseConfig| match config.connect().await {
        Ok(connection) => {
            connection.close().await.expect("an end");
            "connected".to_owned()
        }
        Err(error) => lambda::error_chain(&error),
    };
    assert_eq!(connect(config(&pooler, "localhost", PoolMode::Session)).await, "connected");
    let refused = |answer: &str| answer.contains("certificate") || answer.contains("UnknownIssuer");
    // Supabase's root, which did not sign this one, whatever the address asks for.
    for asked in ["", "?sslmode=require", "?sslmode=prefer", "?sslmode=verify-ca", "?sslmode=allow"] {
        let url = pooler.url("localhost") + asked;
        let answer = connect(DatabaseConfig::new(&url, SCHEMA, PoolMode::Session).expect("an address")).await;
        assert!(refused(&answer), "{asked}: {answer}");
    }
    // The authority of another server.
    let config_of = |url: &str, pem: &str| {
        DatabaseConfig::new(url, SCHEMA, PoolMode::Session)
            .and_then(|config| config.trusting(pem))
            .expect("an address")
    };
    let answer = connect(config_of(&pooler.url("localhost"), &other.authority)).await;
    assert!(refused(&answer), "{answer}");
    // The right authority, for another name.
    let answer = connect(config_of(&other.url("localhost"), &other.authority)).await;
    assert!(refused(&answer) || answer.contains("NotValidForName"), "{answer}");
    // Without TLS only on this machine, and then a server that insists on it refuses.
    let answer = connect(config_of(&(pooler.url("localhost") + "?sslmode=disable"), &pooler.authority)).await;
    assert!(answer != "connected", "{answer}");
    let bad =
        DatabaseConfig::new("postgres://a:b@db.example.org/x?sslmode=disable", SCHEMA, PoolMode::Session);
    assert!(bad.is_err_and(|error| {
        error.to_string().contains("sslmode=disable is accepted for loopback hosts only")
    }));
    let bad = DatabaseConfig::new("postgres://a:b@db.example.org/x", SCHEMA, PoolMode::Session)
        .and_then(|config| config.trusting("not a certificate"));
    assert!(bad.is_err_and(|error| error.to_string().contains("PEM")));
}
