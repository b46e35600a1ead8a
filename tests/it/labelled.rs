//! Precision and recall of the reading extractor and the matcher on labelled sets; mutated input breaks
//! nothing.

use model::matching::{MatchProfile, Matching, TRIGRAM, choose};
use model::reading::readings;
use pipeline_tests::fuzz::fuzz;
use pipeline_tests::mirror::entity;
use serde_json::Value;

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

#[test]
#[expect(clippy::print_stdout, reason = "figures are for people")]
fn readings_precision_and_recall() {
    let cases = cases("readings.jsonl");
    assert!(cases.len() >= 150, "{} cases", cases.len());
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
    println!("readings: precision {:.3}, recall {:.3}, {score:?}", score.precision(), score.recall());
    println!("{}", misses.join("\n"));
    assert!(score.precision() >= 0.99 && score.recall() >= 0.98, "{score:?}\n{}", misses.join("\n"));
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

#[test]
fn mutated_input_breaks_no_invariant() {
    let fuzzed = fuzz(20_261_123, 60_000, &|_, _| ());
    assert_eq!(fuzzed.broken, Vec::new());
    assert_eq!(fuzzed.executions.len(), 5);
}
