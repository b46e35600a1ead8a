//! Writes the answer of an operation as JSON text, in the order of the selection.

use std::fmt::Write as _;

use super::{
    Refusal, Spoil,
    compile::{Operation, Step},
    page::{self, Paging},
    root,
    sdl::{Missing, Shapes},
};
use crate::{
    record::{Datum, Record},
    world::World,
};

const NO_FIELDS: &Record = &Record::new();

/// What writing needs besides the steps.
struct Writer<'a> {
    world: &'a World,
    page_size_max: usize,
    out: String,
}

/// The answer of an operation on one state of the world.
pub(super) fn run(
    operation: &Operation,
    world: &World,
    shapes: &Shapes,
    spoil: Spoil,
    page_size_max: usize,
) -> Result<String, Refusal> {
    let mut writer = Writer { world, page_size_max, out: String::with_capacity(64 * 1024) };
    writer.out.push_str("{\"data\":{");
    for (index, step) in operation.steps.iter().enumerate() {
        if index > 0 {
            writer.out.push(',');
        }
        writer.out.push_str(&step.prefix);
        let value = root::resolve(world, shapes, step, spoil, page_size_max)
            .map_err(|refusal| refusal.at(&[step.field.as_str()]))?;
        writer.write(value.as_ref(), step)?;
    }
    writer.out.push('}');
    if spoil.null_page {
        let path = operation.steps.first().map_or("", |step| step.field.as_str());
        let _ = write!(
            writer.out,
            ",\"errors\":[{{\"message\":\"Une erreur interne est survenue\",\"path\":[\"{path}\",\"nodes\"],\
             \"extensions\":{{\"code\":\"INTERNAL_SERVER_ERROR\"}}}}]"
        );
    }
    writer.out.push('}');
    Ok(writer.out)
}

impl Writer<'_> {
    fn write(&mut self, value: Option<&Datum>, step: &Step) -> Result<(), Refusal> {
        match value {
            None => match &step.missing {
                Missing::Literal(text) => self.out.push_str(text),
                Missing::Record => self.write_record(NO_FIELDS, step)?,
            },
            Some(Datum::Null) => self.out.push_str("null"),
            Some(Datum::Flag(flag)) => self.out.push_str(if *flag { "true" } else { "false" }),
            Some(Datum::Int(number)) => {
                let _ = write!(self.out, "{number}");
            }
            Some(Datum::Text(text)) => write_text(&mut self.out, text),
            Some(Datum::Json(value)) => {
                let _ = write!(self.out, "{value}");
            }
            Some(Datum::List(items)) => {
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        self.out.push(',');
                    }
                    self.write(Some(item), step)?;
                }
                self.out.push(']');
            }
            Some(Datum::Object(record)) => self.write_record(record, step)?,
            Some(Datum::Reference(entity, id)) => match self.world.table(*entity).find(id) {
                Some(record) => self.write_record(record, step)?,
                None => self.write(None, step)?,
            },
        }
        Ok(())
    }

    fn write_record(&mut self, record: &Record, step: &Step) -> Result<(), Refusal> {
        self.out.push('{');
        for (index, child) in step.children.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.out.push_str(&child.prefix);
            if child.inner_type.ends_with("Connection") {
                let paging = Paging::of(&child.arguments, self.page_size_max)?;
                let nodes = page::nested_nodes(self.world, record, child);
                let connection = page::connection(&nodes, &paging, child);
                self.write(Some(&connection), child)?;
            } else {
                self.write(record.get(&child.field), child)?;
            }
        }
        self.out.push('}');
        Ok(())
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut written = 0;
    for (index, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..=0x1f => "",
            _ => continue,
        };
        out.push_str(&text[written..index]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        written = index + 1;
    }
    out.push_str(&text[written..]);
    out.push('"');
}
