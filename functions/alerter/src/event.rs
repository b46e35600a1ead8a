//! Events of the alerter: messages of its queue, failed invocations, lines of the functions' logs, tasks.

use std::io::Read as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use i18n::alert as texts;
use protocol::alert::{AlertClass, AlertMessage, Signal, shortened};
use protocol::message;
use serde_json::Value;

/// Functions of the pipeline, as the names of functions and log groups contain them.
const FUNCTIONS: [(&str, &str); 5] = [
    ("Fetcher", "fetcher"),
    ("Stager", "stager"),
    ("Reconciler", "reconciler"),
    ("Health", "health"),
    ("Alerter", "alerter"),
];
/// Upper bound for an unpacked delivery of log lines; CloudWatch sends far less.
const LOG_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Content of an event.
#[derive(Debug, Default, PartialEq)]
pub struct ParsedEvent {
    /// Signals to raise alerts for.
    pub signals: Vec<Signal>,
    /// The event asks for an observation of the pipeline now.
    pub is_observation_due: bool,
    /// Log lines of level ERROR.
    pub errors: Vec<LogError>,
    /// Ids of the SQS messages in the event; empty for any other event.
    pub message_ids: Vec<String>,
    /// Task of a person or of the schedule.
    pub task: Option<Task>,
}

/// Task that a person or the schedule may request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Observe the pipeline.
    Observe,
    /// Send a trial message to every channel.
    Test,
    /// Send yesterday's report again.
    Report,
    /// Put dead letters back now.
    Redrive,
}

/// Log line of level ERROR.
#[derive(Debug, Clone, PartialEq)]
pub struct LogError {
    /// Name of the function.
    pub function: &'static str,
    /// The line's JSON object.
    pub line: Value,
}

/// Error for an event of an unknown form; the text names what is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidEvent(String);

impl std::fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidEvent {}

/// Parses an event. An unreadable message or line does not affect the others.
///
/// # Errors
/// The event has none of the accepted forms.
pub fn parse(payload: &Value, now: DateTime<Utc>) -> Result<ParsedEvent, InvalidEvent> {
    if let Some(data) = payload.pointer("/awslogs/data").and_then(Value::as_str) {
        return parse_logs(data, now);
    }
    if payload.get("Records").is_some() {
        let messages = message::batch(payload).map_err(|bad| InvalidEvent(bad.to_string()))?;
        let mut parsed = ParsedEvent::default();
        for message in messages {
            parse_message(&message.body, &mut parsed, now);
            parsed.message_ids.push(message.id);
        }
        return Ok(parsed);
    }
    let task = match payload.get("task").and_then(Value::as_str) {
        Some("look") => Task::Observe,
        Some("test") => Task::Test,
        Some("report") => Task::Report,
        Some("redrive") => Task::Redrive,
        _ => {
            let accepted = "look, test, report, redrive, an SQS event, an event of CloudWatch Logs";
            return Err(InvalidEvent(format!("`task` is missing or unknown; accepted: {accepted}")));
        }
    };
    Ok(ParsedEvent { task: Some(task), is_observation_due: task != Task::Test, ..ParsedEvent::default() })
}

fn parse_message(body: &str, parsed: &mut ParsedEvent, now: DateTime<Utc>) {
    match serde_json::from_str::<AlertMessage>(body) {
        // A sender's clock may be ahead: no case lies in the future.
        Ok(AlertMessage::Signal(signal)) => {
            let at = signal.at.min(now);
            parsed.is_observation_due |= signal.class == AlertClass::DatabaseUnreachable;
            parsed.signals.push(Signal::new(signal.class, &shortened(&signal.subject), &signal.detail, at));
        }
        Ok(AlertMessage::CheckNow { .. }) => parsed.is_observation_due = true,
        Err(_) => parse_failed_invocation(body, parsed, now),
    }
}

/// Parses a record of Lambda's failure destination, or a request in Scheduler's dead-letter queue (as a rule a fetch);
/// any other text becomes the detail of a signal.
fn parse_failed_invocation(body: &str, parsed: &mut ParsedEvent, now: DateTime<Utc>) {
    let event: Value = serde_json::from_str(body).unwrap_or_default();
    // Log lines whose own delivery to the alerter failed: their content is the signal.
    if let Some(data) = event.pointer("/requestPayload/awslogs/data").and_then(Value::as_str)
        && let Ok(lines) = parse_logs(data, now)
    {
        parsed.signals.extend(lines.signals);
        parsed.errors.extend(lines.errors);
        return;
    }
    let detail = match event.pointer("/requestContext/condition").and_then(Value::as_str) {
        Some(condition) => {
            let request = event.get("requestPayload").map(ToString::to_string).unwrap_or_default();
            let reason =
                event.pointer("/responsePayload/errorMessage").and_then(Value::as_str).unwrap_or_default();
            texts::invocation_failed(condition, &request, reason)
        }
        None => texts::request_undelivered(body),
    };
    let arn = event.pointer("/requestContext/functionArn").and_then(Value::as_str).unwrap_or_default();
    // Scheduler's dead-letter queue holds the request without an envelope.
    let of_task = match event.get("task").and_then(Value::as_str) {
        Some("look") => "alerter",
        Some(_) => "stager",
        None => "fetcher",
    };
    parsed.signals.push(Signal::new(
        AlertClass::FunctionFailed,
        function_of(arn).unwrap_or(of_task),
        &detail,
        now,
    ));
}

