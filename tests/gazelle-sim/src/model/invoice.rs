//! Model of `PrivateInvoice`: invoices with their items and payments.

mod columns;
mod items;
mod oddities;
mod payments;
mod totals;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use self::{items::ItemSpec, payments::currency};
use super::{
    definition::{Filter, Model},
    pool::ReferencePool,
    reference::Reference,
};
use crate::{
    datetime,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::{HISTORY_DAYS, earlier, optional_text, reference, tags},
};

/// Definition of the invoices model.
pub(super) static INVOICE: Model = Model {
    id: columns::ID,
    listing: "allInvoices",
    lookup: ("invoice", "id"),
    date_field: "createdAt",
    sort_key: "CREATED_AT",
    count: |config| config.clients,
    populate,
    add_oddities: oddities::add_oddities,
    create: |rng, pool| invoice(rng, pool, pool.now),
    editable_days: None,
    edit,
    filters: &[
        ("status", Filter::OneOf(&["status"])),
        ("archived", Filter::Bool("archived")),
        ("clientId", Filter::OneOf(&["client"])),
    ],
    references: &[
        Reference::field("client", Entity::Client),
        Reference::field("assignedTo", Entity::User),
        Reference::field("createdBy", Entity::User),
        Reference::in_list("allInvoiceItems", "piano", Entity::Piano),
    ],
    columns: columns::INVOICES,
    child_tables: columns::CHILD_TABLES,
};

/// Statuses to draw from; repeated ones are more frequent.
const STATUSES: &[&str] =
    &["DRAFT", "OPEN", "OPEN", "OVERDUE", "PAID", "PAID", "PAID", "PAID", "DELETED", "CANCELED"];
/// Order in which edits change the status.
const STATUS_CYCLE: &[&str] = &["DRAFT", "OPEN", "OVERDUE", "PAID", "CANCELED", "DELETED"];

const NOTES: &[&str] = &[
    "Merci de votre confiance 🎹",
    "Payable à la réception",
    "Virement : \"accord2024\" \\ réponse \"la\"",
    "Voir l'estimé pour\nles étouffoirs",
    "Rabais école appliqué",
];
const COMPANIES: &[&str] =
    &["Succession Grandpédale", "Commission scolaire des Cordes", "Assurances \"La Quinte\""];

const ITEMS_MAX: usize = 6;
const PAYMENTS_MAX: usize = 3;
const PIANOS_MAX: usize = 3;

fn populate(rng: &mut SeededRng, pool: &ReferencePool) -> Option<Record> {
    let created = earlier(rng, pool.now - Duration::days(1), HISTORY_DAYS);
    invoice(rng, pool, created)
}

fn invoice(rng: &mut SeededRng, pool: &ReferencePool, created: DateTime<Utc>) -> Option<Record> {
    let client = pool.client(rng)?;
    let net_days = [0, 0, 15, 30, 30][rng.below(5)];
    let note = rng.choose(NOTES);
    let top_note = rng.choose(NOTES);
    let id: Arc<str> = rng.id("inv_").into();
    let mut invoice = Record::new()
        .with("id", Arc::clone(&id))
        // Numbers increase with time of creation, by one a minute.
        .with("number", (created.timestamp() - NUMBERED_SINCE) / 60)
        .with("status", rng.choose(STATUSES))
        .with("archived", rng.chance(0.1))
        .with("client", client.id().map(|id| reference(Entity::Client, id)))
        // A contact added as an oddity lacks required fields.
        .with("contact", client.object("defaultContact").filter(|it| it.get("archived").is_some()).cloned())
        .with("assignedTo", pool.user(rng, 0.7))
        .with("createdBy", pool.user(rng, 0.95))
        .with("currency", currency("CAD"))
        .with("dueOn", (datetime::local_day(created) + Duration::days(net_days)).to_string())
        .with("netDays", net_days)
        .with("notes", optional_text(rng, 0.4, note))
        .with("topNotes", optional_text(rng, 0.2, top_note))
        .with("tags", tags(rng))
        .with("summarize", rng.chance(0.1))
        .with("acceptElectronicPayment", rng.chance(0.8))
        .with("clientUrl", format!("https://example.org/i/{id}"))
        .with("needsQuickbooksSync", rng.chance(0.2));
    let synced = rng.chance(0.6).then(|| created + Duration::hours(rng.between(1, 20)));
    invoice.set("lastQuickbooksSyncAt", synced.filter(|at| *at <= pool.now).map(datetime::format));
    if rng.chance(0.1) {
        set_alternate_billing(rng, &mut invoice);
    }
    add_items_and_payments(rng, pool, &mut invoice, created);
    invoice.set("createdAt", datetime::format(created));
    let updated = created + Duration::hours(rng.between(0, 20));
    invoice.set("updatedAt", datetime::format(updated.min(pool.now)));
    totals::recalculate(&mut invoice);
    Some(invoice)
}

