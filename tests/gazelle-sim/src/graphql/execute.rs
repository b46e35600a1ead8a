//! Execution of a plan: writes the response as JSON text, in selection order.

use std::fmt::Write as _;

use super::{
    error::GraphqlError,
    page::{self, PageArguments},
    plan::{ExecutionPlan, FieldPlan},
    root,
    schema::{DefaultValue, SchemaIndex},
};
use crate::{
    dataset::Dataset,
    faults::PageFaults,
    record::{Datum, Record},
};

/// Record to write where a non-null object is missing.
const NO_FIELDS: &Record = &Record::new();

/// Writer of a response.
struct Writer<'a> {
    dataset: &'a Dataset,
    page_size_max: usize,
    out: String,
}

/// Executes a plan on a snapshot of the data and returns the response.
pub(super) fn run(
    execution: &ExecutionPlan,
    dataset: &Dataset,
    schema: &SchemaIndex,
    page_faults: PageFaults,
    page_size_max: usize,
) -> Result<String, GraphqlError> {
    let mut writer = Writer { dataset, page_size_max, out: String::with_capacity(64 * 1024) };
    writer.out.push_str("{\"data\":{");
    for (index, plan) in execution.root_fields.iter().enumerate() {
        if index > 0 {
            writer.out.push(',');
        }
        writer.out.push_str(&plan.prefix);
        let value = root::resolve(dataset, schema, plan, page_faults, page_size_max)
            .map_err(|error| error.at(&[plan.name.as_str()]))?;
        writer.write(value.as_ref(), plan)?;
    }
    writer.out.push('}');
    if page_faults.null_page {
        let path = execution.root_fields.first().map_or("", |plan| plan.name.as_str());
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
    fn write(&mut self, value: Option<&Datum>, plan: &FieldPlan) -> Result<(), GraphqlError> {
        match value {
            None => match &plan.default {
                DefaultValue::Literal(text) => self.out.push_str(text),
                DefaultValue::EmptyRecord => self.write_record(NO_FIELDS, plan)?,
            },
            Some(Datum::Null) => self.out.push_str("null"),
            Some(Datum::Bool(value)) => self.out.push_str(if *value { "true" } else { "false" }),
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
                    self.write(Some(item), plan)?;
                }
                self.out.push(']');
            }
            Some(Datum::Object(record)) => self.write_record(record, plan)?,
            Some(Datum::Reference(entity, id)) => match self.dataset.table(*entity).get(id) {
                Some(record) => self.write_record(record, plan)?,
                None => self.write(None, plan)?,
            },
        }
        Ok(())
    }

    fn write_record(&mut self, record: &Record, plan: &FieldPlan) -> Result<(), GraphqlError> {
        self.out.push('{');
        for (index, child) in plan.children.iter().enumerate() {
            if index > 0 {
                self.out.push(',');
            }
            self.out.push_str(&child.prefix);
            if child.inner_type.ends_with("Connection") {
                let paging = PageArguments::parse(&child.arguments, self.page_size_max)?;
                let nodes = page::nested_nodes(self.dataset, record, child);
                let connection = page::connection(&nodes, &paging, child);
                self.write(Some(&connection), child)?;
            } else {
                self.write(record.get(&child.name), child)?;
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
