//! Oddities of invoices, as found in real data.

use chrono::{DateTime, Duration, Utc};

use super::{
    items::{self, ItemSpec},
    payments::{self, currency},
    totals,
};
use crate::{
    dataset::Dataset,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::{huge_text, reference, spread},
};

/// Number of items that needs more than one page of 100.
const MANY_ITEMS: usize = 130;
/// Number of invoices that get an oddity.
const ODDITIES: usize = 17;

/// Adds oddities to some invoices: no id or client, unlisted references, many items, wrong totals, other
/// currencies, a new status, huge notes.
pub(super) fn add_oddities(rng: &mut SeededRng, invoices: &mut [Record], dataset: &Dataset) {
    let created = dataset.now - Duration::days(30);
    let unlisted =
        |entity: Entity| dataset.table(entity).unlisted_ids().first().map(|id| reference(entity, id));
    for (index, position) in spread(invoices.len(), ODDITIES).into_iter().enumerate() {
        let invoice = &mut invoices[position];
        match index {
            0 | 10 => {
                // Changes address records by id, so a record without one must not refer to others.
                for field in ["id", "client", "contact", "allInvoiceItems", "allInvoicePayments"] {
                    invoice.set(field, Datum::Null);
                }
                totals::recalculate(invoice);
            }
            1 => invoice.set("client", unlisted(Entity::Client)),
            2 => {
                add_items(rng, invoice, 1, created);
                change_last_item(invoice, "piano", unlisted(Entity::Piano).into());
            }
            3 => invoice.set("createdBy", unlisted(Entity::User)),
            // The existing items are removed so that the count is exact.
            4 => {
                invoice.set("allInvoiceItems", Datum::Null);
                add_items(rng, invoice, MANY_ITEMS, created);
            }
            5 => invoice.set("notes", huge_text()),
            6 => {
                invoice.set("client", Datum::Null);
                invoice.set("contact", Datum::Null);
            }
            7 => {
                add_items(rng, invoice, 1, created);
                change_last_item(invoice, "id", Datum::Null);
            }
            8 | 12 => set_currency(invoice, "JPY"),
            9 | 13 => set_currency(invoice, "TND"),
            11 | 14 => invoice.set("status", "IN_COLLECTION"),
            15 => {
                // A failed payment counts in no total.
                let mut payment = payments::payment(rng, invoice, 12_345, "FAILED", created);
                payment.set("currency", currency("JPY"));
                invoice.push_object("allInvoicePayments", payment);
            }
            _ => {
                add_items(rng, invoice, 1, created);
                totals::recalculate(invoice);
                let total = invoice.int("total").unwrap_or_default();
                invoice.set("total", total + 1);
                continue;
            }
        }
        totals::recalculate(invoice);
    }
}

/// Adds `count` items without a piano.
fn add_items(rng: &mut SeededRng, invoice: &mut Record, count: usize, created: DateTime<Utc>) {
    for _ in 0..count {
        let number = invoice.objects("allInvoiceItems").count() + 1;
        let item = items::item(rng, &ItemSpec { number, created, pianos: &[] });
        invoice.push_object("allInvoiceItems", item);
    }
}

fn change_last_item(invoice: &mut Record, field: &'static str, value: Datum) {
    if let Some(mut item) = invoice.objects("allInvoiceItems").last().map(|item| Record::clone(item)) {
        item.set(field, value);
        items::remove_last(invoice);
        invoice.push_object("allInvoiceItems", item);
    }
}

/// Changes the currency of an invoice and its payments, keeping the amounts.
fn set_currency(invoice: &mut Record, code: &str) {
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
