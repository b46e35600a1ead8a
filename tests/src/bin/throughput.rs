//! `throughput`: rows per second from raw pages to production, and peak memory.
//!
//! Writes raw pages into a folder, then stages and reconciles them in a process each, as the functions
//! do: ten pages a batch. `throughput bad` measures the cost of one bad record, `throughput parts`
//! that of child tables. Needs `DATABASE_URL`, a database in which it may drop the schema that it
//! uses.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement is printed, and stops where its environment gives way"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use db::schema::migrate;
use model::entity::{self, Entity};
use pipeline_tests::bad_kind::BadKind;
use pipeline_tests::dice::Dice;
use pipeline_tests::pages::{HandRun, MemorySource, list_of};
use pipeline_tests::work::{self, Folder, record, timeline};
use protocol::manifest::RunStatus;
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

const SCHEMA: &str = "throughput";
const RECORDS_PER_PAGE: usize = 100;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let first = arguments.next().unwrap_or_else(|| "100000".to_owned());
    let folder = arguments.next().map(PathBuf::from);
    match (first.as_str(), folder) {
        ("stage", Some(folder)) => stage(&folder).await,
        ("reconcile", Some(_)) => reconcile().await,
        ("bad", None) => Box::pin(measure_bad()).await,
        ("parts", None) => Box::pin(measure_parts()).await,
        (records, None) => measure(records.parse().expect("a number of records")).await,
        _ => panic!("accepted: throughput [records], throughput bad, throughput parts"),
    }
}

async fn measure(records: usize) {
    let folder = std::env::temp_dir().join(format!("throughput-{}", std::process::id()));
    let bytes = write_pages(&folder, records);
    println!("{records} records of {} bytes, {RECORDS_PER_PAGE} a page", bytes / records);
    let mut connection = clean_schema().await;
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
    assert_eq!(rows(&mut connection, "timeline_entries").await, records, "every record is a row");
    drop_schema(&mut connection).await;
    connection.close().await.expect("a goodbye");
    fs::remove_dir_all(folder).expect("a clean end");
}

fn report(pass: &str, verb: &str, records: usize, took: Duration, memory: &str) {
    let rate = records as u128 * 1_000 / took.as_millis().max(1);
    println!("{pass:>17}  {verb:<10} {rate:>7} rows/s  {:>6} ms  {}", took.as_millis(), memory.trim());
}

/// Writes two runs of the same records into two folders; returns the bytes of the records.
fn write_pages(folder: &Path, records: usize) -> usize {
    let nodes: Vec<String> = (0..records).map(record).collect();
    for (name, minute) in [("first", 0), ("second", 10)] {
        write_run(&folder.join(name), timeline(), minute, &nodes);
    }
    nodes.iter().map(String::len).sum()
}

fn write_run(folder: &Path, entity: &'static Entity, minute: i64, nodes: &[String]) {
    let source = MemorySource::default();
    let mut run = HandRun::new(entity, minute);
    for page in nodes.chunks(RECORDS_PER_PAGE) {
        run.raw_page(&source, page);
    }
    run.end(&source, RunStatus::Success);
    Folder(folder.to_owned()).fill(&source);
}

/// Records in a batch that contains one bad record.
const BATCH: usize = 10_000;
/// Rounds per kind; the median is reported.
const ROUNDS: usize = 5;

/// Measures the cost of one bad record of each kind among 9,999 valid ones, in turns with a clean batch.
async fn measure_bad() {
    let folder = std::env::temp_dir().join(format!("throughput-{}", std::process::id()));
    let kinds = BadKind::all();
    let mut took: Vec<Vec<Duration>> = vec![Vec::new(); kinds.len()];
    for round in 0..ROUNDS {
        for (place, kind) in kinds.iter().enumerate() {
            took[place].push(one_batch(&folder, kind, round).await);
            eprint!("\r{}/{}", round * kinds.len() + place + 1, ROUNDS * kinds.len());
        }
    }
    eprintln!();
    let clean = median(&mut took[0]);
    println!("throughput with one bad record in {BATCH}, against a clean batch (medians of {ROUNDS}):");
    for (kind, times) in kinds.iter().zip(&mut took).skip(1) {
        let ratio = clean.as_secs_f64() / median(times).as_secs_f64();
        println!("{ratio:>6.2}  {}", kind.what);
        assert!(ratio >= 0.8, "{}: more than a fifth is lost", kind.what);
    }
}

