//! Mutation fuzzer: valid inputs are mutated at random, and no mutation may cause a panic.
//! Not guided by coverage, which needs a nightly compiler.

use std::panic::{AssertUnwindSafe, catch_unwind};

use model::entity;
use model::fold;
use model::local_day;
use model::normalize;
use model::reading::readings;
use model::row::Record;
use protocol::message;
use protocol::object_key;
use protocol::raw_page::{self, RawPage};
use protocol::request::SyncRequest;
use serde_json::{Value, json};
use stager::task::Task;

use crate::dice::Dice;

/// Fuzz target: name, valid inputs, function under test.
struct Target {
    name: &'static str,
    seeds: fn() -> Vec<String>,
    run: fn(&[u8]),
}

const TARGETS: &[Target] = &[
    Target { name: "events", seeds: event_seeds, run: events },
    Target { name: "envelope", seeds: envelope_seeds, run: envelope },
    Target { name: "keys", seeds: key_seeds, run: keys },
    Target { name: "transforms", seeds: record_seeds, run: transforms },
    Target { name: "readings", seeds: note_seeds, run: notes },
];

/// Fragments that commonly break parsers.
const PIECES: &[&str] = &[
    "null",
    "{}",
    "[]",
    "\"\"",
    "\"id\":",
    "-0",
    "1e400",
    "99999999999999999999",
    "\\u0000",
    "\\ud800",
    "\\",
    "\"",
    "é",
    "🎹",
    "\u{feff}",
    "°",
    "º",
    "℃",
    "%",
    "21C",
    "440Hz",
    "$",
    "20h30",
    "+",
    "%2F",
    "../",
    "raw/",
    "page-",
    ".json",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-23:59",
    "-262144-01-01",
    "2025-02-30",
    "{\"a\":",
    "[[[[",
    "]]]]",
    "\n",
    "\u{0}",
    "١٢",
    "½",
    "İ",
    "ẞ",
    "\u{301}",
    ",",
    ".",
    ":",
    "-",
    "A=",
    "la ",
    "temp ",
    "HR ",
    "1.2.3",
    "12,",
];

