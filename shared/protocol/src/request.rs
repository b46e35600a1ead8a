//! What the fetcher may be asked: `{"entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}`.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use model::entity::{self, Absence, Entity};
use model::row::is_usable_id;
use model::window::Window;

/// A look-back longer than this is a full run under another name.
const LOOKBACK_DAYS_MAX: u32 = 3_660;

/// A valid request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// What to fetch, in the registry's order.
    pub target: Target,
    /// How.
    pub mode: Mode,
}

/// Which entities a request names.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Every entity that has a query.
    All,
    /// One.
    One(&'static Entity),
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::All, Self::All) => true,
            (Self::One(this), Self::One(that)) => this.name == that.name,
            _ => false,
        }
    }
}

impl Eq for Target {}

/// How far a run reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// What may have changed since the last run; `lookback_days` overrides the configured reach.
    Incremental {
        /// Days before the watermark from which to fetch again.
        lookback_days: Option<u32>,
    },
    /// Everything.
    Full,
    /// A period named by a person.
    Repair(Window),
    /// Single records, asked for by id: whether they are still there, and what they hold.
    Verify {
        /// Their ids.
        ids: Vec<String>,
    },
}

impl Mode {
    /// The name in envelopes, manifests and `sync_status`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Incremental { .. } => "incremental",
            Self::Full => "full",
            Self::Repair(_) => "repair",
            Self::Verify { .. } => "verify",
        }
    }

    /// The lane: runs of one lane follow each other, runs of different lanes go on side by side, so that
    /// a long one never delays the frequent ones.
    #[must_use]
    pub const fn lane(&self) -> &'static str {
        match self {
            Self::Incremental { lookback_days: Some(_) } => "lookback",
            _ => self.name(),
        }
    }

    /// Every lane but the one of the frequent runs.
    pub const BACKGROUND_LANES: [&'static str; 4] = ["lookback", "full", "repair", "verify"];
}

/// Why a request is refused: the field and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}; accepted: {accepted}")]
pub struct BadRequest {
    /// The field at fault.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be right.
    pub accepted: String,
}

impl SyncRequest {
    /// Reads a request. `zone` is the one whose days `start` and `end` name.
    ///
    /// # Errors
    /// The first field that is unknown, ill-typed, out of range or in contradiction to another.
    pub fn parse(payload: &Value, zone: Tz) -> Result<Self, BadRequest> {
        const FIELDS: [&str; 6] = ["entity", "mode", "start", "end", "lookback_days", "ids"];
        let fields = payload.as_object().ok_or_else(|| {
            bad("payload", "it is no JSON object", r#"an object such as {"entity": "timeline"}"#)
        })?;
        if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(bad(unknown, "the field is unknown", &FIELDS.join(", ")));
        }
        if fields.get("mode").and_then(Value::as_str) == Some("verify") {
            return verify(fields);
        }
        if fields.get("ids").is_some_and(|ids| !ids.is_null()) {
            return Err(bad("ids", "only a run in mode verify asks by id", "mode verify, or no ids"));
        }
        let target = target(fields)?;
        let mode = mode(fields, target, zone)?;
        Ok(Self { target, mode })
    }

    /// The payload that [`Self::parse`] reads as a request to ask for these records by id.
    #[must_use]
    pub fn verify_payload(entity: &Entity, ids: &[String]) -> Value {
        json!({ "entity": entity.name, "mode": "verify", "ids": ids })
    }

    /// The payload that [`Self::parse`] reads as a request to fetch everything.
    #[must_use]
    pub fn full_payload(entity: &Entity) -> Value {
        json!({ "entity": entity.name, "mode": "full" })
    }

    /// The entities to fetch.
    #[must_use]
    pub fn entities(&self) -> Vec<&'static Entity> {
        match self.target {
            Target::All => entity::fetched().collect(),
            Target::One(entity) => vec![entity],
        }
    }
}

fn target(fields: &Map<String, Value>) -> Result<Target, BadRequest> {
    let accepted = || format!("all, {}", entity::fetched_names());
    let name =
        text(fields, "entity", &accepted())?.ok_or_else(|| bad("entity", "it is missing", &accepted()))?;
    if name == "all" {
        return Ok(Target::All);
    }
    match entity::find(name) {
        Some(entity) => match &entity.source {
            entity::Source::Query(_) => Ok(Target::One(entity)),
            entity::Source::Nested { parent, .. } => {
                Err(bad("entity", &format!("{name} come inside {parent}"), &accepted()))
            }
        },
        None => Err(bad("entity", "this entity is unknown", &accepted())),
    }
}

/// Asked for in one request at most: a message of a queue must hold them.
pub const IDS_MAX: usize = 500;