async fn one_batch(folder: &Path, kind: &BadKind, round: usize) -> Duration {
    let mut nodes: Vec<String> = (0..BATCH).map(record).collect();
    let place = Dice(round as u64 + 1).place(BATCH);
    nodes[place] = kind.spoil(&nodes[place]);
    write_run(folder, timeline(), 0, &nodes);
    let mut connection = clean_schema().await;
    if let Some(sql) = kind.refusal() {
        sqlx::raw_sql(sql).execute(&mut connection).await.expect("a constraint");
    }
    let took = stage_and_reconcile(folder, timeline()).await;
    let expected = BATCH - usize::from(kind.is_lost());
    assert_eq!(rows(&mut connection, "timeline_entries").await, expected, "{}", kind.what);
    drop_schema(&mut connection).await;
    connection.close().await.expect("a goodbye");
    fs::remove_dir_all(folder).expect("a clean end");
    took
}

/// Elements in each inner list.
const ELEMENTS: [&str; 3] = ["a", "b", "c"];

/// Measures a child row against a row of a record, for each entity with child tables.
async fn measure_parts() {
    let folder = std::env::temp_dir().join(format!("throughput-{}", std::process::id()));
    println!(
        "rows/s of records with lists of {}, against records with empty ones (medians of {ROUNDS}):",
        ELEMENTS.len()
    );
    for entity in entity::ALL.into_iter().filter(|entity| !entity.child_tables.is_empty()) {
        let mut took: [Vec<Vec<Duration>>; 2] = [vec![Vec::new(); 2], vec![Vec::new(); 2]];
        for _ in 0..ROUNDS {
            for (words, took) in [&[][..], &ELEMENTS[..]].into_iter().zip(&mut took) {
                let passes = with_lists(&folder, entity, words).await;
                took.iter_mut().zip(passes).for_each(|(all, one)| all.push(one));
            }
        }
        let [mut empty, mut full] = took;
        let rows = u32::try_from(1 + ELEMENTS.len() * entity.child_tables.len()).expect("few rows");
        for (place, pass) in ["first", "again, unchanged"].into_iter().enumerate() {
            let (empty, full) = (median(&mut empty[place]), median(&mut full[place]));
            let ratio = f64::from(rows) * empty.as_secs_f64() / full.as_secs_f64();
            println!("{ratio:>6.2}  {}, {pass}: {rows} rows a record instead of 1", entity.name);
            assert!(ratio >= 1.0, "{}, {pass}: a row of a list costs more than a record", entity.name);
        }
    }
}

/// Times a batch with these inner lists, and the same pages again.
async fn with_lists(folder: &Path, entity: &'static Entity, words: &[&str]) -> [Duration; 2] {
    let nodes: Vec<String> = (0..BATCH)
        .map(|number| {
            let mut record = json!({"id": format!("{}_{number:020x}", entity.name)});
            for part in entity.child_tables {
                record[part.field] = list_of(part, words, false);
            }
            record.to_string()
        })
        .collect();
    let mut connection = clean_schema().await;
    let mut took = [Duration::ZERO; 2];
    for (minute, took) in (0..).zip(&mut took) {
        write_run(folder, entity, minute, &nodes);
        *took = stage_and_reconcile(folder, entity).await;
        fs::remove_dir_all(folder).expect("a clean end");
        assert_eq!(rows(&mut connection, entity.table).await, BATCH, "{}", entity.name);
        for part in entity.child_tables {
            assert_eq!(rows(&mut connection, part.table).await, BATCH * words.len(), "{}", part.table);
        }
    }
    drop_schema(&mut connection).await;
    connection.close().await.expect("a goodbye");
    took
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times[times.len() / 2]
}

async fn stage_and_reconcile(folder: &Path, entity: &'static Entity) -> Duration {
    let begin = Instant::now();
    work::stage(SCHEMA, folder, None).await;
    work::reconcile(SCHEMA, entity, || true).await;
    begin.elapsed()
}

async fn rows(connection: &mut PgConnection, table: &str) -> usize {
    let sql = format!("select count(*) from {SCHEMA}.{table}");
    let rows: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.expect("a count");
    usize::try_from(rows).expect("a count")
}

async fn clean_schema() -> PgConnection {
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL");
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("an address");
    let mut connection = options.connect().await.expect("a connection");
    drop_schema(&mut connection).await;
    migrate(&work::config(SCHEMA)).await.expect("migrations");
    connection
}

async fn drop_schema(connection: &mut PgConnection) {
    let wipe = format!("drop schema if exists {SCHEMA} cascade");
    sqlx::raw_sql(AssertSqlSafe(wipe)).execute(connection).await.expect("a clean schema");
}

async fn stage(folder: &Path) {
    work::stage(SCHEMA, folder, None).await;
    println!("{}", peak_memory());
}

async fn reconcile() {
    let drained = work::reconcile(SCHEMA, timeline(), || true).await;
    assert!(drained.is_empty, "{drained:?}");
    println!(
        "{} (promoted {}, unchanged {}, failed {})",
        peak_memory(),
        drained.promoted,
        drained.unchanged,
        drained.failed
    );
}

fn peak_memory() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or_default();
    format!("peak {} MiB", kib / 1024)
}
