//! `PrivateInvoice`: what clients owe and paid, item by item.

mod columns;
mod lines;
mod oddity;

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use self::lines::Line;
use super::{Cast, Filter, Model, Reference};
use crate::{
    clock,
    dice::Dice,
    generate::{HISTORY_DAYS, earlier, perhaps, reference, tags},
    record::{Datum, Entity, Record},
};

/// All about invoices.
pub(super) static INVOICE: Model = Model {
    name: "invoices",
    root: "allInvoices",
    by_id: ("invoice", "id"),
    date_field: "createdAt",
    sort: "CREATED_AT",
    count: |config| config.clients,
    populate,
    make_odd: oddity::make_odd,
    create: |dice, cast| invoice(dice, cast, cast.now),
    edited_days: None,
    edit,
    filters: &[
        ("status", Filter::OneOf(&["status"])),
        ("archived", Filter::Flag("archived")),
        ("clientId", Filter::OneOf(&["client"])),
    ],
    references: &[
        Reference::own("client", Entity::Client),
        Reference::own("assignedTo", Entity::User),
        Reference::own("createdBy", Entity::User),
        Reference::within("allInvoiceItems", "piano", Entity::Piano),
    ],
    columns: columns::INVOICES,
    parts: columns::PARTS,
};

/// What an invoice can be; paid ones are the most.
const STATUSES: &[&str] =
    &["DRAFT", "OPEN", "OPEN", "OVERDUE", "PAID", "PAID", "PAID", "PAID", "DELETED", "CANCELED"];
/// Every status once, in the order in which edits go through them.
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

/// Items of one invoice, payments of one invoice.
const ITEMS_MAX: usize = 6;
const PAYMENTS_MAX: usize = 3;
const PIANOS_MAX: usize = 3;

fn populate(dice: &mut Dice, cast: &Cast) -> Option<Record> {
    let created = earlier(dice, cast.now - Duration::days(1), HISTORY_DAYS);
    invoice(dice, cast, created)
}

fn invoice(dice: &mut Dice, cast: &Cast, created: DateTime<Utc>) -> Option<Record> {
    let client = cast.client(dice)?;
    let net_days = [0, 0, 15, 30, 30][dice.below(5)];
    let note = dice.pick(NOTES);
    let top_note = dice.pick(NOTES);
    let id: Arc<str> = dice.id("inv_").into();
    let mut invoice = Record::new()
        .with("id", Arc::clone(&id))
        // Numbers rise as invoices are made: one could be made each minute.
        .with("number", (created.timestamp() - NUMBERED_SINCE) / 60)
        .with("status", dice.pick(STATUSES))
        .with("archived", dice.chance(0.1))
        .with("client", client.id().map(|id| reference(Entity::Client, id)))
        // A contact of which nothing is known lacks what a contact must have.
        .with("contact", client.object("defaultContact").filter(|it| it.get("archived").is_some()).cloned())
        .with("assignedTo", cast.user(dice, 0.7))
        .with("createdBy", cast.user(dice, 0.95))
        .with("currency", currency("CAD"))
        .with("dueOn", (clock::local_day(created) + Duration::days(net_days)).to_string())
        .with("netDays", net_days)
        .with("notes", perhaps(dice, 0.4, note))
        .with("topNotes", perhaps(dice, 0.2, top_note))
        .with("tags", tags(dice))
        .with("summarize", dice.chance(0.1))
        .with("acceptElectronicPayment", dice.chance(0.8))
        .with("clientUrl", format!("https://example.org/i/{id}"))
        .with("needsQuickbooksSync", dice.chance(0.2));
    let synced = dice.chance(0.6).then(|| created + Duration::hours(dice.between(1, 20)));
    invoice.set("lastQuickbooksSyncAt", synced.filter(|at| *at <= cast.now).map(clock::stamp));
    if dice.chance(0.1) {
        bill_someone_else(dice, &mut invoice);
    }
    fill(dice, cast, &mut invoice, created);
    invoice.set("createdAt", clock::stamp(created));
    let updated = created + Duration::hours(dice.between(0, 20));
    invoice.set("updatedAt", clock::stamp(updated.min(cast.now)));
    lines::settle(&mut invoice);
    Some(invoice)
}

