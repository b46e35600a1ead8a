//! Invoices, with their items and payments. Amounts are in units of their currency.

use super::{Absence, Entity, Part, Query, Shape, Source, Title};
use crate::local_day;
use crate::money::in_units;
use crate::row::{Column, Kind, date_text, field, instant};
use crate::rule::{Draft, DraftLine, Effect, Rule};

pub(super) static INVOICE: Entity = Entity {
    name: "invoices",
    title: Title { french: "Factures", english: "Invoices" },
    table: "invoices",
    staging_table: "stg_invoices",
    source: Source::Query(Query {
        root: "allInvoices",
        selection: "id client { id } contact { id } assignedTo { id } createdBy { id } number status archived \
                    currency { code divisor } subTotal taxTotal tipTotal total paidTotal dueTotal dueOn netDays \
                    notes topNotes tags summarize hasPaymentsPending needsQuickbooksSync lastQuickbooksSyncAt \
                    altBillingCompanyName altBillingFirstName altBillingLastName altBillingEmail altBillingPhone \
                    altBillingStreet1 altBillingStreet2 altBillingMunicipality altBillingRegion \
                    altBillingPostalCode altBillingCountryCode createdAt updatedAt \
                    allInvoiceItems(first: $inner) { pageInfo { hasNextPage } nodes { id piano { id } \
                      masterServiceItem { id } type description sequenceNumber quantity amount subTotal taxTotal \
                      total billable taxable taxes { id name rate taxId total } createdAt updatedAt } } \
                    allInvoicePayments(first: $inner) { pageInfo { hasNextPage } nodes { id amount tipTotal \
                      currency { code divisor } type status paymentSource paidAt paymentDetails notes \
                      failureReason isStripePayment wasInitiatedByClient createdAt } }",
        // Its filters are by date alone, and a draft stays open for a month, a debt for longer: everything is listed,
        // in the order in which an edit moves nothing.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    parts: &[
        Part { table: "invoice_items", parent: "invoice_id", field: "allInvoiceItems", columns: ITEM },
        Part {
            table: "invoice_payments",
            parent: "invoice_id",
            field: "allInvoicePayments",
            columns: PAYMENT,
        },
    ],
    rules: RULES,
    placeholder: &[],
    absence: Absence::AskedFor { root: "invoice", argument: "id" },
    twins: None,
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", Kind::Text, &["client", "id"]).references("clients"),
    Column::new("contact_id", Kind::Text, &["contact", "id"]),
    Column::new("assigned_to_id", Kind::Text, &["assignedTo", "id"]).references("users"),
    Column::new("created_by_id", Kind::Text, &["createdBy", "id"]).references("users"),
    Column::new("number", Kind::Int, &["number"]),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("archived", Kind::Bool, &["archived"]),
    Column::new("currency", Kind::Text, &["currency", "code"]),
    Column::new("sub_total", Kind::Money, &["subTotal"]),
    Column::new("tax_total", Kind::Money, &["taxTotal"]),
    Column::new("tip_total", Kind::Money, &["tipTotal"]),
    Column::new("total", Kind::Money, &["total"]),
    Column::new("paid_total", Kind::Money, &["paidTotal"]),
    Column::new("due_total", Kind::Money, &["dueTotal"]),
    Column::new("due_on", Kind::Date, &["dueOn"]),
    Column::new("net_days", Kind::Int, &["netDays"]),
    Column::new("notes", Kind::Text, &["notes"]),
    Column::new("top_notes", Kind::Text, &["topNotes"]),
    Column::new("tags", Kind::TextArray, &["tags"]),
    Column::new("summarize", Kind::Bool, &["summarize"]),
    Column::new("has_payments_pending", Kind::Bool, &["hasPaymentsPending"]),
    Column::new("needs_quickbooks_sync", Kind::Bool, &["needsQuickbooksSync"]),
    Column::new("last_quickbooks_sync_at", Kind::Timestamp, &["lastQuickbooksSyncAt"]),
    Column::new("alt_billing_company_name", Kind::Text, &["altBillingCompanyName"]),
    Column::new("alt_billing_first_name", Kind::Text, &["altBillingFirstName"]),
    Column::new("alt_billing_last_name", Kind::Text, &["altBillingLastName"]),
    Column::new("alt_billing_email", Kind::Text, &["altBillingEmail"]),
    Column::new("alt_billing_phone", Kind::Text, &["altBillingPhone"]),
    Column::new("alt_billing_street1", Kind::Text, &["altBillingStreet1"]),
    Column::new("alt_billing_street2", Kind::Text, &["altBillingStreet2"]),
    Column::new("alt_billing_city", Kind::Text, &["altBillingMunicipality"]),
    Column::new("alt_billing_region", Kind::Text, &["altBillingRegion"]),
    Column::new("alt_billing_postal_code", Kind::Text, &["altBillingPostalCode"]),
    Column::new("alt_billing_country_code", Kind::Text, &["altBillingCountryCode"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

const ITEM: &[Column] = &[
    Column::new("item_id", Kind::Text, &["id"]),
    Column::new("piano_id", Kind::Text, &["piano", "id"]).references("pianos"),
    Column::new("master_service_item_id", Kind::Text, &["masterServiceItem", "id"]),
    Column::new("type", Kind::Text, &["type"]),
    Column::new("description", Kind::Text, &["description"]),
    Column::new("sequence_number", Kind::Int, &["sequenceNumber"]),
    // Hundredths as a rule; the source does not say.
    Column::new("quantity", Kind::Int, &["quantity"]),
    Column::new("amount", Kind::Money, &["amount"]),
    Column::new("sub_total", Kind::Money, &["subTotal"]),
    Column::new("tax_total", Kind::Money, &["taxTotal"]),
    Column::new("total", Kind::Money, &["total"]),
    Column::new("billable", Kind::Bool, &["billable"]),
    Column::new("taxable", Kind::Bool, &["taxable"]),
    // As the source states them: rates per 100,000, totals in minor units.
    Column::new("taxes", Kind::Json, &["taxes"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

const PAYMENT: &[Column] = &[
    Column::new("payment_id", Kind::Text, &["id"]),
    Column::new("amount", Kind::Money, &["amount"]),
    Column::new("tip_total", Kind::Money, &["tipTotal"]),
    Column::new("currency", Kind::Text, &["currency", "code"]),
    Column::new("type", Kind::Text, &["type"]),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("payment_source", Kind::Text, &["paymentSource"]),
    Column::new("paid_at", Kind::Timestamp, &["paidAt"]),
    Column::derived("paid_on", Kind::Date),
    Column::new("payment_details", Kind::Text, &["paymentDetails"]),
    Column::new("notes", Kind::Text, &["notes"]),
    Column::new("failure_reason", Kind::Text, &["failureReason"]),
    Column::new("is_stripe_payment", Kind::Bool, &["isStripePayment"]),
    Column::new("was_initiated_by_client", Kind::Bool, &["wasInitiatedByClient"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("what an invoice is made up of adds up", Effect::Repairs(check_sums)),
    Rule::new("an amount is in units of its currency", Effect::Repairs(put_into_units)),
    Rule::new("a payment belongs to its day in Montréal", Effect::Derives(derive_days)),
];

/// A difference is a note: which of two numbers is meant, nobody here knows. Works on minor units, so before they are
/// put into units.
fn check_sums(draft: &mut Draft<'_>) {
    let own = draft.own();
    let said = |name: &str| own.whole_number(name);
    let (sub_total, tax_total, total) = (said("sub_total"), said("tax_total"), said("total"));
    let (tip, paid, due) = (said("tip_total").unwrap_or(0), said("paid_total"), said("due_total"));
    let (items, has_all_items) = draft.lines("invoice_items");
    let sums = ["sub_total", "tax_total", "total"].map(|name| sum(&items, name, |_| true));
    let (payments, has_all_payments) = draft.lines("invoice_payments");
    let received = sum(&payments, "amount", |payment| payment.get("status") == Some("SUCCEEDED"));
    let mut differs = |is_sure: bool, what: &str, said: Option<i64>, sum: Option<i64>, allowed: i64| {
        let (Some(said), Some(sum)) = (said, sum) else { return };
        if is_sure && said != sum && said != sum.saturating_add(allowed) {
            draft.note(format!("{what}: {said} stated, {sum} added up, in minor units"));
        }
    };
    let [items_sub_total, items_tax_total, items_total] = sums;
    differs(has_all_items, "sub_total of items", sub_total, items_sub_total, 0);
    differs(has_all_items, "tax_total of items", tax_total, items_tax_total, 0);
    // Whether a tip is part of the total, or of what was paid, the source does not say.
    differs(has_all_items, "total of items", total, items_total, tip);
    differs(has_all_payments, "paid_total of payments", paid, received, tip);
    let owed = total.zip(paid).and_then(|(total, paid)| total.checked_sub(paid));
    differs(true, "due_total", due, owed, tip);
}

/// None where an element has no such number, or the sum is too large.
fn sum(lines: &[DraftLine<'_>], name: &str, counts: impl Fn(&DraftLine<'_>) -> bool) -> Option<i64> {
    lines
        .iter()
        .filter(|line| counts(line))
        .try_fold(0_i64, |sum, line| sum.checked_add(line.whole_number(name)?))
}

fn put_into_units(draft: &mut Draft<'_>) {
    let divisor = divisor(draft.record.raw);
    let currency = field(draft.record.raw, &["currency", "code"]).as_str();
    let into_units = |divisor: Option<i64>| move |minor| in_units(minor, divisor?);
    draft.own().each_amount(into_units(divisor));
    for item in &mut draft.lines("invoice_items").0 {
        item.each_amount(into_units(divisor));
    }
    let mut is_known = divisor.is_some();
    for payment in &mut draft.lines("invoice_payments").0 {
        // The invoice's serves a payment in the same currency, or in one that is not named.
        let named = field(payment.raw, &["currency", "code"]).as_str();
        let is_same = named.is_none_or(|code| Some(code) == currency);
        let own = self::divisor(payment.raw).or(divisor.filter(|_| is_same));
        is_known &= own.is_some();
        payment.each_amount(into_units(own));
    }
    if !is_known {
        draft.note("currency.divisor is no positive number: amounts left out");
    }
}

fn divisor(raw: &serde_json::Value) -> Option<i64> {
    field(raw, &["currency", "divisor"]).as_i64().filter(|divisor| *divisor > 0)
}

fn derive_days(draft: &mut Draft<'_>) {
    for payment in &mut draft.lines("invoice_payments").0 {
        let paid_at = payment.raw.get("paidAt").and_then(serde_json::Value::as_str).and_then(instant);
        payment.set("paid_on", paid_at.map(|at| date_text(local_day::of(at))));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::row::{Record, Row};

    fn invoice() -> Value {
        json!({
            "id": "inv_1", "currency": {"code": "CAD", "divisor": 100},
            "subTotal": 20_000, "taxTotal": 2_995, "total": 22_995, "paidTotal": 10_000, "dueTotal": 12_995,
            "allInvoiceItems": {"pageInfo": {"hasNextPage": false}, "nodes": [
                {"id": "a", "piano": {"id": "ins_1"}, "amount": 15_000, "subTotal": 15_000, "taxTotal": 2_246, "total": 17_246},
                {"id": null, "amount": 5_000, "subTotal": 5_000, "taxTotal": 749, "total": 5_749}]},
            "allInvoicePayments": {"pageInfo": {"hasNextPage": false}, "nodes": [
                {"amount": 10_000, "status": "SUCCEEDED", "paidAt": "2026-03-01T03:00:00Z"},
                {"amount": 12_995, "status": "FAILED", "currency": {"code": "JPY", "divisor": 1}}]},
        })
    }

    fn transformed(raw: &Value) -> Option<Row> {
        INVOICE.transform(Record { raw, parent_id: None }).ok()
    }

    #[test]
    fn amounts_are_in_units_of_the_invoices_currency_and_a_payments_own() {
        let row = transformed(&invoice());
        let own = |name| row.as_ref().and_then(|row| row.get(COLUMNS, name));
        assert_eq!(
            (own("total"), own("due_total"), own("tip_total")),
            (Some("229.95"), Some("129.95"), None)
        );
        let of = |part: usize, line: usize, columns: &[Column], name| {
            let place = columns.iter().position(|column| column.name == name)?;
            row.as_ref()?.parts.get(part)?.lines.get(line)?.cells.get(place)?.clone()
        };
        assert_eq!(of(0, 0, ITEM, "total").as_deref(), Some("172.46"));
        assert_eq!(of(0, 0, ITEM, "piano_id").as_deref(), Some("ins_1"));
        assert_eq!(of(1, 0, PAYMENT, "amount").as_deref(), Some("100.00"));
        assert_eq!(of(1, 0, PAYMENT, "paid_on").as_deref(), Some("2026-02-28"));
        assert_eq!(of(1, 1, PAYMENT, "amount").as_deref(), Some("12995"));
        assert_eq!(row.map(|row| row.notes), Some(Vec::new()));
    }

    #[test]
    fn what_does_not_add_up_is_a_note_and_nothing_is_refused() {
        let changes: [(&str, Value, &str); 5] = [
            ("total", json!(23_000), "total of items: 23000 stated, 22995 added up, in minor units"),
            ("subTotal", json!(1), "sub_total of items: 1 stated"),
            ("paidTotal", json!(22_995), "paid_total of payments: 22995 stated, 10000 added up"),
            ("dueTotal", json!(0), "due_total: 0 stated, 12995 added up"),
            ("currency", json!(null), "currency.divisor is no positive number"),
        ];
        for (field, value, note) in changes {
            let mut raw = invoice();
            raw[field] = value;
            let notes = transformed(&raw).map(|row| row.notes.join("; ")).unwrap_or_default();
            assert!(notes.contains(note), "{field}: {notes}");
        }
        // A tip may be part of the total.
        let mut raw = invoice();
        (raw["tipTotal"], raw["total"], raw["dueTotal"]) = (json!(500), json!(23_495), json!(13_495));
        assert_eq!(transformed(&raw).map(|row| row.notes), Some(Vec::new()));
        // Of a list that is cut short nothing can be said.
        let mut raw = invoice();
        raw["allInvoiceItems"] = json!({"pageInfo": {"hasNextPage": true}, "nodes": []});
        let notes = transformed(&raw).map(|row| row.notes);
        assert_eq!(notes, Some(vec!["allInvoiceItems goes on where the source stopped".to_owned()]));
    }
}
