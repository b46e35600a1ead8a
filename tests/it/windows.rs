//! Complete listings of a period prove deletions in it; lists inside a record are fetched whole, however
//! long they are.

use chrono::{Days, Utc};
use fetcher::report::ReportStatus;
use gazelle_sim::SimConfig;
use model::entity::{self, Entity, TimeFilter};
use model::local_day;
use pipeline_tests::mirror::entity;
use pipeline_tests::pipeline::Pipeline;
use pipeline_tests::source::{Source, TICK};
use protocol::request::{Mode, SyncRequest};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

fn small() -> SimConfig {
    SimConfig { clients: 100, pianos: 120, timeline: 300, ..SimConfig::default() }
}

/// Returns the entities of which a tick lists a whole period.
fn of_a_period() -> impl Iterator<Item = &'static Entity> {
    entity::ALL.into_iter().filter(|entity| entity.time_filter().is_some_and(TimeFilter::proves_absence))
}

fn ids(moved: &Value) -> Vec<String> {
    moved.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns the rows of the proven period: one day less at each end than the fetched one.
async fn in_period(pipeline: &Pipeline, entity: &Entity, condition: &str) -> Vec<String> {
    let (filter, column) = entity.time_filter().zip(entity.date_column()).expect("a filter by time");
    let window = filter.incremental_window(Utc::now(), Utc::now(), 0).expect("a window");
    let (start, end) =
        (window.start + chrono::TimeDelta::days(1), window.end.expect("an end") - chrono::TimeDelta::days(1));
    let sql = format!(
        "select id from {} where {column} >= '{}' and {column} < '{}' and {condition} order by id",
        entity.table,
        model::cell::instant_text(start),
        model::cell::instant_text(end)
    );
    ids(&pipeline.mirror.rows(&sql).await.iter().map(|row| row["id"].clone()).collect())
}

#[sqlx::test(migrations = false)]
async fn deletion_inside_the_period_is_found_by_a_tick(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.tick().await;
    pipeline.assert_equals_the_source("a first tick").await;
    for entity in of_a_period() {
        let near = in_period(&pipeline, entity, "true").await;
        let moved =
            pipeline.source.control("/_sim/advance", &json!({"deletes": 12, "entity": entity.name})).await;
        let gone = ids(&moved[entity.name]["deleted"]);
        let (inside, outside): (Vec<String>, Vec<String>) =
            gone.into_iter().partition(|id| near.contains(id));
        assert!(!inside.is_empty() && !outside.is_empty(), "{}: {inside:?} {outside:?}", entity.name);
        pipeline.tick().await;
        assert_eq!(pipeline.deleted(entity).await, sorted(&inside), "{}", entity.name);
        for part in entity.child_tables {
            let sql = format!(
                "select count(*) from {} p join {} t on t.id = p.{}
                 where (p.deleted_at is null) <> (t.deleted_at is null)",
                part.table, entity.table, part.parent
            );
            assert_eq!(pipeline.mirror.value(&sql).await, json!(0), "{} goes with its record", part.table);
        }
        pipeline.sync(&Mode::Full).await;
        let all = sorted(&[inside.clone(), outside].concat());
        assert_eq!(pipeline.deleted(entity).await, all, "{}", entity.name);
        pipeline.source.control("/_sim/advance", &json!({"restores": 12, "entity": entity.name})).await;
        pipeline.tick().await;
        let back = pipeline.deleted(entity).await;
        assert!(inside.iter().all(|id| !back.contains(id)), "{}: {back:?}", entity.name);
        pipeline.sync(&Mode::Full).await;
        pipeline.assert_equals_the_source("all have returned").await;
    }
}

fn sorted(ids: &[String]) -> Vec<String> {
    let mut ids = ids.to_vec();
    ids.sort();
    ids
}

#[sqlx::test(migrations = false)]
async fn record_hidden_from_period_is_looked_up_and_stays(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.tick().await;
    for entity in of_a_period() {
        let near = in_period(&pipeline, entity, "true").await;
        // As a source may that no longer lists what is cancelled: the records are there, and asked for they answer.
        let root = entity.query().expect("a query").root;
        pipeline.source.control("/_sim/faults", &json!({"null_nodes": 0.1, "root_field": root})).await;
        pipeline.tick().await;
        pipeline.source.heal().await;
        let missing = format!(
            "select count(*) from missing_records where entity = '{}' and answer = 'found'",
            entity.name
        );
        let hidden = pipeline.mirror.value(&missing).await;
        assert!(hidden.as_i64() > Some(0) && hidden.as_i64() < i64::try_from(near.len()).ok(), "{hidden}");
        assert_eq!(pipeline.deleted(entity).await, Vec::<String>::new(), "{}", entity.name);
        let again = pipeline.source.fetch(entity, TICK).await;
        assert!(again.iter().all(|report| report.mode != "verify"), "{again:?}");
        pipeline.settle().await;
        assert_eq!(pipeline.mirror.value(&missing).await, json!(0), "listed again, missing no more");
        pipeline.assert_equals_the_source("shown again").await;
    }
}

#[sqlx::test(migrations = false)]
async fn unlisted_record_needs_second_listing_and_lookup(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.tick().await;
    for entity in of_a_period() {
        let near = in_period(&pipeline, entity, "true").await;
        let deletes = json!({"deletes": 6, "entity": entity.name});
        let moved = pipeline.source.control("/_sim/advance", &deletes).await;
        let gone = sorted(&ids(&moved[entity.name]["deleted"]));
        let gone: Vec<String> = gone.into_iter().filter(|id| near.contains(id)).collect();
        assert!(!gone.is_empty(), "{}: {moved}", entity.name);
        // It was not listed two hours ago either, and was there when it was asked for.
        let hidden = format!(
            "insert into missing_records (entity, id, run_id, missing_since, times, answer, asked_at)
             select '{}', id, 'before', now() - interval '2 hours', 0, 'found', now() - interval '2 hours'
             from unnest(string_to_array('{}', ',')) as id",
            entity.name,
            gone.join(",")
        );
        let mut connection = pipeline.mirror.connection().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(hidden)).execute(&mut connection).await.expect("hidden records");
        pipeline.tick().await;
        pipeline.settle().await;
        assert_eq!(pipeline.deleted(entity).await, Vec::<String>::new(), "one answer is not believed");
        let creates = json!({"creates": 3, "entity": entity.name});
        pipeline.source.control("/_sim/advance", &creates).await;
        pipeline.tick().await;
        assert_eq!(pipeline.deleted(entity).await, gone, "{}", entity.name);
    }
}

