//! What may reach the alerter: its queue, what Lambda says of failed fetches, lines of the functions' logs, a task.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use protocol::alert::{Class, Ping, Signal, shortened};
use protocol::message;
use serde_json::Value;

/// The parts of the pipeline whose logs are read, as they stand in the names of functions and log groups.
const FUNCTIONS: [(&str, &str); 5] = [
    ("Fetcher", "fetcher"),
    ("Stager", "stager"),
    ("Reconciler", "reconciler"),
    ("Health", "health"),
    ("Alerter", "alerter"),
];
/// A delivery of log lines takes at most so much when unpacked: CloudWatch itself sends far less.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What an event asks for.
#[derive(Debug, Default, PartialEq)]
pub struct Wish {
    /// What goes wrong.
    pub signals: Vec<Signal>,
    /// Whether to look at the pipeline now.
    pub is_look: bool,
    /// Lines of the logs that tell an error.
    pub errors: Vec<LogError>,
    /// The messages that the event holds; empty where it is none of a queue.
    pub message_ids: Vec<String>,
    /// What a person or the schedule asks for.
    pub task: Option<Task>,
}

/// What a person or the schedule may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// A look at the pipeline.
    Look,
    /// A trial message on every way.
    Test,
    /// Yesterday's report, once more.
    Report,
    /// Dead letters put back now.
    Redrive,
}

/// A line of a function's log that tells an error.
#[derive(Debug, Clone, PartialEq)]
pub struct LogError {
    /// The function.
    pub function: &'static str,
    /// The line.
    pub line: Value,
}

/// Why an event is refused: what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEvent(String);

impl std::fmt::Display for BadEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadEvent {}

/// Reads an event. A message or a line that nobody can read costs its neighbours nothing.
///
/// # Errors
/// The event is none of those that are accepted.
pub fn read(payload: &Value, now: DateTime<Utc>) -> Result<Wish, BadEvent> {
    if let Some(data) = payload.pointer("/awslogs/data").and_then(Value::as_str) {
        return of_logs(data, now);
    }
    if payload.get("Records").is_some() {
        let messages = message::batch(payload).map_err(|bad| BadEvent(bad.to_string()))?;
        let mut wish = Wish::default();
        for message in messages {
            of_message(&message.body, &mut wish, now);
            wish.message_ids.push(message.id);
        }
        return Ok(wish);
    }
    let task = match payload.get("task").and_then(Value::as_str) {
        Some("look") => Task::Look,
        Some("test") => Task::Test,
        Some("report") => Task::Report,
        Some("redrive") => Task::Redrive,
        _ => {
            let accepted = "look, test, report, redrive, an SQS event, an event of CloudWatch Logs";
            return Err(BadEvent(format!("`task` is missing or unknown; accepted: {accepted}")));
        }
    };
    Ok(Wish { task: Some(task), is_look: task != Task::Test, ..Wish::default() })
}

fn of_message(body: &str, wish: &mut Wish, now: DateTime<Utc>) {
    match serde_json::from_str::<Ping>(body) {
        // The sender's clock may be wrong: nothing happened in the future.
        Ok(Ping::Signal(signal)) => {
            let at = signal.at.min(now);
            wish.is_look |= signal.class == Class::DatabaseUnreachable;
            wish.signals.push(Signal::new(signal.class, &shortened(&signal.subject), &signal.detail, at));
        }
        Ok(Ping::Look { .. }) => wish.is_look = true,
        Err(_) => of_failure(body, wish, now),
    }
}

