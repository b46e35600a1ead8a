//! Listings without a model: a few records generated from the schema alone, so that an entity can be
//! tried before it has a model.

use chrono::{Duration, NaiveDate};
use serde_json::json;

use super::{
    plan::FieldPlan,
    schema::{FieldInfo, SCHEMA_SDL, SchemaIndex},
};
use crate::{
    datetime,
    record::{Datum, Record},
    rng::SeededRng,
};

/// Number of records in such a listing.
const RECORDS: usize = 12;

/// Random stream of these records.
const STREAM: u64 = 7;

const WORDS: &[&str] = &["bémol", "dièse", "quinte", "octave", "sourdine", "pédale", "clavier", "étouffoir"];

/// Generates the records of a root field that is a list or a connection; they depend on the seed alone.
pub(super) fn nodes(seed: u64, schema: &SchemaIndex, plan: &FieldPlan) -> Option<Vec<Datum>> {
    let node_type = match schema.field(&plan.inner_type, "nodes") {
        Some(nodes) if plan.inner_type.ends_with("Connection") => nodes.inner_type.as_str(),
        _ if schema.field(&plan.parent_type, &plan.name)?.is_list => plan.inner_type.as_str(),
        _ => return None,
    };
    let mut rng = SeededRng::new(seed ^ hash(&plan.name), STREAM);
    let prefix = prefix(&plan.name);
    let fields = schema.fields(node_type);
    Some((0..RECORDS).map(|_| record(&mut rng, &prefix, &fields, schema).into()).collect())
}

fn record(rng: &mut SeededRng, prefix: &str, fields: &[(&str, &FieldInfo)], schema: &SchemaIndex) -> Record {
    let mut record = Record::new();
    for (name, info) in fields {
        // Objects keep their default: null or empty, as their type allows.
        if schema.is_object(&info.inner_type) {
            continue;
        }
        let value = if *name == "id" {
            rng.id(prefix).into()
        } else if info.is_list {
            let count = 1 + rng.below(3);
            (0..count).map(|_| scalar(rng, &info.inner_type, schema)).collect::<Vec<_>>().into()
        } else {
            scalar(rng, &info.inner_type, schema)
        };
        if let Some(name) = name_in_schema(name) {
            record.set(name, value);
        }
    }
    record
}

/// Draws a value of a scalar or an enum.
fn scalar(rng: &mut SeededRng, type_name: &str, schema: &SchemaIndex) -> Datum {
    let values = schema.enum_values(type_name);
    if !values.is_empty() {
        return values[rng.below(values.len())].as_str().into();
    }
    // Fixed dates, so that the data does not depend on the current time.
    let day = NaiveDate::default() + Duration::days(rng.between(19_000, 20_000));
    match type_name {
        "Int" => rng.between(1, 1000).into(),
        "Float" => json!(f64::from(u16::try_from(rng.below(1000)).unwrap_or_default()) + 0.5).into(),
        "Boolean" => rng.chance(0.5).into(),
        "CoreDate" => day.to_string().into(),
        "CoreDateTime" => datetime::format(datetime::from_local(day, rng.between(8 * 60, 22 * 60))).into(),
        "I18nString" | "JSON" => json!({"fr_CA": rng.choose(WORDS), "en_US": rng.choose(WORDS)}).into(),
        _ => rng.choose(WORDS).into(),
    }
}

/// Returns the prefix of ids: `tax_` for `allTaxes`.
fn prefix(field: &str) -> String {
    let name = field.strip_prefix("all").unwrap_or(field).to_lowercase();
    format!("{}_", name.chars().take(3).collect::<String>())
}

/// Returns the name as a slice of the schema text, which is static.
fn name_in_schema(name: &str) -> Option<&'static str> {
    let start = SCHEMA_SDL.find(name)?;
    SCHEMA_SDL.get(start..start + name.len())
}

/// Computes the FNV-1a hash of a text.
fn hash(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