/// Result of a fuzzing run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fuzzed {
    /// Number of inputs, by target.
    pub executions: Vec<(&'static str, u64)>,
    /// Inputs that caused a failure, each with its target.
    pub broken: Vec<(&'static str, String)>,
}

/// Runs every target with so many mutated inputs.
#[must_use]
pub fn fuzz(seed: u64, executions_each: u64, progress: &dyn Fn(&str, u64)) -> Fuzzed {
    let mut fuzzed = Fuzzed { executions: Vec::new(), broken: Vec::new() };
    for target in TARGETS {
        let mut dice = Dice(seed);
        let mut corpus: Vec<Vec<u8>> = (target.seeds)().into_iter().map(String::into_bytes).collect();
        for execution in 0..executions_each {
            let input = mutant(&mut dice, &corpus);
            if catch_unwind(AssertUnwindSafe(|| (target.run)(&input))).is_err() {
                fuzzed.broken.push((target.name, String::from_utf8_lossy(&input).into_owned()));
            }
            // Some mutants become seeds, so that changes add up.
            if execution % 64 == 0 && input.len() < 4_096 {
                if corpus.len() < 512 {
                    corpus.push(input);
                } else {
                    let place = dice.place(corpus.len());
                    corpus[place] = input;
                }
            }
            if execution % 100_000 == 0 {
                progress(target.name, execution);
            }
        }
        fuzzed.executions.push((target.name, executions_each));
    }
    fuzzed
}

fn mutant(dice: &mut Dice, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut input = corpus[dice.place(corpus.len())].clone();
    for _ in 0..=dice.below(4) {
        let at = dice.place(input.len() + 1);
        let length = dice.place((input.len() - at).min(24) + 1);
        match dice.below(7) {
            0 if !input.is_empty() => {
                let at = dice.place(input.len());
                input[at] ^= 1 << dice.below(8);
            }
            1 => drop(input.drain(at..at + length)),
            2 => {
                let copy = input[at..at + length].to_vec();
                input.splice(at..at, copy);
            }
            3 => {
                let other = &corpus[dice.place(corpus.len())];
                let from = dice.place(other.len() + 1);
                let until = from + dice.place((other.len() - from).min(48) + 1);
                input.splice(at..at + length, other[from..until].iter().copied());
            }
            4 => {
                let number = (dice.throw() >> dice.below(64)).to_string();
                input.splice(at..at + length.min(3), number.into_bytes());
            }
            5 => {
                input.insert(at, u8::try_from(dice.below(256)).unwrap_or(0));
            }
            _ => {
                let piece = PIECES[dice.place(PIECES.len())];
                input.splice(at..at + length.min(6), piece.bytes());
            }
        }
    }
    input
}

fn event_seeds() -> Vec<String> {
    let s3 = json!({"Records": [{"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "b"},
        "object": {"key": "raw/clients/2025/01/01/x/page-00001.json"}}}]});
    let batch = json!({"Records": [{"messageId": "m1", "receiptHandle": "r", "body": s3.to_string(),
        "attributes": {"ApproximateReceiveCount": "3"}}]});
    vec![
        s3.to_string(),
        batch.to_string(),
        json!({"Service": "Amazon S3", "Event": "s3:TestEvent"}).to_string(),
        json!({"entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}).to_string(),
        json!({"entity": "all", "mode": "full", "lookback_days": 45}).to_string(),
        json!({"task": "replay", "entity": "clients", "start": "2025-12-01", "end": "2025-12-31"})
            .to_string(),
        json!({"task": "archive", "days": 30}).to_string(),
    ]
}

fn events(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(message::Notification::Objects(objects)) = message::notification(&text) {
        assert!(objects.iter().all(|object| !object.bucket.is_empty()));
    }
    if let Ok(value) = serde_json::from_slice::<Value>(input) {
        if let Ok(messages) = message::batch(&value) {
            for message in messages {
                let _ = message::notification(&message.body);
            }
        }
        if let Err(refused) = SyncRequest::parse(&value, local_day::ZONE) {
            assert!(!refused.to_string().is_empty());
        }
        if let Err(refused) = Task::parse(&value) {
            assert!(refused.to_string().contains("expected"));
        }
    }
}

fn envelope_seeds() -> Vec<String> {
    let metadata = json!({"schema_version": 1, "entity": "pianos", "mode": "full", "run_id": "20250101T000000000Z-00000001",
        "page": 1, "cursor": null, "fetched_at": "2025-01-01T00:00:00Z", "endpoint": "http://127.0.0.1",
        "api_version": "private", "query_sha256": "", "window": null, "record_count": 1, "fetcher_version": "test"});
    let page = |root: &str, nodes: &str| {
        format!(
            r#"{{"metadata":{metadata},"payload":{{"data":{{"{root}":{{"totalCount":1,"pageInfo":{{"hasNextPage":false,"endCursor":"x"}},"nodes":{nodes}}}}}}}}}"#
        )
    };
    vec![
        page("allPianos", r#"[{"id":"ins_1","allPianoMeasurements":[{"id":"m","takenOn":"2025-01-01"}]}]"#),
        page("allClients", r#"[{"id":"cli_1"},null]"#),
        format!(
            r#"{{"metadata":{metadata},"payload":{{"data":{{"allUsers":[{{"id":"u"}}]}},"errors":[{{"message":"x"}}]}}}}"#
        ),
        format!(r#"{{"metadata":{metadata},"payload":{{"data":{{"r0":{{"id":"a"}},"r1":null}}}}}}"#),
    ]
}

fn envelope(input: &[u8]) {
    let _ = serde_json::from_slice::<RawPage<'_>>(input);
    for entity in entity::ALL {
        if let Ok(nodes) = raw_page::nodes_of_page(entity, input) {
            // Whatever is kept is kept to the byte.
            let text = std::str::from_utf8(input).expect("JSON is UTF-8");
            assert!(nodes.own.iter().all(|node| text.contains(node.json)));
        }
    }
    let text = String::from_utf8_lossy(input);
    let _ = protocol::lookup::parse_lookup(&text, &["a".to_owned(), "b".to_owned()]);
}

fn key_seeds() -> Vec<String> {
    [
        "raw/timeline/2026/01/31/20260131T235901000Z-00000009/page-00002.json",
        "runs/users/x.json",
        "state/a/b.json",
        "a+b%2Bc%C3%A9",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn keys(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let _ = object_key::object_kind(&text);
    let body = json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": text}}}]}).to_string();
    let _ = message::notification(&body);
    let folded = fold::fold(&text);
    assert_eq!(fold::fold(&folded), folded, "folding twice is folding once");
    for number in [normalize::phone(&text), normalize::serial_number(&text), normalize::email(&text)]
        .into_iter()
        .flatten()
    {
        assert!(!number.is_empty());
    }
    let _ = (normalize::street(&text), normalize::make(&text), normalize::postal_code(&text));
}

fn record_seeds() -> Vec<String> {
    [
        json!({"id": "tme_1", "occurredAt": "2025-07-02T02:00:00Z", "type": "SERVICE_ENTRY_MANUAL", "comment": "Accord 440Hz, 21C, 39%",
            "client": {"id": "c"}, "user": {"id": null, "firstName": "Ada", "lastName": "Un"}, "piano": {"id": "p"}, "duration": 60}),
        json!({"id": "cli_1", "companyName": "École", "tags": ["a", null], "noContactUntil": "2025-01-01", "localization": {"locale": "fr_CA"},
            "defaultContact": {"firstName": "A", "defaultPhone": {"phoneNumber": "(514) 555-0123 x7"}, "defaultEmail": {"email": " a@example.org"}}}),
        json!({"id": "ins_1", "client": {"id": null, "companyName": "École"}, "make": "Yamaha", "serialNumber": "No 12345", "year": 1965, "damppChaserInstalled": true}),
        json!({"id": "mea_1", "takenOn": "2025-01-01", "temperature": 68, "humidity": 40, "a4Pitch": 440}),
        json!({"id": "usr_1", "firstName": "Zoé", "lastName": "St-Un", "email": "z@example.org", "isSchedulable": true, "createdAt": "2016-05-11T15:09:15-04:00"}),
    ]
    .map(|record| record.to_string())
    .to_vec()
}

/// Returns a valid record some of whose fields are replaced, as chosen by the mutated text.
fn bent_record(input: &[u8]) -> Value {
    let mut dice =
        Dice(input.iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))));
    let seeds = record_seeds();
    let mut record: Value = serde_json::from_str(&seeds[dice.place(seeds.len())]).expect("a record");
    for _ in 0..=dice.below(4) {
        let text = String::from_utf8_lossy(&input[dice.place(input.len() + 1)..]).into_owned();
        let value = match dice.below(8) {
            0 => Value::Null,
            1 => json!(dice.throw().cast_signed()),
            2 => json!(f64::from_bits(dice.throw())),
            3 => json!([text, null, 1]),
            4 => json!({ "id": text, "name": PIECES[dice.place(PIECES.len())] }),
            5 => json!(PIECES[dice.place(PIECES.len())]),
            6 => json!(dice.below(2) == 0),
            _ => json!(text),
        };
        let mut place = &mut record;
        while let Value::Object(fields) = place {
            let name = fields.keys().nth(dice.place(fields.len())).cloned().unwrap_or_default();
            place = fields.entry(name).or_insert(Value::Null);
            if dice.below(3) == 0 {
                break;
            }
        }
        *place = value;
    }
    record
}

fn transforms(input: &[u8]) {
    let raw = serde_json::from_slice::<Value>(input).unwrap_or_else(|_| bent_record(input));
    let record = Record { raw: &raw, parent_id: Some("ins_1") };
    for entity in entity::ALL {
        let Ok(row) = entity.transform(record) else { continue };
        assert_eq!(row.cells.len(), entity.columns.len());
        assert_eq!(entity.transform(record).as_ref(), Ok(&row), "the same record is the same row");
        for asked in model::unresolved::unresolved_references(entity, record, &row) {
            let target = entity::find(asked.target).and_then(|target| target.matching.as_ref());
            let Some(target) = target else { panic!("it asks of one that cannot be matched") };
            let keys = (target.keys)(&asked.profile);
            assert!(keys.iter().all(|key| !key.value.is_empty()));
            let score = (target.score)(&asked.profile, &asked.profile);
            assert!((0.0..=1.0).contains(&score), "{score}");
        }
    }
}

fn note_seeds() -> Vec<String> {
    [
        "Accord 440Hz, 21C, 39%",
        "20°, 33%",
        "68F, 40%",
        "24c. 34%",
        "Température ambiante 23° Celsius, humidité relative 35%",
        "RDV le 24 mai à 20h30, rabais 15%, 140 $",
        "A=442, temp: 21,5 H.R. 40 %",
        "-5 °C ℃ 70℉ 21-23°C",
        "La 4 : 12 cents, C#6, 2024-11-20 21/03",
        "Accord 440 / 21 / 40, T° 20 H 40, 440,21,40",
        "Dehors -5°C, dedans 19, humidité entre 35 et 40 % (42 % la dernière fois), 39 p. cent",
        "Thermostat à 21°C, si -12c, sur la 440 : 20*C ± 2°",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn notes(input: &[u8]) {
    let note = String::from_utf8_lossy(input);
    let mut end = 0;
    for reading in readings(&note) {
        let source = note.get(reading.span.clone()).expect("a span of whole characters");
        assert!(source.bytes().any(|byte| byte.is_ascii_digit()), "{source}");
        assert!(reading.span.start >= end, "in order, none over another");
        assert!(reading.value.is_finite());
        end = reading.span.end;
    }
}