/// Unix time of invoice number 0: 2020-01-01 UTC.
const NUMBERED_SINCE: i64 = 1_577_836_800;

/// Adds items, and payments that are consistent with the status.
fn add_items_and_payments(
    rng: &mut SeededRng,
    pool: &ReferencePool,
    invoice: &mut Record,
    created: DateTime<Utc>,
) {
    let pianos = pool.pianos_of(rng, invoice.text("client"), PIANOS_MAX);
    let items: Vec<Datum> = (1..=rng.below(ITEMS_MAX + 1))
        .map(|number| items::item(rng, &ItemSpec { number, created, pianos: &pianos }).into())
        .collect();
    invoice.set("allInvoiceItems", items);
    totals::recalculate(invoice);
    let status = invoice.text("status").map(ToString::to_string).unwrap_or_default();
    let count = match status.as_str() {
        "DRAFT" => 0,
        "PAID" => 1 + rng.below(PAYMENTS_MAX),
        _ => rng.below(PAYMENTS_MAX),
    };
    for remaining in (1..=count).rev() {
        let due = invoice.int("dueTotal").unwrap_or_default();
        // The last payment of a paid invoice settles it; any other payment leaves an amount due.
        let is_final = status == "PAID" && remaining == 1;
        let amount = if is_final { due } else { due / 3 };
        if amount > 0 {
            let payment_status = if is_final { "SUCCEEDED" } else { payments::payment_status(rng) };
            let paid_at = (created + Duration::minutes(rng.between(1, 20 * 24 * 60))).min(pool.now);
            let payment = payments::payment(rng, invoice, amount, payment_status, paid_at);
            invoice.push_object("allInvoicePayments", payment);
            totals::recalculate(invoice);
        }
    }
}

fn set_alternate_billing(rng: &mut SeededRng, invoice: &mut Record) {
    let number = rng.below(1_000_000);
    invoice.set("altBillingCompanyName", rng.choose(COMPANIES));
    invoice.set("altBillingFirstName", optional_text(rng, 0.5, "Anselme"));
    invoice.set("altBillingLastName", optional_text(rng, 0.5, "O'Clavier"));
    invoice.set("altBillingEmail", format!("comptes{number}@example.net"));
    invoice.set("altBillingPhone", format!("(438) 555-01{:02}", rng.below(100)));
    invoice.set("altBillingStreet1", format!("{} rue du Registre", rng.between(1, 9999)));
    invoice.set("altBillingStreet2", optional_text(rng, 0.3, "bureau 2"));
    invoice.set("altBillingMunicipality", "Trois-Quintes");
    invoice.set("altBillingRegion", "QC");
    invoice.set("altBillingPostalCode", "H0Z 0Z0");
    invoice.set("altBillingCountryCode", "CA");
}

fn edit(rng: &mut SeededRng, invoice: &mut Record, pool: &ReferencePool) {
    let due = invoice.int("dueTotal").unwrap_or_default();
    match rng.below(5) {
        0 if due > 0 => {
            let payment = payments::payment(rng, invoice, due, "SUCCEEDED", pool.now);
            invoice.push_object("allInvoicePayments", payment);
        }
        1 => {
            let pianos = pool.pianos_of(rng, invoice.text("client"), PIANOS_MAX);
            let number = invoice.objects("allInvoiceItems").count() + 1;
            let item = items::item(rng, &ItemSpec { number, created: pool.now, pianos: &pianos });
            invoice.push_object("allInvoiceItems", item);
        }
        2 if invoice.objects("allInvoiceItems").next().is_some() => items::remove_last(invoice),
        3 => {
            let position = STATUS_CYCLE
                .iter()
                .position(|status| Some(*status) == invoice.text("status").map(AsRef::as_ref));
            invoice.set(
                "status",
                STATUS_CYCLE[position.map_or(0, |position| (position + 1) % STATUS_CYCLE.len())],
            );
        }
        _ => invoice.append_correction("notes", &datetime::format(pool.now)),
    }
    totals::recalculate(invoice);
}
