//! The items and payments of an invoice, and the sums that follow from them.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::INVOICE;
use crate::{
    clock,
    dice::Dice,
    generate::{perhaps, reference},
    record::{Datum, Entity, Record},
};

/// The taxes of Québec: id, name, and rate per 100,000.
const TAXES: [(&str, &str, i64); 2] =
    [("tax_TPS0000000000000", "TPS", 5000), ("tax_TVQ0000000000000", "TVQ", 9975)];
const RATE_UNIT: i64 = 100_000;

/// What is sold: id, name, minutes.
const SERVICES: [(&str, &str, i64); 5] = [
    ("msi_Accord0000000000", "Accord", 90),
    ("msi_DoubleAccord0000", "Accord en deux passages", 150),
    ("msi_Reglage000000000", "Réglage de la mécanique", 180),
    ("msi_DamppChaser00000", "Entretien Dampp-Chaser", 30),
    ("msi_Deplacement00000", "Déplacement", 60),
];
const DESCRIPTIONS: &[&str] = &[
    "Accord 440 Hz",
    "Accord \"concert\" 442 Hz",
    "Réglage\n- enfoncement\n- échappement",
    "Feutres d'étouffoirs, cordes 1–12",
    "Kilométrage \\ stationnement",
    "Harmonisation 🎹",
];
const ITEM_TYPES: &[&str] =
    &["LABOR_FIXED_RATE", "LABOR_FIXED_RATE", "LABOR_HOURLY", "EXPENSE", "MILEAGE", "OTHER", "LEGACY_GROUP"];
/// In hundredths: 100 is one.
const QUANTITIES: [i64; 6] = [100, 100, 100, 50, 150, 300];

/// What an item is made from.
pub(super) struct Line<'a> {
    /// The place in the invoice, from 1.
    pub(super) number: usize,
    /// When it was written.
    pub(super) created: DateTime<Utc>,
    /// The pianos it can be about.
    pub(super) pianos: &'a [Datum],
}

/// An item, with its taxes and sums.
pub(super) fn item(dice: &mut Dice, line: &Line<'_>) -> Record {
    let description = dice.pick(DESCRIPTIONS);
    let piano = (!line.pianos.is_empty() && dice.chance(0.9))
        .then(|| line.pianos[dice.below(line.pianos.len())].clone());
    let quantity = QUANTITIES[dice.below(QUANTITIES.len())];
    // Even, so that the half of it is a whole number of minor units.
    let amount = 2 * dice.between(50, 15_000);
    let is_taxable = dice.chance(0.85);
    let sub_total = amount * quantity / 100;
    let mut tax_total = 0;
    let mut taxes: Vec<Datum> = Vec::new();
    for (tax_id, name, rate) in TAXES.into_iter().filter(|_| is_taxable) {
        let total = (sub_total * rate + RATE_UNIT / 2) / RATE_UNIT;
        tax_total += total;
        let tax = Record::new()
            .with("id", dice.id("iit_"))
            .with("taxId", tax_id)
            .with("name", name)
            .with("rate", rate)
            .with("total", total);
        taxes.push(tax.into());
    }
    Record::new()
        .with("id", dice.id("ini_"))
        .with("type", dice.pick(ITEM_TYPES))
        .with("description", perhaps(dice, 0.9, description))
        .with("sequenceNumber", i64::try_from(line.number).unwrap_or_default())
        .with("piano", piano)
        .with("masterServiceItem", dice.chance(0.7).then(|| service(dice)))
        .with("quantity", quantity)
        .with("amount", amount)
        .with("subTotal", sub_total)
        .with("taxTotal", tax_total)
        .with("total", sub_total + tax_total)
        .with("billable", dice.chance(0.95))
        .with("taxable", is_taxable)
        .with("taxes", taxes)
        .with("createdAt", clock::stamp(line.created))
        .with("updatedAt", clock::stamp(line.created))
}

/// `PrivateMasterServiceItem`: an entry of the catalogue.
fn service(dice: &mut Dice) -> Record {
    let (id, name, minutes) = SERVICES[dice.below(SERVICES.len())];
    Record::new()
        .with("id", id)
        .with("allUsers", Datum::List(Vec::new()))
        .with("name", json!({"fr_CA": name, "en_US": name}))
        .with("description", json!({"fr_CA": name}))
        .with("educationDescription", json!({}))
        .with("type", "LABOR_FIXED_RATE")
        .with("amount", 14_000_i64)
        .with("duration", minutes)
        .with("order", minutes)
        .with("isAnyUser", true)
        .with("isArchived", false)
        .with("isDefault", name == "Accord")
        .with("isSelfSchedulable", true)
        .with("isTaxable", true)
        .with("isTuning", name.starts_with("Accord"))
        .with("createdAt", "2019-03-04T14:00:00Z")
        .with("updatedAt", "2021-05-06T15:00:00Z")
}

