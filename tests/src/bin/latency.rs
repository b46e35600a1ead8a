//! `latency`: delay from a change in Gazelle to its production row, on the deployed stack, by
//! its own schedules. Needs the variables of `stack.py env`, and a stack whose schedules are enabled.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement is printed, and stops where its environment gives way"
)]

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use model::entity;
use pipeline_tests::mirror::rows;
use pipeline_tests::stack::Stack;
use serde_json::{Value, json};
use tokio::time::sleep;

/// Changes that a tick can see: new records, and edits of entities that are listed whole.
const CHANGES: [(&str, &str); 7] = [
    ("timeline", "creates"),
    ("clients", "creates"),
    ("clients", "edits"),
    ("pianos", "creates"),
    ("pianos", "edits"),
    ("users", "edits"),
    ("timeline", "creates"),
];
/// Delay after which a change counts as lost.
const PROMISE: TimeDelta = TimeDelta::minutes(5);

#[tokio::main]
async fn main() {
    let count: usize = std::env::args().nth(1).map_or(240, |text| text.parse().expect("a number of changes"));
    let stack = Stack::connect().await;
    // The first runs bring everything: no time to measure.
    println!("Waiting for a first complete mirror…");
    loop {
        let pending = rows(
            &mut stack.connection().await,
            "select count(distinct sync_type) as n from sync_status where status = 'success'",
        )
        .await;
        if pending[0]["n"] == json!(entity::ALL.len()) {
            break;
        }
        sleep(Duration::from_secs(2)).await;
    }
    let mut changed: BTreeMap<(&str, String), DateTime<Utc>> = BTreeMap::new();
    for number in 0..count {
        // Two to six seconds apart, in no step with the schedule.
        sleep(Duration::from_millis(2_000 + (number as u64 * 2_654_435_761) % 4_000)).await;
        let (name, kind) = CHANGES[number % CHANGES.len()];
        let at = Utc::now();
        let moved = stack.sim("POST", "/_sim/advance", &json!({kind: 1, "entity": name})).await;
        let list = moved[name][if kind == "creates" { "created" } else { "edited" }].clone();
        for id in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
            changed.insert((name, id.to_owned()), at);
        }
        if number % 20 == 19 {
            println!("{} of {count} changes", number + 1);
        }
    }
    println!("Waiting until the last change may have arrived…");
    sleep(PROMISE.to_std().unwrap_or_default()).await;
    report(&stack, &changed).await;
}

async fn report(stack: &Stack, changed: &BTreeMap<(&str, String), DateTime<Utc>>) {
    let mut connection = stack.connection().await;
    let mut took = Vec::new();
    let mut lost = Vec::new();
    for ((name, id), at) in changed {
        let sql = format!(
            "select updated_at from {} where id = '{id}'",
            entity::find(name).expect("an entity").table
        );
        let row = rows(&mut connection, &sql).await;
        let arrived = row.first().and_then(|row| model::cell::parse_instant(row["updated_at"].as_str()?));
        match arrived.filter(|arrived| arrived >= at) {
            Some(arrived) => took.push(arrived - *at),
            None => lost.push(format!("{name} {id}")),
        }
    }
    took.sort_unstable();
    let seconds = |share: usize| took[(took.len() * share / 100).min(took.len() - 1)].num_milliseconds();
    println!("{} changes arrived, {} did not: {lost:?}", took.len(), lost.len());
    println!("p50 {} ms, p99 {} ms, max {} ms", seconds(50), seconds(99), seconds(100));
    assert!(lost.is_empty() && took.last() <= Some(&PROMISE), "a change took longer than {PROMISE}");
}
