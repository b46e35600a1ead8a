//! Precision and recall of the reading extractor and the matcher on labelled sets; mutated input breaks
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use model::matching::{MatchProfile, Matching, TRIGRAM, choose};
use model::reading::readings;
use pipeline_tests::fuzz::fuzz;
use pipeline_tests::mirror::{Mirror, entity};
use serde_json::Value;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

fn cases(file: &str) -> Vec<Value> {
    let path = format!("{}/corpus/{file}", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).expect("a corpus");
    lines.lines().map(|line| serde_json::from_str(line).expect("a case a line")).collect()
}

/// Counts of found, expected and common items.
#[derive(Debug, Default)]
struct Score {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Score {
    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from(self.right + self.wrong)
    }

    fn recall(&self) -> f64 {
        f64::from(self.right) / f64::from(self.right + self.missed)
    }
}

/// Compares the readings of each note with its labels; prints the figures, and returns them with what went wrong.
#[expect(clippy::print_stdout, reason = "figures are for people")]
fn score_readings(file: &str, cases_min: usize) -> (Score, String) {
    let cases = cases(file);
    assert!(cases.len() >= cases_min, "{} cases", cases.len());
    let mut score = Score::default();
    let mut misses = Vec::new();
    for case in &cases {
        let note = case["text"].as_str().expect("a note");
        let expected: Vec<(String, f64, String)> = case["expect"]
            .as_array()
            .expect("readings")
            .iter()
            .map(|reading| {
                let text = |name: &str| reading[name].as_str().expect("a text").to_owned();
                (text("quantity"), reading["value"].as_f64().expect("a number"), text("source"))
            })
            .collect();
        let mut found: Vec<(String, f64, String)> = readings(note)
            .into_iter()
            .map(|reading| {
                (reading.quantity.as_str().to_owned(), reading.value, note[reading.span].to_owned())
            })
            .collect();
        for wanted in &expected {
            let is_it = |found: &(String, f64, String)| {
                found.0 == wanted.0 && (found.1 - wanted.1).abs() < 0.051 && found.2 == wanted.2
            };
            if let Some(place) = found.iter().position(is_it) {
                found.remove(place);
                score.right += 1;
            } else {
                score.missed += 1;
                misses.push(format!("missed {wanted:?} in {note:?}"));
            }
        }
        score.wrong += u32::try_from(found.len()).unwrap_or(u32::MAX);
        misses.extend(found.iter().map(|found| format!("invented {found:?} in {note:?}")));
    }
    println!("{file}: precision {:.3}, recall {:.3}, {score:?}", score.precision(), score.recall());
    let misses = misses.join("\n");
    println!("{misses}");
    (score, misses)
}

#[test]
fn readings_precision_and_recall() {
    let (score, misses) = score_readings("readings.jsonl", 150);
    assert!(score.precision() >= 0.99 && score.recall() >= 0.98, "{score:?}\n{misses}");
}

#[test]
fn readings_of_notes_by_a_third_hand() {
    let (score, misses) = score_readings("readings-third.jsonl", 150);
    assert!(score.precision() >= 0.97 && score.recall() >= 0.97, "{score:?}\n{misses}");
}

#[test]
fn readings_of_notes_by_a_fourth_hand() {
    let (score, misses) = score_readings("readings-fourth.jsonl", 150);
    assert!(score.precision() >= 0.97 && score.recall() >= 0.97, "{score:?}\n{misses}");
}

