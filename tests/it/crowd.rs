//! Concurrent stagers and reconcilers, killed at random, leave the tables that one process alone would leave.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pipeline_tests::bad_kind::BadKind;
use pipeline_tests::dice::Dice;
use pipeline_tests::mirror::{Mirror, SCHEMA, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::work::{Folder, record};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::time::sleep;

const RECORDS: usize = 50_000;
const KILLS: usize = 60;

struct Crowd<'a> {
    url: String,
    folder: &'a Path,
    workers: Vec<(Vec<String>, Child)>,
}

impl Crowd<'_> {
    fn start(&self, arguments: &[String]) -> Child {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("../crowd.log"))
            .expect("a log");
        Command::new(env!("CARGO_BIN_EXE_worker"))
            .args(arguments)
            .env("DATABASE_URL", &self.url)
            .env("WORKER_SCHEMA", SCHEMA)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a worker")
    }

    fn add(&mut self, arguments: &[&str]) {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = self.start(&arguments);
        self.workers.push((arguments, child));
    }

    /// Kills one process at a random moment and starts another of its kind.
    fn kill(&mut self, place: usize) {
        let arguments = self.workers[place].0.clone();
        let child = &mut self.workers[place].1;
        child.kill().expect("a process of ours");
        child.wait().expect("its end");
        let successor = self.start(&arguments);
        self.workers[place].1 = successor;
    }

    async fn end(&mut self, kind: &str) {
        for (arguments, child) in self.workers.iter_mut().filter(|(arguments, _)| arguments[0] == kind) {
            let mut waited = 0;
            let status = loop {
                if let Some(status) = child.try_wait().expect("a process of ours") {
                    break status;
                }
                waited += 1;
                assert!(waited < 3_000, "{arguments:?} does not end");
                sleep(Duration::from_millis(100)).await;
            };
            assert!(status.success(), "{arguments:?}: {status}");
        }
    }
}

#[sqlx::test(migrations = false)]
async fn killed_stagers_and_reconcilers_converge(_: PgPoolOptions, options: PgConnectOptions) {
    let url = options.to_url_lossy().to_string();
    let mirror = Mirror::open(options).await;
    let root = std::env::temp_dir().join(format!("crowd-{}", std::process::id()));
    let folder = root.join("pages");
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("timeline"), 0);
    let nodes: Vec<String> = (0..RECORDS).map(record).collect();
    for page in nodes.chunks(100) {
        run.raw_page(&source, page);
    }
    run.end(&source, RunStatus::Success);
    Folder(folder.clone()).fill(&source);
    let over = root.join("over");
    let mut crowd = Crowd { url, folder: &folder, workers: Vec::new() };
    for seed in 1..=4 {
        crowd.add(&["stage", &folder.to_string_lossy(), &seed.to_string()]);
    }
    for _ in 0..8 {
        crowd.add(&["reconcile", &over.to_string_lossy()]);
    }
    let mut dice = Dice(7);
    for _ in 0..KILLS {
        sleep(Duration::from_millis(50 + dice.below(250))).await;
        let place = dice.place(crowd.workers.len());
        crowd.kill(place);
    }
    crowd.end("stage").await;
    std::fs::write(&over, "").expect("a sign");
    crowd.end("reconcile").await;

    let rows = mirror
        .rows("select id, client_id, piano_id, user_id, summary, version from timeline_entries order by id")
        .await;
    let expected: Vec<Value> = nodes
        .iter()
        .map(|node| {
            let node: Value = serde_json::from_str(node).expect("a record");
            json!({"id": node["id"], "client_id": node["client"]["id"], "piano_id": node["piano"]["id"],
                "user_id": node["user"]["id"], "summary": node["summary"], "version": 1})
        })
        .collect();
    let differing: Vec<(&Value, &Value)> =
        rows.iter().zip(&expected).filter(|(row, expected)| row != expected).take(3).collect();
    assert!(rows.len() == RECORDS && differing.is_empty(), "{} rows, {differing:?}", rows.len());
    for (entity, column) in [("users", "user"), ("clients", "client"), ("pianos", "piano")] {
        let named: BTreeSet<String> = expected
            .iter()
            .filter_map(|row| row[format!("{column}_id")].as_str().map(str::to_owned))
            .collect();
        for sql in [
            format!("select count(*) from {entity} where is_placeholder"),
            format!("select count(*) from admin_actions where kind = 'placeholder' and entity = '{entity}'"),
        ] {
            assert_eq!(mirror.value(&sql).await, json!(named.len()), "{sql}");
        }
    }
    let run = "select status, records_fetched, records_processed, records_pending from sync_status";
    let closed = json!({"status": "success", "records_fetched": RECORDS, "records_processed": RECORDS, "records_pending": 0});
    assert_eq!(mirror.rows(run).await, [closed], "the counts close as well");
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(mirror.value(deadlocks).await, json!(0));
    let log = std::fs::read_to_string(root.join("crowd.log")).expect("a log");
    assert!(!log.contains("deadlock") && !log.contains("panicked"), "{log}");
    std::fs::remove_dir_all(root).expect("a clean end");
}

#[sqlx::test(migrations = false)]
async fn one_bad_record_of_each_kind_fails_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut dice = Dice(11);
    for kind in BadKind::all().into_iter().filter(BadKind::is_bad) {
        let clean = "truncate timeline_entries, timeline_entries_keys, stg_timeline_entries, staged_pages, sync_status, admin_actions;
            alter table timeline_entries drop constraint if exists refuses";
        sqlx::raw_sql(clean).execute(&mut mirror.connection().await).await.expect("a clean start");
        if let Some(sql) = kind.refusal() {
            let sql = sql.replace("throughput.", "");
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
                .execute(&mut mirror.connection().await)
                .await
                .expect("a constraint");
        }
        let mut nodes: Vec<String> = (0..10_000).map(record).collect();
        let place = dice.place(nodes.len());
        nodes[place] = kind.spoil(&nodes[place]);
        let source = MemorySource::default();
        let mut run = HandRun::new(entity("timeline"), 0);
        for page in nodes.chunks(100) {
            run.raw_page(&source, page);
        }
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.drain(entity("timeline")).await;
        assert_eq!(
            mirror.value("select count(*) from timeline_entries").await,
            json!(10_000 - usize::from(kind.is_lost())),
            "{}",
            kind.what
        );
        let odd = mirror
            .rows("select outcome, last_error from stg_timeline_entries where outcome <> 'promoted' or note is not null")
            .await;
        let (outcome, reason) = kind.end.expect("a bad one has an end");
        assert_eq!(odd.len(), 1, "{}: {odd:?}", kind.what);
        assert_eq!(odd[0]["outcome"], outcome, "{}", kind.what);
        let said = odd[0]["last_error"].as_str().unwrap_or_default();
        assert!(said.starts_with(reason), "{}: {said}", kind.what);
    }
}
