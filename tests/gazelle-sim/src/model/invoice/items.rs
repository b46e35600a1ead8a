//! Items of an invoice, with their taxes.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::{
    datetime,
    record::{Datum, Record},
    rng::SeededRng,
    values::optional_text,
};

/// Taxes of Québec: id, name, and rate in units of 1/100,000.
const TAXES: [(&str, &str, i64); 2] =
    [("tax_TPS0000000000000", "TPS", 5000), ("tax_TVQ0000000000000", "TVQ", 9975)];
const RATE_UNIT: i64 = 100_000;

/// Service catalogue: id, name, duration in minutes.
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
/// Quantities in hundredths; 100 is one unit.
const QUANTITIES: [i64; 6] = [100, 100, 100, 50, 150, 300];

/// Parameters of a generated item.
pub(super) struct ItemSpec<'a> {
    /// Sequence number in the invoice, from 1.
    pub(super) number: usize,
    pub(super) created: DateTime<Utc>,
    /// Pianos that the item may refer to.
    pub(super) pianos: &'a [Datum],
}

/// Generates an item with its taxes and totals.
pub(super) fn item(rng: &mut SeededRng, spec: &ItemSpec<'_>) -> Record {
    let description = rng.choose(DESCRIPTIONS);
    let piano = (!spec.pianos.is_empty() && rng.chance(0.9))
        .then(|| spec.pianos[rng.below(spec.pianos.len())].clone());
    let quantity = QUANTITIES[rng.below(QUANTITIES.len())];
    // Even, so that a quantity of one half gives a whole number of minor units.
    let amount = 2 * rng.between(50, 15_000);
    let is_taxable = rng.chance(0.85);
    let sub_total = amount * quantity / 100;
    let mut tax_total = 0;
    let mut taxes: Vec<Datum> = Vec::new();
    for (tax_id, name, rate) in TAXES.into_iter().filter(|_| is_taxable) {
        let total = (sub_total * rate + RATE_UNIT / 2) / RATE_UNIT;
        tax_total += total;
        let tax = Record::new()
            .with("id", rng.id("iit_"))
            .with("taxId", tax_id)
            .with("name", name)
            .with("rate", rate)
            .with("total", total);
        taxes.push(tax.into());
    }
    Record::new()
        .with("id", rng.id("ini_"))
        .with("type", rng.choose(ITEM_TYPES))
        .with("description", optional_text(rng, 0.9, description))
        .with("sequenceNumber", i64::try_from(spec.number).unwrap_or_default())
        .with("piano", piano)
        .with("masterServiceItem", rng.chance(0.7).then(|| service(rng)))
        .with("quantity", quantity)
        .with("amount", amount)
        .with("subTotal", sub_total)
        .with("taxTotal", tax_total)
        .with("total", sub_total + tax_total)
        .with("billable", rng.chance(0.95))
        .with("taxable", is_taxable)
        .with("taxes", taxes)
        .with("createdAt", datetime::format(spec.created))
        .with("updatedAt", datetime::format(spec.created))
}

/// Draws a `PrivateMasterServiceItem` from the catalogue.
fn service(rng: &mut SeededRng) -> Record {
    let (id, name, minutes) = SERVICES[rng.below(SERVICES.len())];
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

/// Removes the last item of an invoice.
pub(super) fn remove_last(invoice: &mut Record) {
    let mut items: Vec<Datum> = invoice.objects("allInvoiceItems").cloned().map(Datum::Object).collect();
    items.pop();
    invoice.set("allInvoiceItems", items);
}
