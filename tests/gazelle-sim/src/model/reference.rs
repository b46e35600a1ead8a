//! References from records of a model to records of other entities.

use std::sync::Arc;

use crate::{
    entity::Entity,
    record::{Datum, Record},
};

/// New target by entity and id: `None` keeps the reference, `Some(None)` clears it.
pub(crate) type Repointing<'a> = dyn Fn(Entity, &Arc<str>) -> Option<Option<Arc<str>>> + 'a;

/// Field with a reference, in the record itself or in the elements of one of its lists.
pub(crate) struct Reference {
    list: Option<&'static str>,
    field: &'static str,
    target: Entity,
    is_required: bool,
}

impl Reference {
    /// Defines a reference in a field of the record itself.
    pub(crate) const fn field(field: &'static str, target: Entity) -> Self {
        Self { list: None, field, target, is_required: false }
    }

    /// Defines a reference in a field of the elements of a list.
    pub(crate) const fn in_list(list: &'static str, field: &'static str, target: Entity) -> Self {
        Self { list: Some(list), field, target, is_required: false }
    }

    /// Removes the element from its list when the reference is cleared.
    pub(crate) const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Returns the ids that a record refers to, if this is a reference to `entity`.
    pub(crate) fn ids(&self, record: &Record, entity: Entity) -> Vec<Arc<str>> {
        if self.target != entity {
            return Vec::new();
        }
        match self.list {
            None => record.text(self.field).cloned().into_iter().collect(),
            Some(list) => {
                record.objects(list).filter_map(|element| element.text(self.field).cloned()).collect()
            }
        }
    }

    /// Replaces or clears every reference for which `repointing` returns a target, and sets `updatedAt` of
    /// the changed records if `updated_at` is given. Returns true if anything changed.
    pub(crate) fn repoint(
        &self,
        record: &mut Record,
        repointing: &Repointing<'_>,
        updated_at: Option<&str>,
    ) -> bool {
        let Some(list) = self.list else {
            return self.repoint_field(record, repointing, updated_at);
        };
        let mut is_changed = false;
        let mut kept: Vec<Datum> = Vec::new();
        for element in record.objects(list) {
            let mut changed = Record::clone(element);
            if !self.repoint_field(&mut changed, repointing, updated_at) {
                kept.push(Datum::Object(Arc::clone(element)));
                continue;
            }
            is_changed = true;
            if !self.is_required || changed.get(self.field).is_some() {
                kept.push(changed.into());
            }
        }
        if is_changed {
            record.set(list, kept);
            set_updated_at(record, updated_at);
        }
        is_changed
    }

    fn repoint_field(
        &self,
        record: &mut Record,
        repointing: &Repointing<'_>,
        updated_at: Option<&str>,
    ) -> bool {
        let Some(new_id) = record.text(self.field).and_then(|id| repointing(self.target, id)) else {
            return false;
        };
        record.set(self.field, new_id.map(|id| Datum::Reference(self.target, id)));
        set_updated_at(record, updated_at);
        true
    }
}

fn set_updated_at(record: &mut Record, updated_at: Option<&str>) {
    if let Some(time) = updated_at
        && record.get("updatedAt").is_some()
    {
        record.set("updatedAt", time);
    }
}