#[tokio::test]
async fn changed_period_is_stored_whole() {
    for entity in of_a_period() {
        let mut source = Source::small().await;
        source.page_size = 10;
        source.fetch(entity, TICK).await;
        let first = source.fetch(entity, TICK).await;
        assert!(first[0].status == ReportStatus::Success && first[0].pages > 2, "{first:?}");
        let quiet = source.fetch(entity, TICK).await;
        let [report] = &quiet[..] else { panic!("{quiet:?}") };
        assert_eq!(
            (report.status, report.pages, report.pages_passed),
            (ReportStatus::Success, 0, first[0].pages)
        );
        // Wherever the change stands: before what is unchanged, behind it, between two such, outside the period.
        let mut stored = 0;
        for _ in 0..12 {
            let change = json!({"creates": 1, "deletes": 1, "edits": 1, "entity": entity.name});
            source.control("/_sim/advance", &change).await;
            let changed = source.fetch(entity, TICK).await;
            let report = &changed[0];
            assert!(
                report.status == ReportStatus::Success && (report.pages == 0 || report.pages_passed == 0),
                "{report:?}"
            );
            stored += u32::from(report.pages > 2);
        }
        assert!(stored > 3, "{}: {stored} of 12", entity.name);
    }
}

#[tokio::test]
async fn period_listing_that_lost_its_end_is_stored_whole() {
    for entity in of_a_period() {
        let mut source = Source::open(SimConfig { clients: 20, timeline: 10, ..SimConfig::default() }).await;
        source.page_size = 1;
        source.fetch(entity, TICK).await;
        source.fetch(entity, TICK).await;
        let column = entity.date_column().expect("a date");
        let filter = entity.time_filter().expect("a filter by time");
        let window = filter.incremental_window(Utc::now(), Utc::now(), 0).expect("a window");
        let mut has_lost_its_end = false;
        while !has_lost_its_end {
            let truth = source.truth(entity).await;
            let instant = |row: &Value| row[column].as_str().and_then(model::cell::parse_instant);
            let listed = truth["rows"].as_array().into_iter().flatten();
            let listed = listed.filter(|row| instant(row).is_some_and(|at| window.contains(at)));
            let last =
                listed.max_by_key(|row| (instant(row), row["id"].to_string())).expect("a listing").clone();
            let moved = source.control("/_sim/advance", &json!({"deletes": 1, "entity": entity.name})).await;
            has_lost_its_end = moved[entity.name]["deleted"][0] == last["id"];
            let tick = source.fetch(entity, TICK).await;
            assert!(
                tick[0].status == ReportStatus::Success && !(has_lost_its_end && tick[0].pages == 0),
                "{tick:?}"
            );
        }
    }
}

