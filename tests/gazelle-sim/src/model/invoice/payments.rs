//! Payments of an invoice.

use chrono::{DateTime, Utc};

use super::columns::ID;
use crate::{
    datetime,
    entity::Entity,
    record::Record,
    rng::SeededRng,
    values::{optional_text, reference},
};

/// Draws the status of a payment; most succeed.
pub(super) fn payment_status(rng: &mut SeededRng) -> &'static str {
    if rng.chance(0.7) {
        return "SUCCEEDED";
    }
    rng.choose(&["FAILED", "PROCESSING", "CANCELED", "REFUNDED", "DISPUTED", "REQUIRES_ACTION"])
}

/// Generates a payment of an invoice, in the invoice's currency.
pub(super) fn payment(
    rng: &mut SeededRng,
    invoice: &Record,
    amount: i64,
    status: &str,
    paid_at: DateTime<Utc>,
) -> Record {
    let source = rng.choose(&["MANUAL", "MANUAL", "STRIPE", "QUICKBOOKS_ONLINE"]);
    let is_settled = matches!(status, "SUCCEEDED" | "REFUNDED" | "DISPUTED");
    let details = format!("no {}", rng.below(10_000));
    Record::new()
        .with("id", rng.id("inp_"))
        .with("invoice", invoice.id().map(|id| reference(Entity::Modelled(ID), id)))
        .with("amount", amount)
        .with("tipTotal", if rng.chance(0.05) { rng.between(1, 20) * 100 } else { 0 })
        .with("currency", invoice.object("currency").cloned())
        .with("status", status)
        .with(
            "type",
            rng.choose(&["CASH", "CHECK", "CREDIT_CARD", "DEBIT_CARD", "ELECTRONIC_FUNDS_TRANSFER"]),
        )
        .with("paymentSource", source)
        .with("isStripePayment", source == "STRIPE")
        .with("isSyncedToQuickbooksOnline", source == "QUICKBOOKS_ONLINE")
        .with("wasInitiatedByClient", rng.chance(0.8).then_some(source == "STRIPE"))
        .with("paymentDetails", optional_text(rng, 0.4, details))
        .with("notes", optional_text(rng, 0.2, "Chèque remis à l'accordeur"))
        .with("failureReason", (status == "FAILED").then_some("card_declined: \"insufficient_funds\""))
        .with("paidAt", is_settled.then(|| datetime::format(paid_at)))
        .with("createdAt", datetime::format(paid_at))
}

/// Creates the `CoreCurrency` of a code.
pub(super) fn currency(code: &str) -> Record {
    let (label, symbol, digits, divisor) = match code {
        "JPY" => ("Yen japonais", "¥", 0, 1),
        "TND" => ("Dinar tunisien", "DT", 3, 1000),
        _ => ("Dollar canadien", "$", 2, 100),
    };
    Record::new()
        .with("id", code)
        .with("code", code)
        .with("label", label)
        .with("symbol", symbol)
        .with("decimalDigits", digits)
        .with("divisor", divisor)
}
