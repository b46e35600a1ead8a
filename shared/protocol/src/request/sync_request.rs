//! Sync requests: the entities to fetch and the mode, parsed from a JSON payload.

use chrono::NaiveDate;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

use model::entity::{self, DeletionPolicy, Entity};
use model::row::is_usable_id;
use model::window::Window;

use super::mode::{Mode, ModeName};

/// Upper bound for a look-back; a longer one is a full run under another name.
const LOOKBACK_DAYS_MAX: u32 = 3_660;

/// Valid request to the fetcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// Entities to fetch, in the order of the registry.
    pub target: Target,
    /// Mode of the runs.
    pub mode: Mode,
}

/// Entities that a request names.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Every entity that has a query of its own.
    All,
    /// Entity named by the request.
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

/// Error for a request that is refused; names the field and the accepted values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: {problem}; accepted: {accepted}")]
pub struct InvalidRequest {
    /// Name of the invalid field.
    pub field: String,
    /// Problem with the field.
    pub problem: String,
    /// Description of the accepted values.
    pub accepted: String,
}

impl SyncRequest {
    /// Parses a request. `start` and `end` are days in `zone`.
    ///
    /// # Errors
    /// Names the first field that is unknown, of the wrong type, out of range or in contradiction to another.
    pub fn parse(payload: &Value, zone: Tz) -> Result<Self, InvalidRequest> {
        const FIELDS: [&str; 6] = ["entity", "mode", "start", "end", "lookback_days", "ids"];
        let fields = payload.as_object().ok_or_else(|| {
            invalid("payload", "not a JSON object", r#"an object such as {"entity": "timeline"}"#)
        })?;
        if let Some(unknown) = fields.keys().find(|field| !FIELDS.contains(&field.as_str())) {
            return Err(invalid(unknown, "unknown field", &FIELDS.join(", ")));
        }
        if fields.get("mode").and_then(Value::as_str).and_then(ModeName::parse) == Some(ModeName::Verify) {
            return parse_verify(fields);
        }
        if fields.get("ids").is_some_and(|ids| !ids.is_null()) {
            return Err(invalid("ids", "only mode verify takes ids", "mode verify, or no ids"));
        }
        let target = parse_target(fields)?;
        let mode = parse_mode(fields, target, zone)?;
        Ok(Self { target, mode })
    }

    /// Returns the payload of a request to look these records up by id.
    #[must_use]
    pub fn verify_payload(entity: &Entity, ids: &[String]) -> Value {
        json!({ "entity": entity.name, "mode": ModeName::Verify, "ids": ids })
    }

    /// Returns the payload of a request to fetch every record of an entity.
    #[must_use]
    pub fn full_payload(entity: &Entity) -> Value {
        json!({ "entity": entity.name, "mode": ModeName::Full })
    }

    /// Returns the entities to fetch, in the order of the registry.
    #[must_use]
    pub fn entities(&self) -> Vec<&'static Entity> {
        match self.target {
            Target::All => entity::fetched().collect(),
            Target::One(entity) => vec![entity],
        }
    }
}

fn parse_target(fields: &Map<String, Value>) -> Result<Target, InvalidRequest> {
    let accepted = || format!("all, {}", entity::fetched_names());
    let name =
        text(fields, "entity", &accepted())?.ok_or_else(|| invalid("entity", "missing", &accepted()))?;
    if name == "all" {
        return Ok(Target::All);
    }
    match entity::find(name) {
        Some(entity) => match &entity.source {
            entity::Source::Query(_) => Ok(Target::One(entity)),
            entity::Source::Nested { parent, .. } => {
                Err(invalid("entity", &format!("{name} are nested in {parent}"), &accepted()))
            }
        },
        None => Err(invalid("entity", "unknown entity", &accepted())),
    }
}

/// Upper bound for the ids of one request, which must fit into a message of a queue.
pub const IDS_MAX: usize = 500;

fn parse_verify(fields: &Map<String, Value>) -> Result<SyncRequest, InvalidRequest> {
    let has_lookup = |entity: &&Entity| matches!(entity.deletion_policy, DeletionPolicy::LookupById { .. });
    let accepted = || {
        entity::ALL.into_iter().filter(has_lookup).map(|entity| entity.name).collect::<Vec<_>>().join(", ")
    };
    if let Some(field) = ["start", "end", "lookback_days"]
        .into_iter()
        .find(|field| fields.get(*field).is_some_and(|value| !value.is_null()))
    {
        return Err(invalid(field, "mode verify takes ids only", "entity, mode, ids"));
    }
    let name = text(fields, "entity", &accepted())?.unwrap_or_default();
    let entity = entity::find(name)
        .filter(has_lookup)
        .ok_or_else(|| invalid("entity", "its records cannot be looked up by id", &accepted()))?;
    let ids: Option<Vec<String>> = fields.get("ids").and_then(Value::as_array).and_then(|ids| {
        ids.iter().map(|id| id.as_str().filter(|id| is_usable_id(id)).map(str::to_owned)).collect()
    });
    let ids = ids
        .filter(|ids| (1..=IDS_MAX).contains(&ids.len()))
        .ok_or_else(|| invalid("ids", "not a list of ids", &format!("1 to {IDS_MAX} ids")))?;
    Ok(SyncRequest { target: Target::One(entity), mode: Mode::Verify { ids } })
}