#[sqlx::test(migrations = false)]
async fn repair_of_a_period_takes_only_its_days(_: PgPoolOptions, options: PgConnectOptions) {
    for entity in of_a_period() {
        let pipeline = Pipeline::open(small(), options.clone()).await;
        pipeline.mirror.empty().await;
        let (first, last) = (Utc::now().date_naive(), Utc::now().date_naive() + Days::new(20));
        let payload = json!({"entity": entity.name, "start": first.to_string(), "end": last.to_string()});
        let request = SyncRequest::parse(&payload, local_day::ZONE).expect("a request");
        pipeline.source.fetch(entity, request.mode).await;
        pipeline.settle().await;
        let column = entity.date_column().expect("a date");
        let days = format!(
            "select count(*) as n, min(({column} at time zone 'America/Montreal')::date)::text as first,
                max(({column} at time zone 'America/Montreal')::date)::text as last from {}",
            entity.table
        );
        let found = pipeline.mirror.rows(&days).await;
        let day = |name: &str| found[0][name].as_str().unwrap_or_default().to_owned();
        assert!(found[0]["n"].as_i64() > Some(5), "{found:?}");
        assert!(day("first") >= first.to_string() && day("last") <= last.to_string(), "{found:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn long_inner_list_is_fetched_whole(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(SimConfig { clients: 240, ..small() }, options).await;
    let invoices = entity("invoices");
    let runs = pipeline.source.fetch(invoices, TICK).await;
    let asked: Vec<ReportStatus> =
        runs.iter().filter(|run| run.mode == "verify").map(|run| run.status).collect();
    assert_eq!(asked, [ReportStatus::Success], "what is cut short is asked for at once: {runs:?}");
    pipeline.settle().await;
    let longest =
        "select count(*) as n, invoice_id as id from invoice_items group by 2 order by 1 desc limit 1";
    let longest = pipeline.mirror.rows(longest).await;
    assert!(longest[0]["n"].as_i64() > Some(100), "{longest:?}");
    let staged = format!("select count(*) from stg_invoices where gazelle_id = {}", longest[0]["id"])
        .replace('"', "'");
    assert_eq!(pipeline.mirror.value(&staged).await, json!(1), "the short version is not staged");
    // What was looked up for the first time is asked for once more; then a quiet tick does not ask again.
    pipeline.source.fetch(invoices, TICK).await;
    for _ in 0..2 {
        let quiet = pipeline.source.fetch(invoices, TICK).await;
        assert_eq!(quiet.iter().map(|run| (run.mode, run.pages)).collect::<Vec<_>>(), [("incremental", 0)]);
    }
    pipeline.sync(&Mode::Full).await;
    pipeline.assert_equals_the_source("a full run").await;
    assert_eq!(pipeline.deleted(invoices).await, Vec::<String>::new());
}