/// What Lambda's destination says of an invocation that failed, or Scheduler's dead-letter queue of one that was not
/// delivered, which is a fetch as a rule; anything else is shown as it is.
fn of_failure(body: &str, wish: &mut Wish, now: DateTime<Utc>) {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    // Log lines that we could not take ourselves: what they say is the news.
    if let Some(data) = event.pointer("/requestPayload/awslogs/data").and_then(Value::as_str)
        && let Ok(lines) = of_logs(data, now)
    {
        wish.signals.extend(lines.signals);
        wish.errors.extend(lines.errors);
        return;
    }
    let detail = match event.pointer("/requestContext/condition").and_then(Value::as_str) {
        Some(condition) => {
            let request = event.get("requestPayload").map(ToString::to_string).unwrap_or_default();
            let reason =
                event.pointer("/responsePayload/errorMessage").and_then(Value::as_str).unwrap_or_default();
            format!("{condition} ; demande : {request} ; {reason}")
        }
        None => format!("Demande non livrée : {body}"),
    };
    let arn = event.pointer("/requestContext/functionArn").and_then(Value::as_str).unwrap_or_default();
    // What Scheduler could not deliver comes as it is.
    let of_task = match event.get("task").and_then(Value::as_str) {
        Some("look") => "alerter",
        Some(_) => "stager",
        None => "fetcher",
    };
    wish.signals.push(Signal::new(Class::FunctionFailed, function_of(arn).unwrap_or(of_task), &detail, now));
}

/// The function whose name stands in an ARN or in a log group's name.
fn function_of(text: &str) -> Option<&'static str> {
    let is_named =
        |name: &str| ["Function", "LogGroup"].iter().any(|kind| text.contains(&format!("{name}{kind}")));
    FUNCTIONS.iter().find(|(name, _)| is_named(name)).map(|(_, function)| *function)
}

