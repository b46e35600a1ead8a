//! What a listing answers that nobody modelled: a few records made from the schema alone, so that an
//! entity can be tried before it has a model.

use chrono::{Duration, NaiveDate};
use serde_json::json;

use super::{
    compile::Step,
    sdl::{FieldShape, SCHEMA_SDL, Shapes},
};
use crate::{
    clock,
    dice::Dice,
    record::{Datum, Record},
};

/// How many records such a listing has.
const RECORDS: usize = 12;

/// Draws of a purpose of their own, below those of changes.
const STREAM: u64 = 7;

const WORDS: &[&str] = &["bémol", "dièse", "quinte", "octave", "sourdine", "pédale", "clavier", "étouffoir"];

/// The records of a root field that is a list or a connection of objects; the same for a seed always.
pub(super) fn nodes(seed: u64, shapes: &Shapes, step: &Step) -> Option<Vec<Datum>> {
    let node_type = match shapes.field(&step.inner_type, "nodes") {
        Some(nodes) if step.inner_type.ends_with("Connection") => nodes.inner_type.as_str(),
        _ if shapes.field(&step.parent_type, &step.field)?.is_list => step.inner_type.as_str(),
        _ => return None,
    };
    let mut dice = Dice::new(seed ^ hash(&step.field), STREAM);
    let prefix = prefix(&step.field);
    let fields = shapes.fields(node_type);
    Some((0..RECORDS).map(|_| record(&mut dice, &prefix, &fields, shapes).into()).collect())
}

fn record(dice: &mut Dice, prefix: &str, fields: &[(&str, &FieldShape)], shapes: &Shapes) -> Record {
    let mut record = Record::new();
    for (name, shape) in fields {
        // Without a value, an object is null or empty, whichever its type allows.
        if shapes.is_object(&shape.inner_type) {
            continue;
        }
        let value = if *name == "id" {
            dice.id(prefix).into()
        } else if shape.is_list {
            let count = 1 + dice.below(3);
            (0..count).map(|_| scalar(dice, &shape.inner_type, shapes)).collect::<Vec<_>>().into()
        } else {
            scalar(dice, &shape.inner_type, shapes)
        };
        if let Some(name) = name_in_schema(name) {
            record.set(name, value);
        }
    }
    record
}

/// A value of a scalar or an enum.
fn scalar(dice: &mut Dice, type_name: &str, shapes: &Shapes) -> Datum {
    let values = shapes.enum_values(type_name);
    if !values.is_empty() {
        return values[dice.below(values.len())].as_str().into();
    }
    // A fixed time: the data shall not move with the clock.
    let day = NaiveDate::default() + Duration::days(dice.between(19_000, 20_000));
    match type_name {
        "Int" => dice.between(1, 1000).into(),
        "Float" => json!(f64::from(u16::try_from(dice.below(1000)).unwrap_or_default()) + 0.5).into(),
        "Boolean" => dice.chance(0.5).into(),
        "CoreDate" => day.to_string().into(),
        "CoreDateTime" => clock::stamp(clock::at_local(day, dice.between(8 * 60, 22 * 60))).into(),
        "I18nString" | "JSON" => json!({"fr_CA": dice.pick(WORDS), "en_US": dice.pick(WORDS)}).into(),
        _ => dice.pick(WORDS).into(),
    }
}

/// What ids begin with: `tax_` of `allTaxes`.
fn prefix(field: &str) -> String {
    let name = field.strip_prefix("all").unwrap_or(field).to_lowercase();
    format!("{}_", name.chars().take(3).collect::<String>())
}

/// The name as it stands in the schema's text, which lives as long as the program.
fn name_in_schema(name: &str) -> Option<&'static str> {
    let start = SCHEMA_SDL.find(name)?;
    SCHEMA_SDL.get(start..start + name.len())
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