fn verify(fields: &Map<String, Value>) -> Result<SyncRequest, BadRequest> {
    let askable = |entity: &&Entity| matches!(entity.absence, Absence::AskedFor { .. });
    let accepted =
        || entity::ALL.into_iter().filter(askable).map(|entity| entity.name).collect::<Vec<_>>().join(", ");
    if let Some(field) = ["start", "end", "lookback_days"]
        .into_iter()
        .find(|field| fields.get(*field).is_some_and(|value| !value.is_null()))
    {
        return Err(bad(field, "a run in mode verify asks for ids alone", "entity, mode, ids"));
    }
    let name = text(fields, "entity", &accepted())?.unwrap_or_default();
    let entity = entity::find(name)
        .filter(askable)
        .ok_or_else(|| bad("entity", "its records cannot be asked for by id", &accepted()))?;
    let ids: Option<Vec<String>> = fields.get("ids").and_then(Value::as_array).and_then(|ids| {
        ids.iter().map(|id| id.as_str().filter(|id| is_usable_id(id)).map(str::to_owned)).collect()
    });
    let ids = ids
        .filter(|ids| (1..=IDS_MAX).contains(&ids.len()))
        .ok_or_else(|| bad("ids", "it is no list of ids", &format!("1 to {IDS_MAX} ids")))?;
    Ok(SyncRequest { target: Target::One(entity), mode: Mode::Verify { ids } })
}

fn mode(fields: &Map<String, Value>, target: Target, zone: Tz) -> Result<Mode, BadRequest> {
    const MODES: &str = "incremental, full, repair, verify";
    let name = text(fields, "mode", MODES)?;
    let (start, end) = (day(fields, "start")?, day(fields, "end")?);
    let lookback_days = lookback_days(fields)?;
    let no_dates = |mode: &str| match (start, end) {
        (None, None) => Ok(()),
        (Some(_), _) => {
            Err(bad("start", &format!("a run in mode {mode} has no dates"), "mode repair, or no start"))
        }
        (None, _) => Err(bad("end", &format!("a run in mode {mode} has no dates"), "mode repair, or no end")),
    };
    let no_lookback = |mode: &str| match lookback_days {
        None => Ok(()),
        Some(_) => {
            Err(bad("lookback_days", &format!("a run in mode {mode} does not look back"), "mode incremental"))
        }
    };
    match (name, start) {
        (Some("incremental"), _) | (None, None) => {
            no_dates("incremental")?;
            Ok(Mode::Incremental { lookback_days })
        }
        (Some("full"), _) => {
            no_dates("full")?;
            no_lookback("full")?;
            Ok(Mode::Full)
        }
        (Some("repair") | None, _) => {
            no_lookback("repair")?;
            repair(target, start, end, zone).map(Mode::Repair)
        }
        (Some(other), _) => Err(bad("mode", &format!("{other:?} is unknown"), MODES)),
    }
}

fn repair(
    target: Target,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    zone: Tz,
) -> Result<Window, BadRequest> {
    const DAYS: &str = "a day such as 2025-12-01";
    let windowed = match target {
        Target::All => false,
        Target::One(entity) => entity.time_filter().is_some(),
    };
    if !windowed {
        let names: Vec<_> = entity::fetched()
            .filter(|entity| entity.time_filter().is_some())
            .map(|entity| entity.name)
            .collect();
        return Err(bad(
            "entity",
            "it cannot be fetched by period, only whole",
            &format!("{} with start and end; others with mode incremental or full", names.join(", ")),
        ));
    }
    let start = start.ok_or_else(|| bad("start", "it is missing", DAYS))?;
    let end = end.ok_or_else(|| bad("end", "it is missing", DAYS))?;
    if end < start {
        return Err(bad("end", "it lies before start", "the day of start or a later one"));
    }
    Window::of_days(start, end, zone).ok_or_else(|| bad("end", "it is out of range", DAYS))
}

fn lookback_days(fields: &Map<String, Value>) -> Result<Option<u32>, BadRequest> {
    let Some(value) = fields.get("lookback_days").filter(|value| !value.is_null()) else { return Ok(None) };
    value
        .as_u64()
        .and_then(|days| u32::try_from(days).ok())
        .filter(|days| *days <= LOOKBACK_DAYS_MAX)
        .map(Some)
        .ok_or_else(|| {
            let accepted = format!("a whole number of days from 0 to {LOOKBACK_DAYS_MAX}");
            bad("lookback_days", "it is no such number", &accepted)
        })
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &str,
    accepted: &str,
) -> Result<Option<&'a str>, BadRequest> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(field, "it is no text", accepted)),
    }
}

fn day(fields: &Map<String, Value>, field: &str) -> Result<Option<NaiveDate>, BadRequest> {
    const DAYS: &str = "a day such as 2025-12-01";
    text(fields, field, DAYS)?
        .map(|text| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .filter(|day| text.len() == 10 && (1970..=9000).contains(&chrono::Datelike::year(day)))
                .ok_or_else(|| bad(field, "it is no day", DAYS))
        })
        .transpose()
}

