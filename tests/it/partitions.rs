//! Partitions: made ahead or afterwards, whatever lies in the default one, and never in a batch's way.

use std::time::Duration;

use pipeline_tests::mirror::{Mirror, entity};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::Instant;

use crate::promotion::sync;
use crate::staging::record;

fn at(id: &str, occurred_at: &str) -> Value {
    let mut entry = record(id);
    entry["occurredAt"] = json!(occurred_at);
    entry
}

async fn places(mirror: &Mirror) -> Vec<Value> {
    let sql = "select id, tableoid::regclass::text as place from timeline_entries order by id";
    mirror.rows(sql).await.iter().map(|row| json!([row["id"], row["place"]])).collect()
}

#[sqlx::test(migrations = false)]
async fn fraction_at_a_months_end_is_decided_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let entries = [
        at("a", "2020-01-31T23:59:59.9999999Z"),
        at("b", "2020-03-31T23:59:60Z"),
        at("c", "2020-05-31T23:59:59.999999500-00:00"),
        at("d", "2020-07-31T20:00:00.0000001-04:00"),
        at("e", "9999-12-31T23:59:59.9999999Z"),
        at("f", "0000-01-01T00:00:00.0000001+14:00"),
    ];
    sync(&mirror, entity("timeline"), 0, &entries).await;
    let place = |id: &str, place: &str| json!([id, format!("timeline_entries_{place}")]);
    let expected = [
        place("a", "2020_01"),
        place("b", "2020_04"),
        place("c", "2020_05"),
        place("d", "2020_08"),
        place("e", "default"),
        place("f", "default"),
    ];
    assert_eq!(places(&mirror).await, expected);
    let later = [at("g", "2020-02-15T12:00:00Z"), at("h", "2020-06-15T12:00:00Z")];
    sync(&mirror, entity("timeline"), 1, &later).await;
    assert_eq!(places(&mirror).await[6..], [place("g", "2020_02"), place("h", "2020_06")]);
}

#[sqlx::test(migrations = false)]
async fn rows_in_the_default_partition_move(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    sqlx::raw_sql(
        "insert into timeline_entries (id, occurred_at, summary)
            values ('old', '2020-02-01T00:00:00Z', 'x'), ('end', '2020-02-29T23:59:59.999999Z', 'y');
         insert into timeline_entries_keys select id, occurred_at from timeline_entries",
    )
    .execute(&mut mirror.connection().await)
    .await
    .expect("rows of the default partition");
    sync(&mirror, entity("timeline"), 0, &[at("new", "2020-02-15T12:00:00Z")]).await;
    let of_month = "timeline_entries_2020_02";
    assert_eq!(
        places(&mirror).await,
        [json!(["end", of_month]), json!(["new", of_month]), json!(["old", of_month])]
    );
}

#[sqlx::test(migrations = false)]
async fn held_table_delays_no_batch(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // Somebody reads the table for long, and writes the clients in a transaction that stays open.
    let mut holder = mirror.connection().await;
    sqlx::raw_sql(
        "begin; select count(*) from timeline_entries; insert into clients (id) values ('cli_held')",
    )
    .execute(&mut holder)
    .await
    .expect("a long transaction");
    let began = Instant::now();
    sync(&mirror, entity("timeline"), 0, &[at("a", "2020-02-15T12:00:00Z")]).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(places(&mirror).await, [json!(["a", "timeline_entries_default"])]);
    sqlx::raw_sql("commit").execute(&mut holder).await.expect("the end of it");
    sync(&mirror, entity("timeline"), 1, &[at("b", "2020-02-16T12:00:00Z")]).await;
    let of_month = "timeline_entries_2020_02";
    assert_eq!(places(&mirror).await, [json!(["a", of_month]), json!(["b", of_month])]);
}

#[sqlx::test(migrations = false)]
async fn partitions_and_batches_never_deadlock(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let batches = async {
        for number in 0..30 {
            // Writes pianos, then users and clients, in the order of the registry or against it.
            let order =
                if number % 2 == 0 { ["users", "clients", "pianos"] } else { ["pianos", "clients", "users"] };
            let mut connection = mirror.connection().await;
            let inserts = order.map(|table| {
                format!("insert into {table} (id) values ('x{number}') on conflict do nothing; select pg_sleep(0.02);")
            });
            let sql = format!("begin;{}commit", inserts.concat());
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("a batch");
        }
    };
    let partitions = async {
        let mut made = 0;
        for month in 1..=12 {
            let day = chrono::NaiveDate::from_ymd_opt(2019, month, 1).expect("a day");
            let instant = day.and_hms_opt(0, 0, 0).expect("midnight").and_utc();
            for _ in 0..20 {
                match db::production::ensure_months(&mirror.db, entity("timeline"), [instant]).await {
                    Ok(count) => {
                        made += count;
                        break;
                    }
                    Err(error) => assert!(!db::is_out_of_reach(&error), "{error}"),
                }
            }
        }
        made
    };
    let ((), made) = tokio::join!(batches, partitions);
    assert!(made >= 12, "{made}");
}
