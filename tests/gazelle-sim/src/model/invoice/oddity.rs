//! Invoices as odd as real ones.

use chrono::{DateTime, Duration, Utc};

use super::{
    currency,
    lines::{self, Line},
};
use crate::{
    dice::Dice,
    generate::{huge_text, reference, spread},
    record::{Datum, Entity, Record},
    world::World,
};

/// Longer than a page of 100.
const MANY_ITEMS: usize = 130;
/// How many oddities there are.
const ODDITIES: usize = 17;

/// Invoices without an id or a client, about unlisted records, with many items, with sums that do not add
/// up, in other currencies, of a grown status, with huge notes.
pub(super) fn make_odd(dice: &mut Dice, invoices: &mut [Record], world: &World) {
    let created = world.clock - Duration::days(30);
    let unlisted =
        |entity: Entity| world.table(entity).unlisted_ids().first().map(|id| reference(entity, id));
    for (index, position) in spread(invoices.len(), ODDITIES).into_iter().enumerate() {
        let invoice = &mut invoices[position];
        match index {
            0 | 10 => {
                // Nothing can be moved away from a record without an id: it belongs to nobody.
                for field in ["id", "client", "contact", "allInvoiceItems", "allInvoicePayments"] {
                    invoice.set(field, Datum::Null);
                }
                lines::settle(invoice);
            }
            1 => invoice.set("client", unlisted(Entity::Client)),
            2 => {
                add_items(dice, invoice, 1, created);
                change_last_item(invoice, "piano", unlisted(Entity::Piano).into());
            }
            3 => invoice.set("createdBy", unlisted(Entity::User)),
            // What it had before goes: the number shall be this one.
            4 => {
                invoice.set("allInvoiceItems", Datum::Null);
                add_items(dice, invoice, MANY_ITEMS, created);
            }
            5 => invoice.set("notes", huge_text()),
            6 => {
                invoice.set("client", Datum::Null);
                invoice.set("contact", Datum::Null);
            }
            7 => {
                add_items(dice, invoice, 1, created);
                change_last_item(invoice, "id", Datum::Null);
            }
            8 | 12 => denominate(invoice, "JPY"),
            9 | 13 => denominate(invoice, "TND"),
            11 | 14 => invoice.set("status", "IN_COLLECTION"),
            15 => {
                // It failed: no sum holds it.
                let mut payment = lines::payment(dice, invoice, 12_345, "FAILED", created);
                payment.set("currency", currency("JPY"));
                lines::append(invoice, "allInvoicePayments", payment);
            }
            _ => {
                add_items(dice, invoice, 1, created);
                lines::settle(invoice);
                let total = invoice.int("total").unwrap_or_default();
                invoice.set("total", total + 1);
                continue;
            }
        }
        lines::settle(invoice);
    }
}

/// Adds so many items about no piano.
fn add_items(dice: &mut Dice, invoice: &mut Record, count: usize, created: DateTime<Utc>) {
    for _ in 0..count {
        let number = invoice.objects("allInvoiceItems").count() + 1;
        let item = lines::item(dice, &Line { number, created, pianos: &[] });
        lines::append(invoice, "allInvoiceItems", item);
    }
}

fn change_last_item(invoice: &mut Record, field: &'static str, value: Datum) {
    if let Some(mut item) = invoice.objects("allInvoiceItems").last().map(|item| Record::clone(item)) {
        item.set(field, value);
        lines::drop_last_item(invoice);
        lines::append(invoice, "allInvoiceItems", item);
    }
}

/// Makes all amounts ones of another currency.
fn denominate(invoice: &mut Record, code: &str) {
    let payments: Vec<Datum> = invoice
        .objects("allInvoicePayments")
        .map(|payment| {
            let mut payment = Record::clone(payment);
            payment.set("currency", currency(code));
            payment.into()
        })
        .collect();
    invoice.set("allInvoicePayments", payments);
    invoice.set("currency", currency(code));
}
