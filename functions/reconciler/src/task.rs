//! What a person may ask of the reconciler, beside its queue: `{"task": "retry", "entity": "timeline"}`.

use model::entity::{self, Entity};
use serde_json::Value;

/// A task that can be done: failed records tried once more.
#[derive(Debug, Clone)]
pub struct Retry {
    /// Of these entities.
    pub entities: Vec<&'static Entity>,
}

/// Why a task is refused: the field and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: it is missing or unknown; accepted: {accepted}")]
pub struct BadTask {
    field: &'static str,
    accepted: String,
}

impl Retry {
    /// Reads a task.
    ///
    /// # Errors
    /// The first field that is missing or unknown.
    pub fn parse(payload: &Value) -> Result<Self, BadTask> {
        let text = |field: &str| payload.get(field).and_then(Value::as_str);
        if text("task") != Some("retry") {
            return Err(BadTask { field: "task", accepted: "retry".to_owned() });
        }
        let entities: Vec<&'static Entity> = match text("entity") {
            Some("all") => entity::ALL.to_vec(),
            Some(name) => entity::find(name).into_iter().collect(),
            None => Vec::new(),
        };
        if entities.is_empty() {
            let names: Vec<&str> = entity::ALL.iter().map(|entity| entity.name).collect();
            return Err(BadTask { field: "entity", accepted: format!("all, {}", names.join(", ")) });
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
            (json!({"task": "delete"}), "`task`: it is missing or unknown; accepted: retry"),
            (json!({"task": "retry"}), "`entity`: it is missing or unknown; accepted: all, users"),
            (json!({"task": "retry", "entity": 7}), "accepted: all, users"),
        ] {
            let message =
                Retry::parse(&payload).map_or_else(|bad| bad.to_string(), |task| format!("{task:?}"));
            assert!(message.contains(expected), "{payload} → {message}");
        }
        assert_eq!(
            Retry::parse(&json!({"task": "retry", "entity": "all"})).map(|task| task.entities.len()),
            Ok(entity::ALL.len())
        );
    }
}