/// Returns the function named in an ARN or in a log group's name.
fn function_of(text: &str) -> Option<&'static str> {
    let is_named =
        |name: &str| ["Function", "LogGroup"].iter().any(|kind| text.contains(&format!("{name}{kind}")));
    FUNCTIONS.iter().find(|(name, _)| is_named(name)).map(|(_, function)| *function)
}

fn parse_logs(data: &str, now: DateTime<Utc>) -> Result<ParsedEvent, InvalidEvent> {
    let bad = |what: &str| {
        InvalidEvent(format!("`awslogs.data` {what}; accepted: gzip in Base64, as CloudWatch Logs sends it"))
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
    let mut parsed = ParsedEvent::default();
    for event in delivery.get("logEvents").and_then(Value::as_array).into_iter().flatten() {
        let message = event.get("message").and_then(Value::as_str).unwrap_or_default();
        let Ok(line) = serde_json::from_str::<Value>(message) else { continue };
        if line.get("level").and_then(Value::as_str) == Some("ERROR") {
            parsed.errors.push(LogError { function, line });
        } else if let Some(signal) = parse_platform_report(function, &line, now) {
            parsed.signals.push(signal);
        }
    }
    Ok(parsed)
}

/// Parses the platform's report of an invocation; none for a success.
fn parse_platform_report(function: &str, line: &Value, now: DateTime<Utc>) -> Option<Signal> {
    if line.get("type").and_then(Value::as_str) != Some("platform.report") {
        return None;
    }
    let text = |path| line.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (status, kind) = (text("/record/status"), text("/record/errorType"));
    if matches!(status, "success" | "") {
        return None;
    }
    let at = line.get("time").and_then(Value::as_str).and_then(|time| time.parse().ok()).unwrap_or(now);
    let detail = texts::platform_failure(status, kind, text("/record/requestId"));
    Some(Signal::new(AlertClass::FunctionFailed, function, &detail, at.min(now)))
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
            ("failure", "Sandbox.Failure", Some("erreur (failure Sandbox.Failure),")),
            // A function's own error is named by a Rust type, which is nobody's language.
            ("error", "&alloc::boxed::Box<dyn core::error::Error>", Some("erreur (error),")),
            ("success", "", None),
        ] {
            let parsed = parse(&logs("a-StagerLogGroup-X", &[report(status, kind)]), now).unwrap_or_default();
            let said = parsed.signals.first().map(|signal| (signal.subject.as_str(), signal.detail.as_str()));
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
        let parsed = parse(&logs("x-FetcherLogGroup-1", &lines), Utc::now()).unwrap_or_default();
        assert_eq!((parsed.errors.len(), parsed.signals.len()), (1, 0));
        assert_eq!(parsed.errors.first().map(|error| error.function), Some("fetcher"));
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
        let parsed = parse(&json!({ "Records": records }), now).unwrap_or_default();
        assert!(parsed.is_observation_due);
        let details: Vec<&str> = parsed.signals.iter().map(|signal| signal.detail.as_str()).collect();
        assert!(details[0].contains("RetriesExhausted") && details[0].contains("\"all\""), "{details:?}");
        let subjects: Vec<&str> = parsed.signals.iter().map(|signal| signal.subject.as_str()).collect();
        assert_eq!(subjects[..2], ["stager", "fetcher"], "a fetch, where nothing says which function it was");
        assert_eq!(details[1], "Demande non livrée : nonsense");
        assert_eq!(
            (parsed.signals[2].class, parsed.signals[2].at),
            (AlertClass::SyncFailed, now),
            "no future"
        );
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
            let parsed = parse(&event, Utc::now()).unwrap_or_default();
            let subjects: Vec<&str> = parsed.signals.iter().map(|signal| signal.subject.as_str()).collect();
            assert_eq!(subjects, [subject], "{body}");
        }
    }

    #[test]
    fn invalid_event_names_what_is_accepted() {
        for event in
            [json!({}), json!({"task": 7}), json!({"task": "dance"}), json!([]), json!({"Records": 1})]
        {
            let said =
                parse(&event, Utc::now()).map_or_else(|bad| bad.to_string(), |parsed| format!("{parsed:?}"));
            assert!(said.contains("accepted: "), "{event} → {said}");
        }
        for data in ["???", "AAAA"] {
            let said = parse(&json!({"awslogs": {"data": data}}), Utc::now());
            assert!(said.is_err_and(|bad| bad.to_string().contains("`awslogs.data`")), "{data}");
        }
    }
}