/// 2020-01-01, UTC.
const NUMBERED_SINCE: i64 = 1_577_836_800;

/// Gives an invoice its items, and payments that suit its status.
fn fill(dice: &mut Dice, cast: &Cast, invoice: &mut Record, created: DateTime<Utc>) {
    let pianos = cast.pianos_of(dice, invoice.text("client"), PIANOS_MAX);
    let items: Vec<Datum> = (1..=dice.below(ITEMS_MAX + 1))
        .map(|number| lines::item(dice, &Line { number, created, pianos: &pianos }).into())
        .collect();
    invoice.set("allInvoiceItems", items);
    lines::settle(invoice);
    let status = invoice.text("status").map(ToString::to_string).unwrap_or_default();
    let wanted = match status.as_str() {
        "DRAFT" => 0,
        "PAID" => 1 + dice.below(PAYMENTS_MAX),
        _ => dice.below(PAYMENTS_MAX),
    };
    for left in (1..=wanted).rev() {
        let due = invoice.int("dueTotal").unwrap_or_default();
        // The last payment of a paid invoice is the rest; the others leave something.
        let is_rest = status == "PAID" && left == 1;
        let amount = if is_rest { due } else { due / 3 };
        if amount > 0 {
            let payment_status = if is_rest { "SUCCEEDED" } else { lines::payment_status(dice) };
            let paid = (created + Duration::minutes(dice.between(1, 20 * 24 * 60))).min(cast.now);
            let payment = lines::payment(dice, invoice, amount, payment_status, paid);
            lines::append(invoice, "allInvoicePayments", payment);
            lines::settle(invoice);
        }
    }
}

fn bill_someone_else(dice: &mut Dice, invoice: &mut Record) {
    let number = dice.below(1_000_000);
    invoice.set("altBillingCompanyName", dice.pick(COMPANIES));
    invoice.set("altBillingFirstName", perhaps(dice, 0.5, "Anselme"));
    invoice.set("altBillingLastName", perhaps(dice, 0.5, "O'Clavier"));
    invoice.set("altBillingEmail", format!("comptes{number}@example.net"));
    invoice.set("altBillingPhone", format!("(438) 555-01{:02}", dice.below(100)));
    invoice.set("altBillingStreet1", format!("{} rue du Registre", dice.between(1, 9999)));
    invoice.set("altBillingStreet2", perhaps(dice, 0.3, "bureau 2"));
    invoice.set("altBillingMunicipality", "Trois-Quintes");
    invoice.set("altBillingRegion", "QC");
    invoice.set("altBillingPostalCode", "H0Z 0Z0");
    invoice.set("altBillingCountryCode", "CA");
}

fn edit(dice: &mut Dice, invoice: &mut Record, cast: &Cast) {
    let due = invoice.int("dueTotal").unwrap_or_default();
    match dice.below(5) {
        0 if due > 0 => {
            let payment = lines::payment(dice, invoice, due, "SUCCEEDED", cast.now);
            lines::append(invoice, "allInvoicePayments", payment);
        }
        1 => {
            let pianos = cast.pianos_of(dice, invoice.text("client"), PIANOS_MAX);
            let number = invoice.objects("allInvoiceItems").count() + 1;
            let item = lines::item(dice, &Line { number, created: cast.now, pianos: &pianos });
            lines::append(invoice, "allInvoiceItems", item);
        }
        2 if invoice.objects("allInvoiceItems").next().is_some() => lines::drop_last_item(invoice),
        3 => {
            let place = STATUS_CYCLE
                .iter()
                .position(|status| Some(*status) == invoice.text("status").map(AsRef::as_ref));
            invoice.set("status", STATUS_CYCLE[place.map_or(0, |place| (place + 1) % STATUS_CYCLE.len())]);
        }
        _ => invoice.amend("notes", &clock::stamp(cast.now)),
    }
    lines::settle(invoice);
}

/// `CoreCurrency` of a code.
fn currency(code: &str) -> Record {
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
