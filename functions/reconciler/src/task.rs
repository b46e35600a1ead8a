//! Task that a person may request beside the queue: `{"task": "retry", "entity": "timeline"}`.

use model::entity::{self, Entity};
use serde_json::Value;

/// Task that gives failed records another attempt.
#[derive(Debug, Clone)]
pub struct RetryTask {
    /// Entities whose failed records are tried again.
    pub entities: Vec<&'static Entity>,
}

/// Error for a task that is refused: the first wrong field, and its accepted values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid task: `{field}` is missing or unknown; expected {expected}")]
pub struct InvalidTask {
    field: &'static str,
    expected: String,
}

impl RetryTask {
    /// Parses a task.
    ///
    /// # Errors
    /// Names the first field that is missing or unknown.
    pub fn parse(payload: &Value) -> Result<Self, InvalidTask> {
        let text = |field: &str| payload.get(field).and_then(Value::as_str);
        if text("task") != Some("retry") {
            return Err(InvalidTask { field: "task", expected: "retry".to_owned() });
        }
        let entities: Vec<&'static Entity> = match text("entity") {
            Some("all") => entity::ALL.to_vec(),
            Some(name) => entity::find(name).into_iter().collect(),
            None => Vec::new(),
        };
        if entities.is_empty() {
            let names: Vec<&str> = entity::ALL.iter().map(|entity| entity.name).collect();
            return Err(InvalidTask { field: "entity", expected: format!("all, {}", names.join(", ")) });
        }
        Ok(Self { entities })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn invalid_task_names_field_and_accepted_values() {
        for (payload, expected) in [
            (json!({"task": "delete"}), "invalid task: `task` is missing or unknown; expected retry"),
            (json!({"task": "retry"}), "invalid task: `entity` is missing or unknown; expected all, users"),
            (json!({"task": "retry", "entity": 7}), "expected all, users"),
        ] {
            let message =
                RetryTask::parse(&payload).map_or_else(|error| error.to_string(), |task| format!("{task:?}"));
            assert!(message.contains(expected), "{payload} → {message}");
        }
        assert_eq!(
            RetryTask::parse(&json!({"task": "retry", "entity": "all"})).map(|task| task.entities.len()),
            Ok(entity::ALL.len())
        );
    }
}