fn parse_mode(fields: &Map<String, Value>, target: Target, zone: Tz) -> Result<Mode, InvalidRequest> {
    const MODES: &str = "incremental, full, repair, verify";
    let name = text(fields, "mode", MODES)?;
    let (start, end) = (day(fields, "start")?, day(fields, "end")?);
    let lookback_days = lookback_days(fields)?;
    let no_dates = |mode: ModeName| match (start, end) {
        (None, None) => Ok(()),
        (Some(_), _) => {
            Err(invalid("start", &format!("mode {mode} takes no dates"), "mode repair, or no start"))
        }
        (None, _) => Err(invalid("end", &format!("mode {mode} takes no dates"), "mode repair, or no end")),
    };
    let no_lookback = |mode: ModeName| {
        if lookback_days.is_none() {
            return Ok(());
        }
        Err(invalid("lookback_days", &format!("mode {mode} takes no look-back"), "mode incremental"))
    };
    // Without a mode, dates mean a repair, and nothing means an incremental run.
    let default = if start.is_some() { ModeName::Repair } else { ModeName::Incremental };
    let mode = match name {
        None => default,
        Some(name) => ModeName::parse(name)
            .filter(|mode| matches!(mode, ModeName::Incremental | ModeName::Full | ModeName::Repair))
            .ok_or_else(|| invalid("mode", &format!("unknown mode {name:?}"), MODES))?,
    };
    match mode {
        ModeName::Full => {
            no_dates(mode)?;
            no_lookback(mode)?;
            Ok(Mode::Full)
        }
        ModeName::Repair => {
            no_lookback(mode)?;
            repair_window(target, start, end, zone).map(Mode::Repair)
        }
        ModeName::Incremental | ModeName::Verify | ModeName::Import => {
            no_dates(mode)?;
            Ok(Mode::Incremental { lookback_days })
        }
    }
}

fn repair_window(
    target: Target,
    start: Option<NaiveDate>,
    end: Option<NaiveDate>,
    zone: Tz,
) -> Result<Window, InvalidRequest> {
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
        return Err(invalid(
            "entity",
            "it cannot be fetched by period",
            &format!("{} with start and end; others with mode incremental or full", names.join(", ")),
        ));
    }
    let start = start.ok_or_else(|| invalid("start", "missing", DAYS))?;
    let end = end.ok_or_else(|| invalid("end", "missing", DAYS))?;
    if end < start {
        return Err(invalid("end", "before start", "the day of start or a later one"));
    }
    Window::of_days(start, end, zone).ok_or_else(|| invalid("end", "out of range", DAYS))
}

fn lookback_days(fields: &Map<String, Value>) -> Result<Option<u32>, InvalidRequest> {
    let Some(value) = fields.get("lookback_days").filter(|value| !value.is_null()) else { return Ok(None) };
    value
        .as_u64()
        .and_then(|days| u32::try_from(days).ok())
        .filter(|days| *days <= LOOKBACK_DAYS_MAX)
        .map(Some)
        .ok_or_else(|| {
            let accepted = format!("a whole number of days from 0 to {LOOKBACK_DAYS_MAX}");
            invalid("lookback_days", "invalid number of days", &accepted)
        })
}

fn text<'a>(
    fields: &'a Map<String, Value>,
    field: &str,
    accepted: &str,
) -> Result<Option<&'a str>, InvalidRequest> {
    match fields.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(field, "not a text", accepted)),
    }
}

fn day(fields: &Map<String, Value>, field: &str) -> Result<Option<NaiveDate>, InvalidRequest> {
    const DAYS: &str = "a day such as 2025-12-01";
    text(fields, field, DAYS)?
        .map(|text| {
            NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .ok()
                .filter(|day| text.len() == 10 && (1970..=9000).contains(&chrono::Datelike::year(day)))
                .ok_or_else(|| invalid(field, "invalid day", DAYS))
        })
        .transpose()
}

fn invalid(field: &str, problem: &str, accepted: &str) -> InvalidRequest {
    // The lengths are bounded, because the field name comes from the payload and is logged.
    let field = field.chars().take(40).collect();
    InvalidRequest { field, problem: problem.chars().take(120).collect(), accepted: accepted.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use model::local_day;

    fn error_of(payload: &Value) -> String {
        SyncRequest::parse(payload, local_day::ZONE)
            .map_or_else(|invalid| invalid.to_string(), |ok| format!("{ok:?}"))
    }

    #[test]
    fn invalid_request_names_field_and_accepted_values() {
        for (payload, field, accepted) in [
            (json!([]), "`payload`", "an object"),
            (json!({}), "`entity`", "all, users, clients, pianos, timeline"),
            (json!({"entity": "invoces"}), "`entity`", "all, users"),
            (json!({"entity": 4}), "`entity`", "all, users"),
            (json!({"entity": "measurements"}), "`entity`: measurements are nested in pianos", "all"),
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
            let message = error_of(&payload);
            assert!(message.contains(field) && message.contains(accepted), "{payload} → {message}");
        }
    }

    #[test]
    fn repair_takes_whole_local_days_both_inclusive() {
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
    fn payloads_of_other_functions_are_valid_requests() {
        for entity in entity::ALL {
            if matches!(entity.deletion_policy, DeletionPolicy::LookupById { .. }) {
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
    fn mode_defaults_to_incremental() {
        let request = SyncRequest::parse(&json!({"entity": "all"}), local_day::ZONE);
        let expected = SyncRequest { target: Target::All, mode: Mode::Incremental { lookback_days: None } };
        assert_eq!(request, Ok(expected));
    }
}