fn card(matching: &Matching, value: &Value) -> MatchProfile {
    let text = |name: &str| match &value[name] {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let fields = matching.columns.iter().copied().chain(["name"]).map(|name| (name, text(name)));
    MatchProfile::new(value["id"].as_str().unwrap_or_default(), fields)
}

/// Returns whether the candidate search would offer one profile for the other.
fn is_offered(matching: &Matching, asked: &MatchProfile, card: &MatchProfile) -> bool {
    let (asked, card) = (matching.keys_of(asked), matching.keys_of(card));
    let trigrams = asked.iter().filter(|key| key.kind == TRIGRAM).count();
    let shared = |is_trigram: bool| {
        asked.iter().filter(|key| (key.kind == TRIGRAM) == is_trigram && card.contains(key)).count()
    };
    shared(false) > 0 || shared(true) >= trigrams.div_ceil(2).max(1)
}

#[test]
#[expect(clippy::print_stdout, reason = "figures are for people")]
fn matching_precision_and_recall() {
    let cases = cases("matching.jsonl");
    assert!(cases.len() >= 150, "{} cases", cases.len());
    let mut failures = Vec::new();
    for (kind, name) in
        [("person", "users"), ("client_duplicate", "clients"), ("piano_predecessor", "pianos")]
    {
        let matching = entity(name).matching.as_ref().expect("it can be matched");
        let mut score = Score::default();
        let mut misses = Vec::new();
        let of_kind: Vec<&Value> = cases.iter().filter(|case| case["kind"] == kind).collect();
        assert!(of_kind.len() >= 45, "{kind}: {} cases", of_kind.len());
        for case in of_kind {
            let (found, expected) = if kind == "person" {
                let asked = card(matching, &case["asked"]);
                let candidates = case["candidates"].as_array().expect("candidates").iter();
                let candidates: Vec<MatchProfile> = candidates
                    .map(|candidate| card(matching, candidate))
                    .filter(|candidate| is_offered(matching, &asked, candidate))
                    .collect();
                (choose(matching, &asked, &candidates).1, case["expect"].as_str().map(str::to_owned))
            } else {
                let (a, b) = (card(matching, &case["a"]), card(matching, &case["b"]));
                let is_linked =
                    is_offered(matching, &a, &b) && (matching.score)(&a, &b) >= matching.threshold;
                let word = |is: bool| is.then(|| "linked".to_owned());
                (word(is_linked), word(case["expect"] == true))
            };
            match (&found, &expected) {
                (Some(found), Some(expected)) if found == expected => score.right += 1,
                (None, None) => (),
                _ => {
                    score.wrong += u32::from(found.is_some());
                    score.missed += u32::from(expected.is_some());
                    misses.push(format!("found {found:?} instead of {expected:?}: {case}"));
                }
            }
        }
        println!("{kind}: precision {:.3}, recall {:.3}, {score:?}", score.precision(), score.recall());
        println!("{}", misses.join("\n"));
        if score.precision() < 0.99 || score.recall() < 0.95 {
            failures.push(format!("{kind}: {score:?}\n{}", misses.join("\n")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Returns the connected sets of pairs of ids.
fn connected(pairs: &[(String, String)]) -> Vec<BTreeSet<String>> {
    let mut sets: Vec<BTreeSet<String>> = Vec::new();
    for (one, other) in pairs {
        let (mut joined, apart): (Vec<_>, Vec<_>) =
            sets.into_iter().partition(|set| set.contains(one) || set.contains(other));
        joined.push(BTreeSet::from([one.clone(), other.clone()]));
        sets = apart;
        sets.push(joined.into_iter().flatten().collect());
    }
    sets
}

fn pairs_of(sets: &[BTreeSet<String>]) -> BTreeSet<(String, String)> {
    let of_set = |set: &BTreeSet<String>| {
        let ids: Vec<String> = set.iter().cloned().collect();
        let pair = |index: usize| {
            ids[index + 1..].iter().map(|other| (ids[index].clone(), other.clone())).collect::<Vec<_>>()
        };
        (0..ids.len()).flat_map(pair).collect::<Vec<_>>()
    };
    sets.iter().flat_map(of_set).collect()
}

#[sqlx::test(migrations = false)]
#[expect(clippy::print_stdout, reason = "figures are for people")]
async fn duplicates_of_hostile_clients(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let cases = cases("duplicates.jsonl");
    assert!(cases.len() >= 200, "{} clients", cases.len());
    let sql = "insert into clients (id, company_name, first_name, last_name, email, phone, street1, city, postal_code)
        select c ->> 'id', c ->> 'company_name', c ->> 'first_name', c ->> 'last_name', c ->> 'email', c ->> 'phone',
            c ->> 'street', c ->> 'city', c ->> 'postal_code'
        from jsonb_array_elements($1::text::jsonb) c";
    let done = sqlx::query(sql).bind(Value::from(cases.clone()).to_string());
    done.execute(&mut mirror.connection().await).await.expect("clients");
    while db::matching::match_changed(&mirror.db, entity("clients")).await.expect("a database").rows > 0 {}
    let rows = mirror.rows("select one, other from duplicate_pairs").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let linked: Vec<(String, String)> =
        rows.iter().map(|row| (text(&row["one"]), text(&row["other"]))).collect();
    let found = pairs_of(&connected(&linked));
    let mut labels: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for case in cases.iter().filter(|case| !text(&case["group"]).is_empty()) {
        labels.entry(text(&case["group"])).or_default().insert(text(&case["id"]));
    }
    let expected = pairs_of(&labels.into_values().collect::<Vec<_>>());
    let count = |pairs: usize| u32::try_from(pairs).unwrap_or(u32::MAX);
    let score = Score {
        right: count(found.intersection(&expected).count()),
        wrong: count(found.difference(&expected).count()),
        missed: count(expected.difference(&found).count()),
    };
    let card = |id: &String| cases.iter().find(|case| text(&case["id"]) == *id).map(ToString::to_string);
    let list = |word: &str, pairs: Vec<&(String, String)>| {
        let line = |pair: &&(String, String)| format!("{word} {:?}\n    {:?}", card(&pair.0), card(&pair.1));
        pairs.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    let misses = [
        list("invented", found.difference(&expected).collect()),
        list("missed", expected.difference(&found).collect()),
    ]
    .join("\n");
    println!(
        "duplicates: precision {:.3}, recall {:.3}, {score:?}\n{misses}",
        score.precision(),
        score.recall()
    );
    assert!(score.precision() >= 0.95 && score.recall() >= 0.9, "{score:?}\n{misses}");
}

#[test]
fn mutated_input_breaks_no_invariant() {
    let fuzzed = fuzz(20_261_123, 60_000, &|_, _| ());
    assert_eq!(fuzzed.broken, Vec::new());
    assert_eq!(fuzzed.executions.len(), 5);
}