fn of_logs(data: &str, now: DateTime<Utc>) -> Result<Wish, BadEvent> {
    let bad = |what: &str| {
        BadEvent(format!("`awslogs.data` {what}; accepted: gzip in Base64, as CloudWatch Logs sends it"))
    };
    let packed = STANDARD.decode(data).map_err(|_| bad("is no Base64"))?;
    let mut text = String::new();
    GzDecoder::new(packed.as_slice())
        .take(LOG_BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(|_| bad("cannot be unpacked"))?;
    let delivery: Value = serde_json::from_str(&text).map_err(|_| bad("holds no JSON"))?;
    let group = delivery.get("logGroup").and_then(Value::as_str).unwrap_or_default();
    let function = function_of(group).unwrap_or("?");
    let mut wish = Wish::default();
    for event in delivery.get("logEvents").and_then(Value::as_array).into_iter().flatten() {
        let message = event.get("message").and_then(Value::as_str).unwrap_or_default();
        let Ok(line) = serde_json::from_str::<Value>(message) else { continue };
        if line.get("level").and_then(Value::as_str) == Some("ERROR") {
            wish.errors.push(LogError { function, line });
        } else if let Some(signal) = of_platform(function, &line, now) {
            wish.signals.push(signal);
        }
    }
    Ok(wish)
}

/// What the platform says of an invocation that did not end well.
fn of_platform(function: &str, line: &Value, now: DateTime<Utc>) -> Option<Signal> {
    if line.get("type").and_then(Value::as_str) != Some("platform.report") {
        return None;
    }
    let text = |path| line.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (status, kind) = (text("/record/status"), text("/record/errorType"));
    let what = match (status, kind) {
        ("success" | "", _) => return None,
        ("timeout", _) => "délai dépassé",
        (_, kind) if kind.contains("OutOfMemory") => "mémoire épuisée",
        (_, kind) if kind.contains("ExitError") || kind.contains("ExitCode") => "arrêt brutal",
        _ => "erreur",
    };
    let at = line.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok()).unwrap_or(now);
    let detail = format!("{what} ({status} {kind}), requête {}", text("/record/requestId"));
    Some(Signal::new(Class::FunctionFailed, function, &detail, at.min(now)))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use serde_json::json;

    use super::*;

    fn logs(group: &str, lines: &[Value]) -> Value {
        let events: Vec<Value> = lines.iter().map(|line| json!({ "message": line.to_string() })).collect();
        let delivery = json!({ "logGroup": group, "logEvents": events }).to_string();
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        let _ = packed.write_all(delivery.as_bytes());
        json!({ "awslogs": { "data": STANDARD.encode(packed.finish().unwrap_or_default()) } })
    }

    fn report(status: &str, kind: &str) -> Value {
        json!({"time": "2026-01-15T12:00:00.000Z", "type": "platform.report",
            "record": {"requestId": "r1", "status": status, "errorType": kind}})
    }

    #[test]
    fn platform_reports_are_classified() {
        let now = Utc::now();
        for (status, kind, expected) in [
            ("timeout", "", Some("délai dépassé")),
            ("error", "Runtime.OutOfMemory", Some("mémoire épuisée")),
            ("error", "Runtime.ExitError", Some("arrêt brutal")),
            ("failure", "Sandbox.Failure", Some("erreur")),
            ("success", "", None),
        ] {
            let wish = read(&logs("a-StagerLogGroup-X", &[report(status, kind)]), now).unwrap_or_default();
            let said = wish.signals.first().map(|signal| (signal.subject.as_str(), signal.detail.as_str()));
            match expected {
                Some(words) => {
                    assert!(
                        said.is_some_and(|(of, detail)| of == "stager" && detail.starts_with(words)),
                        "{said:?}"
                    );
                }
                None => assert_eq!(said, None),
            }
        }
    }

    #[test]
    fn error_lines_are_kept_and_invalid_json_ignored() {
        let lines = [json!("no object"), json!({"level": "ERROR", "message": "x"}), json!({"level": "INFO"})];
        let wish = read(&logs("x-FetcherLogGroup-1", &lines), Utc::now()).unwrap_or_default();
        assert_eq!((wish.errors.len(), wish.signals.len()), (1, 0));
        assert_eq!(wish.errors.first().map(|error| error.function), Some("fetcher"));
    }

    #[test]
    fn unreadable_message_is_an_alert_itself() {
        let now = Utc::now();
        let bodies = [
            "{\"look\":\"stager\"}".to_owned(),
            json!({
                "requestContext": {
                    "condition": "RetriesExhausted",
                    "functionArn": "arn:aws:lambda:ca-central-1:1:function:x-StagerFunction-1:$LATEST",
                },
                "requestPayload": {"entity": "all"},
            })
            .to_string(),
            "nonsense".to_owned(),
            json!({"class": "sync_failed", "subject": "clients", "detail": "x", "at": "2999-01-01T00:00:00Z"}).to_string(),
        ];
        let records: Vec<Value> = bodies.iter().map(|body| json!({"messageId": "m", "body": body})).collect();
        let wish = read(&json!({ "Records": records }), now).unwrap_or_default();
        assert!(wish.is_look);
        let details: Vec<&str> = wish.signals.iter().map(|signal| signal.detail.as_str()).collect();
        assert!(details[0].contains("RetriesExhausted") && details[0].contains("\"all\""), "{details:?}");
        let subjects: Vec<&str> = wish.signals.iter().map(|signal| signal.subject.as_str()).collect();
        assert_eq!(subjects[..2], ["stager", "fetcher"], "a fetch, where nothing says which function it was");
        assert_eq!(details[1], "Demande non livrée : nonsense");
        assert_eq!((wish.signals[2].class, wish.signals[2].at), (Class::SyncFailed, now), "no future");
    }

    #[test]
    fn lost_event_names_its_function() {
        let crash = json!({"type": "platform.report", "record": {"status": "timeout", "requestId": "r"}});
        let lost = json!({
            "requestContext": {"condition": "RetriesExhausted", "functionArn": "x-AlerterFunction-1"},
            "requestPayload": logs("x-StagerLogGroup-1", &[crash]),
        });
        for (body, subject) in
            [(lost, "stager"), (json!({"task": "look"}), "alerter"), (json!({"task": "audit"}), "stager")]
        {
            let event = json!({"Records": [{"messageId": "m", "body": body.to_string()}]});
            let wish = read(&event, Utc::now()).unwrap_or_default();
            let subjects: Vec<&str> = wish.signals.iter().map(|signal| signal.subject.as_str()).collect();
            assert_eq!(subjects, [subject], "{body}");
        }
    }

    #[test]
    fn invalid_event_names_what_is_accepted() {
        for event in
            [json!({}), json!({"task": 7}), json!({"task": "dance"}), json!([]), json!({"Records": 1})]
        {
            let said =
                read(&event, Utc::now()).map_or_else(|bad| bad.to_string(), |wish| format!("{wish:?}"));
            assert!(said.contains("accepted: "), "{event} → {said}");
        }
        for data in ["???", "AAAA"] {
            let said = read(&json!({"awslogs": {"data": data}}), Utc::now());
            assert!(said.is_err_and(|bad| bad.to_string().contains("`awslogs.data`")), "{data}");
        }
    }
}
