//! Healed records close their actions, whatever row heals them; placeholders are told only if they stay; a newer
//! record that fails takes no older one with it.

use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource, element};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::types::Uuid;

use crate::promotion::sync;
use crate::staging::record;

async fn open(mirror: &Mirror, kind: &str) -> Vec<Value> {
    let sql =
        format!("select subject from admin_actions where kind = '{kind}' and resolved_at is null order by 1");
    mirror.rows(&sql).await
}

/// Returns a timeline entry with or without a date: one without fails.
fn entry(id: &str, comment: &str, is_dated: bool) -> Value {
    let mut entry = record(id);
    entry["comment"] = json!(comment);
    if !is_dated {
        entry["occurredAt"] = Value::Null;
    }
    entry
}

#[sqlx::test(migrations = false)]
async fn newer_content_closes_the_failure(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let timeline = entity("timeline");
    sync(&mirror, timeline, 1, &[entry("tme_1", "a", false), entry("tme_2", "a", false)]).await;
    assert_eq!(open(&mirror, "failed").await.len(), 2);
    // Fails again with other content: one action for each record.
    sync(&mirror, timeline, 2, &[entry("tme_1", "b", false)]).await;
    assert_eq!(open(&mirror, "failed").await.len(), 2);
    sync(&mirror, timeline, 3, &[entry("tme_1", "b", true)]).await;
    assert_eq!(open(&mirror, "failed").await.len(), 1);
    // Older content closes nothing.
    sync(&mirror, timeline, 0, &[entry("tme_2", "older", true)]).await;
    assert_eq!(open(&mirror, "failed").await.len(), 1);
    sync(&mirror, timeline, 4, &[entry("tme_2", "older", true)]).await;
    assert_eq!(open(&mirror, "failed").await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn failing_content_suppresses_no_older_one(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // All of them wait when the reconciler comes.
    for (minute, comment, is_dated) in
        [(1, "first", true), (2, "second", true), (3, "third", false), (4, "fourth", false)]
    {
        let source = MemorySource::default();
        let mut run = HandRun::new(entity("timeline"), minute);
        run.page(&source, &[entry("tme_1", comment, is_dated)]);
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    }
    mirror.reconcile().await;
    let rows = mirror.rows("select comment from timeline_entries").await;
    assert_eq!(rows, [json!({"comment": "second"})]);
    let outcomes = mirror
        .rows(
            "select raw_data ->> 'comment' as comment, outcome from stg_timeline_entries order by fetched_at",
        )
        .await;
    let expected =
        [("first", "superseded"), ("second", "promoted"), ("third", "failed"), ("fourth", "failed")];
    let expected: Vec<Value> =
        expected.iter().map(|(comment, outcome)| json!({"comment": comment, "outcome": outcome})).collect();
    assert_eq!(outcomes, expected);
    assert_eq!(open(&mirror, "failed").await.len(), 1, "the newest failure stays told");
    let runs = mirror.rows("select status, records_pending from sync_status where records_pending <> 0 or status = 'running'").await;
    assert_eq!(runs, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn alias_closes_the_action_of_its_placeholder(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut one = record("tme_1");
    one["user"] = json!({"id": "usr_old"});
    one["client"] = json!({"id": "cli_old"});
    sync(&mirror, entity("users"), 0, &[record("usr_1")]).await;
    sync(&mirror, entity("timeline"), 1, &[one]).await;
    assert_eq!(open(&mirror, "placeholder").await.len(), 2);
    sqlx::raw_sql("insert into aliases (entity, alias, id) values ('users', 'usr_old', 'usr_1'), ('clients', 'cli_old', 'cli_1')")
        .execute(&mut mirror.connection().await)
        .await
        .expect("an alias");
    mirror.reconcile().await;
    assert_eq!(open(&mirror, "placeholder").await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn closing_a_quarantined_action_ends_the_quarantine(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    source.put("raw/clients/2025/01/01/x/page-00001.json", "no page");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let aside = "select count(*) from quarantine where resolved_at is null";
    assert_eq!(mirror.value(aside).await, json!(1));
    let id = mirror.value("select id from admin_actions where kind = 'quarantined'").await;
    let id = Uuid::parse_str(id.as_str().expect("an id")).expect("an id");
    assert!(db::actions::resolve_action(&mirror.db, id, "Zoé").await.expect("the database"));
    assert!(!db::actions::resolve_action(&mirror.db, id, "Zoé").await.expect("the database"), "once");
    assert_eq!(mirror.value(aside).await, json!(0));
}

/// Returns the subjects of the actions that raise an alert now.
async fn told(mirror: &Mirror) -> Vec<String> {
    let snapshot = db::queries::monitor_snapshot(&mirror.db, &[]).await.expect("the database");
    snapshot.actions.into_iter().flat_map(|actions| actions.subjects).collect()
}

#[sqlx::test(migrations = false)]
async fn placeholder_is_told_only_if_it_stays(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let (clients, timeline) = (entity("clients"), entity("timeline"));
    let mut one = record("tme_1");
    one["client"] = json!({"id": "cli_1"});
    let mut other = record("tme_2");
    other["client"] = json!({"id": "cli_2"});
    let source = MemorySource::default();
    let mut run = HandRun::new(timeline, 10);
    run.page(&source, &[one, other]);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    assert_eq!(open(&mirror, "placeholder").await.len(), 2);
    assert_eq!(told(&mirror).await, Vec::<String>::new(), "the run goes on");
    // A listing that began before, and one that began after while the run goes on.
    sync(&mirror, clients, 5, &[record("cli_0")]).await;
    sync(&mirror, clients, 12, &[record("cli_0"), record("cli_1")]).await;
    assert_eq!(told(&mirror).await, Vec::<String>::new(), "the run goes on");
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    assert_eq!(told(&mirror).await, ["cli_2"], "this one was in no listing");
    assert!(db::queries::has_recent_incidents(&mirror.db).await.expect("the database"));
    sync(&mirror, clients, 14, &[record("cli_2")]).await;
    assert_eq!(told(&mirror).await, Vec::<String>::new());
}

#[sqlx::test(migrations = false)]
async fn unknown_technician_is_told_at_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut one = record("tme_1");
    one["user"] = json!({"id": "usr_new"});
    let source = MemorySource::default();
    HandRun::new(entity("timeline"), 10).page(&source, &[one]);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    assert_eq!(told(&mirror).await, ["usr_new"]);
}

/// Returns invoices with this total each, in minor units or otherwise.
fn invoices(count: usize, total: impl Fn(usize) -> Value) -> Vec<Value> {
    let invoice = |number| {
        json!({"id": format!("inv_{number}"), "number": number, "currency": {"code": "CAD", "divisor": 100},
            "total": total(number), "notes": format!("{number}")})
    };
    (0..count).map(invoice).collect()
}

#[sqlx::test(migrations = false)]
async fn drift_is_told_and_old_values_stay(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let invoices_ = entity("invoices");
    let sum = "select sum(total)::text from invoices";
    sync(&mirror, invoices_, 1, &invoices(60, |_| json!(1_000))).await;
    assert_eq!(mirror.value(sum).await, json!("600.00"));
    // Digits as text mean the same.
    sync(&mirror, invoices_, 2, &invoices(60, |_| json!("2000"))).await;
    assert_eq!(mirror.value(sum).await, json!("1200.00"));
    assert_eq!(open(&mirror, "drift").await, Vec::<Value>::new());
    // A few oddities cost themselves alone.
    sync(&mirror, invoices_, 3, &invoices(3, |_| json!({"amount": 1}))).await;
    assert_eq!(mirror.value(sum).await, json!("1140.00"));
    assert_eq!(open(&mirror, "drift").await, Vec::<Value>::new());
    // Many do not: their old values stay, and so they do for every record until it is over.
    sync(&mirror, invoices_, 4, &invoices(60, |number| json!(format!("20,{number:02} $")))).await;
    assert_eq!(mirror.value(sum).await, json!("1140.00"));
    assert_eq!(open(&mirror, "drift").await, [json!({"subject": "total"})]);
    sync(&mirror, invoices_, 5, &invoices(4, |_| json!("vingt dollars"))).await;
    assert_eq!(mirror.value(sum).await, json!("1140.00"));
    let details = mirror.value("select details from admin_actions where kind = 'drift'").await;
    assert_eq!((&details["unreadable"], &details["records"]), (&json!(60), &json!(60)));
    sync(&mirror, invoices_, 6, &invoices(60, |_| json!(3_000))).await;
    assert_eq!(mirror.value(sum).await, json!("1800.00"));
    assert_eq!(open(&mirror, "drift").await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn drift_inside_lists_keeps_the_lines(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let invoices_ = entity("invoices");
    let part = &invoices_.child_tables[0];
    let with_items = |amount: Value| {
        let mut all = invoices(30, |_| json!(1_000));
        for invoice in &mut all {
            let mut item = element(part, "x");
            item["amount"] = amount.clone();
            invoice[part.field] = json!({"pageInfo": {"hasNextPage": false}, "nodes": [item]});
        }
        all
    };
    let sum = "select sum(amount)::text from invoice_items";
    sync(&mirror, invoices_, 1, &with_items(json!(500))).await;
    assert_eq!(mirror.value(sum).await, json!("150.00"));
    sync(&mirror, invoices_, 2, &with_items(json!(["5,00"]))).await;
    assert_eq!(mirror.value(sum).await, json!("150.00"));
    assert_eq!(open(&mirror, "drift").await, [json!({"subject": "allInvoiceItems.amount"})]);
    sync(&mirror, invoices_, 3, &with_items(json!("600"))).await;
    assert_eq!(mirror.value(sum).await, json!("180.00"));
    assert_eq!(open(&mirror, "drift").await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn null_in_a_list_deletes_no_line(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut minute = 0;
    for entity in model::entity::ALL {
        for part in entity.child_tables {
            let lines = format!("select count(*) from {}", part.table);
            let id = format!("{}_x", part.table);
            let known = || element(part, "word");
            for (nodes, expected) in [
                (json!([known(), known(), known()]), 3),
                (json!([known(), nothing(), known()]), 3),
                (json!([nothing()]), 3),
                (json!([{}, known()]), 3),
                (json!([{"id": null}, 7]), 3),
                (json!([known(), known()]), 2),
                (json!([]), 0),
            ] {
                minute += 1;
                let mut holder = record(&id);
                holder[part.field] = json!({"pageInfo": {"hasNextPage": false}, "nodes": nodes});
                sync(&mirror, entity, minute, &[holder]).await;
                assert_eq!(mirror.value(&lines).await, json!(expected), "{}: {nodes}", part.table);
            }
        }
    }
}

const fn nothing() -> Value {
    Value::Null
}
