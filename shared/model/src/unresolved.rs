//! References of a record that have no usable id and must be resolved by matching.

use serde_json::Value;

use crate::entity::{self, Entity};
use crate::matching::MatchProfile;
use crate::row::{Record, Row, field};

/// Reference without a usable id, and the fields that the record states instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnresolvedReference {
    /// Index of the referring column.
    pub column: usize,
    /// Name of the referenced entity.
    pub target: &'static str,
    /// Known fields of the referenced record.
    pub profile: MatchProfile,
}

/// Returns the references of a record that describe another record without its id.
#[must_use]
pub fn unresolved_references(entity: &Entity, record: Record<'_>, row: &Row) -> Vec<UnresolvedReference> {
    let empty_references = entity.columns.iter().enumerate().filter(|(index, column)| {
        column.references.is_some() && row.cells.get(*index).is_some_and(Option::is_none)
    });
    empty_references
        .filter_map(|(index, column)| {
            let (_, object_path) = column.path.split_last()?;
            let object = (!object_path.is_empty())
                .then(|| field(record.raw, object_path))
                .filter(|value| value.is_object())?;
            let target = entity::find(column.references?)?;
            let matching = target.matching.as_ref()?;
            let text = |path: &[&str]| match field(object, path) {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let fields = matching.columns.iter().map(|name| {
                let path =
                    target.columns.iter().find(|column| column.name == *name).map(|column| column.path);
                (*name, path.filter(|path| !path.is_empty()).and_then(text))
            });
            let profile = MatchProfile::new("", fields.chain([("name", text(&["name"]))]));
            (!profile.is_empty()).then_some(UnresolvedReference {
                column: index,
                target: target.name,
                profile,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reference_without_id_is_described_by_its_fields() {
        let timeline = entity::ALL[3];
        let raw = json!({"id": "t", "occurredAt": "2025-01-01T00:00:00Z", "client": {"id": "c"},
            "user": {"id": null, "firstName": "Ada", "lastName": "  "}, "piano": {"id": "", "serialNumber": 61_234}});
        let record = Record { raw: &raw, parent_id: None };
        let references = timeline
            .transform(record)
            .map(|row| unresolved_references(timeline, record, &row))
            .unwrap_or_default();
        let found: Vec<(&str, Value)> =
            references.iter().map(|reference| (reference.target, reference.profile.to_json())).collect();
        let expected =
            [("pianos", json!({"serial_number": "61234"})), ("users", json!({"first_name": "Ada"}))];
        assert_eq!(found, expected);
    }
}