/// How a payment went: mostly well.
pub(super) fn payment_status(dice: &mut Dice) -> &'static str {
    if dice.chance(0.7) {
        return "SUCCEEDED";
    }
    dice.pick(&["FAILED", "PROCESSING", "CANCELED", "REFUNDED", "DISPUTED", "REQUIRES_ACTION"])
}

/// A payment of an invoice, in its currency.
pub(super) fn payment(
    dice: &mut Dice,
    invoice: &Record,
    amount: i64,
    status: &str,
    paid: DateTime<Utc>,
) -> Record {
    let source = dice.pick(&["MANUAL", "MANUAL", "STRIPE", "QUICKBOOKS_ONLINE"]);
    let is_settled = matches!(status, "SUCCEEDED" | "REFUNDED" | "DISPUTED");
    let details = format!("no {}", dice.below(10_000));
    Record::new()
        .with("id", dice.id("inp_"))
        .with("invoice", invoice.id().map(|id| reference(Entity::Modelled(&INVOICE), id)))
        .with("amount", amount)
        .with("tipTotal", if dice.chance(0.05) { dice.between(1, 20) * 100 } else { 0 })
        .with("currency", invoice.object("currency").cloned())
        .with("status", status)
        .with("type", dice.pick(&["CASH", "CHECK", "CREDIT_CARD", "DEBIT_CARD", "ELECTRONIC_FUNDS_TRANSFER"]))
        .with("paymentSource", source)
        .with("isStripePayment", source == "STRIPE")
        .with("isSyncedToQuickbooksOnline", source == "QUICKBOOKS_ONLINE")
        .with("wasInitiatedByClient", dice.chance(0.8).then_some(source == "STRIPE"))
        .with("paymentDetails", perhaps(dice, 0.4, details))
        .with("notes", perhaps(dice, 0.2, "Chèque remis à l'accordeur"))
        .with("failureReason", (status == "FAILED").then_some("card_declined: \"insufficient_funds\""))
        .with("paidAt", is_settled.then(|| clock::stamp(paid)))
        .with("createdAt", clock::stamp(paid))
}

/// Adds a record to a list.
pub(super) fn append(invoice: &mut Record, list: &'static str, record: Record) {
    let records: Vec<Datum> =
        invoice.objects(list).cloned().map(Datum::Object).chain([record.into()]).collect();
    invoice.set(list, records);
}

/// Takes the last item away.
pub(super) fn drop_last_item(invoice: &mut Record) {
    let mut items: Vec<Datum> = invoice.objects("allInvoiceItems").cloned().map(Datum::Object).collect();
    items.pop();
    invoice.set("allInvoiceItems", items);
}

/// Makes the sums of an invoice those of its items and of the payments that succeeded.
pub(super) fn settle(invoice: &mut Record) {
    let of_items =
        |field: &str| -> i64 { invoice.objects("allInvoiceItems").filter_map(|item| item.int(field)).sum() };
    let has_status =
        |payment: &Record, status: &str| payment.text("status").map(AsRef::as_ref) == Some(status);
    let of_payments = |field: &str| -> i64 {
        let payments = invoice.objects("allInvoicePayments");
        payments
            .filter(|payment| has_status(payment, "SUCCEEDED"))
            .filter_map(|payment| payment.int(field))
            .sum()
    };
    let (sub_total, tax_total, total) = (of_items("subTotal"), of_items("taxTotal"), of_items("total"));
    let (paid_total, tip_total) = (of_payments("amount"), of_payments("tipTotal"));
    let is_pending = invoice.objects("allInvoicePayments").any(|payment| has_status(payment, "PROCESSING"));
    for (field, sum) in [
        ("subTotal", sub_total),
        ("taxTotal", tax_total),
        ("total", total),
        ("tipTotal", tip_total),
        ("paidTotal", paid_total),
        ("dueTotal", total - paid_total),
    ] {
        invoice.set(field, sum);
    }
    invoice.set("hasPaymentPending", is_pending);
    invoice.set("hasPaymentsPending", is_pending);
}
