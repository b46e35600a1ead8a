//! `throughput`: how fast raw pages become production rows, and in how much memory.
//!
//! Writes raw pages into a folder, then stages and reconciles them in a process each, as the functions
//! do: ten pages a batch. Needs `DATABASE_URL`, a database that may be wiped of the schema it uses.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement is printed, and stops where its ground gives way"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pipeline_tests::mirror::entity;
use pipeline_tests::pages::{HandRun, MemorySource};
use serde_json::json;
use shared::manifest::RunStatus;
use shared_db::{DatabaseConfig, Db, PoolMode, migrate};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use stager::raw_source::{Found, Listed, RawSource, SourceError};

const SCHEMA: &str = "throughput";
const RECORDS_PER_PAGE: usize = 100;
const PAGES_PER_BATCH: usize = 10;

/// A folder instead of a bucket.
struct Folder(PathBuf);

impl RawSource for Folder {
    async fn read(&self, key: &str) -> Result<Found, SourceError> {
        fs::read(self.0.join(key)).map(Found::Bytes).map_err(|error| SourceError(error.to_string()))
    }

    async fn list(&self, _prefix: &str, _after: Option<&str>) -> Result<Vec<Listed>, SourceError> {
        Ok(Vec::new())
    }
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "100000".to_owned());
    let folder = arguments.next().map(PathBuf::from);
    match (first.as_str(), folder) {
        ("stage", Some(folder)) => stage(&folder).await,
        ("reconcile", Some(_)) => reconcile().await,
        (records, None) => measure(records.parse().expect("a number of records")).await,
        _ => panic!("accepted: throughput [records]"),
    }
}

fn config() -> DatabaseConfig {
    let url = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL: a database whose schema «throughput» may be wiped");
    DatabaseConfig::new(&url, SCHEMA, PoolMode::Session).expect("an address")
}

async fn measure(records: usize) {
    let folder = std::env::temp_dir().join(format!("throughput-{}", std::process::id()));
    let bytes = write_pages(&folder, records);
    println!("{records} records of {} bytes, {RECORDS_PER_PAGE} a page", bytes / records);
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("an address");
    let mut connection = options.connect().await.expect("a connection");
    let wipe = format!("drop schema if exists {SCHEMA} cascade");
    sqlx::raw_sql(AssertSqlSafe(wipe.clone())).execute(&mut connection).await.expect("a clean start");
    migrate(&config()).await.expect("migrations");
    let whole = Instant::now();
    for (pass, verbs) in [("first", ["stage", "reconcile"]), ("again, unchanged", ["stage", "reconcile"])] {
        for verb in verbs {
            let begin = Instant::now();
            let folder = if pass == "first" { folder.join("first") } else { folder.join("second") };
            let output = Command::new(std::env::current_exe().expect("a path"))
                .arg(verb)
                .arg(folder)
                .output()
                .expect("a child");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            report(pass, verb, records, begin.elapsed(), &String::from_utf8_lossy(&output.stdout));
        }
        if pass == "first" {
            report(pass, "both", records, whole.elapsed(), "");
        }
    }
    let count = format!("select count(*) from {SCHEMA}.timeline_entries");
    let rows: i64 =
        sqlx::query_scalar(AssertSqlSafe(count)).fetch_one(&mut connection).await.expect("a count");
    assert_eq!(usize::try_from(rows).ok(), Some(records), "every record is a row");
    sqlx::raw_sql(AssertSqlSafe(wipe)).execute(&mut connection).await.expect("a clean end");
    connection.close().await.expect("a goodbye");
    fs::remove_dir_all(folder).expect("a clean end");
}

fn report(pass: &str, verb: &str, records: usize, took: Duration, memory: &str) {
    let rate = records as u128 * 1_000 / took.as_millis().max(1);
    println!("{pass:>17}  {verb:<10} {rate:>7} rows/s  {:>6} ms  {}", took.as_millis(), memory.trim());
}

/// Two runs of the same records into two folders; answers the bytes of the records.
fn write_pages(folder: &Path, records: usize) -> usize {
    let mut bytes = 0;
    for (name, minute) in [("first", 0), ("second", 10)] {
        let source = MemorySource::default();
        let mut run = HandRun::new(entity("timeline"), minute);
        bytes = 0;
        for first in (0..records).step_by(RECORDS_PER_PAGE) {
            let page: Vec<String> = (first..records.min(first + RECORDS_PER_PAGE)).map(record).collect();
            bytes += page.iter().map(String::len).sum::<usize>();
            run.raw_page(&source, &page);
        }
        run.end(&source, RunStatus::Success);
        for key in source.keys() {
            let path = folder.join(name).join(&key);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, source.get(&key).expect("an object")).expect("a page");
        }
    }
    bytes
}

/// About 645 bytes; 79 % without a piano, 46 % without a user, spread over three years.
fn record(number: usize) -> String {
    let day = chrono::DateTime::UNIX_EPOCH
        + chrono::TimeDelta::minutes(27_000_000 + i64::try_from(number * 15 % 1_500_000).unwrap_or(0));
    let reference = |kind: &str, of: usize, absent: bool| {
        if absent { json!(null) } else { json!({ "id": format!("{kind}_{:016}", number % of) }) }
    };
    json!({
        "id": format!("tme_{number:020x}"),
        "occurredAt": day.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "type": "CONTACT_EMAIL_AUTOMATED",
        "summary": format!("Rappel d'accord envoyé au client, message {number}"),
        "comment": "Bonjour, votre piano devrait être accordé bientôt. ".repeat(4),
        "duration": null, "relatedType": null, "relatedId": null, "alertType": null,
        "emailStatus": "DELIVERED", "emailFailureReason": null, "smsStatus": null,
        "client": reference("cli", 4_000, false),
        "piano": reference("ins", 1_000, number % 100 < 79),
        "user": reference("usr", 9, number % 100 < 46),
        "appointment": null, "invoice": null, "estimate": null,
    })
    .to_string()
}

async fn stage(folder: &Path) {
    let mut keys = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                keys.push(path.strip_prefix(folder).expect("below").to_string_lossy().into_owned());
            }
        }
    }
    keys.sort();
    let (db, source) = (Db::new(&config()), Folder(folder.to_owned()));
    for batch in keys.chunks(PAGES_PER_BATCH) {
        let staged = stager::stage::stage(&db, &source, batch).await;
        assert!(staged.failed.is_empty(), "{:?}", staged.failed);
    }
    println!("{}", peak_memory());
}

async fn reconcile() {
    let db = Db::new(&config());
    let deadline = tokio::time::Instant::now() + Duration::from_hours(1);
    let drained = reconciler::reconcile::drain(&db, entity("timeline"), deadline).await.expect("a database");
    assert!(drained.is_empty && drained.failed == 0, "{drained:?}");
    println!("{} (promoted {}, unchanged {})", peak_memory(), drained.promoted, drained.unchanged);
}

fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    format!("peak {} MiB", kib / 1024)
}