fn bad(field: &str, problem: &str, accepted: &str) -> BadRequest {
    // A hostile field name must not flood the log.
    let field = field.chars().take(40).collect();
    BadRequest { field, problem: problem.chars().take(120).collect(), accepted: accepted.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use model::local_day;

    fn refused(payload: &Value) -> String {
        SyncRequest::parse(payload, local_day::ZONE)
            .map_or_else(|bad| bad.to_string(), |ok| format!("{ok:?}"))
    }

    #[test]
    fn a_bad_request_names_the_field_and_what_is_accepted() {
        for (payload, field, accepted) in [
            (json!([]), "`payload`", "an object"),
            (json!({}), "`entity`", "all, users, clients, pianos, timeline"),
            (json!({"entity": "invoces"}), "`entity`", "all, users"),
            (json!({"entity": 4}), "`entity`", "all, users"),
            (json!({"entity": "measurements"}), "`entity`: measurements come inside pianos", "all"),
            (json!({"entity": "users", "since": 1}), "`since`", "entity, mode, start, end"),
            (json!({"entity": "users", "mode": "fast"}), "`mode`", "incremental, full, repair"),
            (
                json!({"entity": "timeline", "start": "2025-12-31", "end": "2025-12-01"}),
                "`end`",
                "a later one",
            ),
            (json!({"entity": "timeline", "start": "2025-12-01"}), "`end`", "a day"),
            (json!({"entity": "timeline", "end": "2025-12-01"}), "`end`", "mode repair"),
            (json!({"entity": "timeline", "mode": "full", "start": "2025-12-01"}), "`start`", "mode repair"),
            (json!({"entity": "timeline", "start": "1/12/2025", "end": "2025-12-01"}), "`start`", "a day"),
            (
                json!({"entity": "clients", "start": "2025-12-01", "end": "2025-12-01"}),
                "`entity`",
                "timeline",
            ),
            (json!({"entity": "timeline", "lookback_days": -1}), "`lookback_days`", "0 to"),
            (json!({"entity": "clients", "mode": "verify"}), "`ids`", "1 to 500 ids"),
            (json!({"entity": "clients", "mode": "verify", "ids": ["a", ""]}), "`ids`", "1 to 500 ids"),
            (json!({"entity": "timeline", "mode": "verify", "ids": ["a"]}), "`entity`", "clients, pianos"),
            (json!({"entity": "all", "mode": "verify", "ids": ["a"]}), "`entity`", "clients, pianos"),
            (json!({"entity": "clients", "ids": ["a"]}), "`ids`", "mode verify"),
            (
                json!({"entity": "timeline", "mode": "full", "lookback_days": 1}),
                "`lookback_days`",
                "incremental",
            ),
        ] {
            let message = refused(&payload);
            assert!(message.contains(field) && message.contains(accepted), "{payload} → {message}");
        }
    }

    #[test]
    fn a_repair_takes_whole_local_days_both_inclusive() {
        let payload = json!({"entity": "timeline", "start": "2025-11-01", "end": "2025-11-02"});
        let window = match SyncRequest::parse(&payload, local_day::ZONE).map(|request| request.mode) {
            Ok(Mode::Repair(window)) => {
                Some((window.start.to_rfc3339(), window.end.map(|end| end.to_rfc3339())))
            }
            _ => None,
        };
        let expected = ("2025-11-01T04:00:00+00:00".to_owned(), Some("2025-11-03T05:00:00+00:00".to_owned()));
        assert_eq!(window, Some(expected));
    }

    #[test]
    fn what_a_function_asks_of_the_fetcher_is_a_request_that_it_reads() {
        for entity in entity::ALL {
            if matches!(entity.absence, Absence::AskedFor { .. }) {
                let payload = SyncRequest::verify_payload(entity, &["x".to_owned()]);
                let mode = SyncRequest::parse(&payload, local_day::ZONE).map(|request| request.mode);
                assert_eq!(mode, Ok(Mode::Verify { ids: vec!["x".to_owned()] }), "{}", entity.name);
            }
        }
        for entity in entity::fetched() {
            let mode = SyncRequest::parse(&SyncRequest::full_payload(entity), local_day::ZONE);
            assert_eq!(mode.map(|request| request.mode), Ok(Mode::Full), "{}", entity.name);
        }
    }

    #[test]
    fn without_a_mode_a_run_is_incremental() {
        let request = SyncRequest::parse(&json!({"entity": "all"}), local_day::ZONE);
        let expected = SyncRequest { target: Target::All, mode: Mode::Incremental { lookback_days: None } };
        assert_eq!(request, Ok(expected));
    }
}
