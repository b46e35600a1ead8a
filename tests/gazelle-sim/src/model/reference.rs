//! Where records of a model name records of other entities, and how such names change.

use std::sync::Arc;

use crate::record::{Datum, Entity, Record};

/// A field that names a record, of the record itself or of those in a list of its.
pub(crate) struct Reference {
    list: Option<&'static str>,
    field: &'static str,
    to: Entity,
    is_essential: bool,
}

impl Reference {
    /// A field of the record itself.
    pub(crate) const fn own(field: &'static str, to: Entity) -> Self {
        Self { list: None, field, to, is_essential: false }
    }

    /// A field of the records in a list.
    pub(crate) const fn within(list: &'static str, field: &'static str, to: Entity) -> Self {
        Self { list: Some(list), field, to, is_essential: false }
    }

    /// Without what it names, the element of the list goes.
    pub(crate) const fn essential(self) -> Self {
        Self { is_essential: true, ..self }
    }

    /// The ids that a record names here, if this is a reference to the entity.
    pub(crate) fn named(&self, record: &Record, entity: Entity) -> Vec<Arc<str>> {
        if self.to != entity {
            return Vec::new();
        }
        match self.list {
            None => record.text(self.field).cloned().into_iter().collect(),
            Some(list) => {
                record.objects(list).filter_map(|element| element.text(self.field).cloned()).collect()
            }
        }
    }

    /// Makes every id for which `moved` has an answer that id, or none. Whatever changes is updated at the
    /// given moment, if there is one. Answers whether anything did.
    pub(crate) fn repoint(&self, record: &mut Record, moved: &Moved<'_>, updated_at: Option<&str>) -> bool {
        let Some(list) = self.list else {
            return self.repoint_field(record, moved, updated_at);
        };
        let mut is_changed = false;
        let mut kept: Vec<Datum> = Vec::new();
        for element in record.objects(list) {
            let mut changed = Record::clone(element);
            if !self.repoint_field(&mut changed, moved, updated_at) {
                kept.push(Datum::Object(Arc::clone(element)));
                continue;
            }
            is_changed = true;
            if !self.is_essential || changed.get(self.field).is_some() {
                kept.push(changed.into());
            }
        }
        if is_changed {
            record.set(list, kept);
            touch(record, updated_at);
        }
        is_changed
    }

    fn repoint_field(&self, record: &mut Record, moved: &Moved<'_>, updated_at: Option<&str>) -> bool {
        let Some(target) = record.text(self.field).and_then(|id| moved(self.to, id)) else {
            return false;
        };
        record.set(self.field, target.map(|id| Datum::Reference(self.to, id)));
        touch(record, updated_at);
        true
    }
}

/// What becomes of the name of a record: `None` leaves it, `Some(None)` takes it away.
pub(crate) type Moved<'a> = dyn Fn(Entity, &Arc<str>) -> Option<Option<Arc<str>>> + 'a;

fn touch(record: &mut Record, updated_at: Option<&str>) {
    if let Some(moment) = updated_at
        && record.get("updatedAt").is_some()
    {
        record.set("updatedAt", moment);
    }
}
