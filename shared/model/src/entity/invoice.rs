//! Invoices, with their items and payments. Amounts are in units of their currency.

use super::definition::{DeletionPolicy, Entity, PlaceholderNotice, Query, Shape, Source, Title};
use crate::cell::{date_text, parse_instant, whole_number};
use crate::column::{ChildTable, Column, ColumnType};
use crate::local_day;
use crate::money::in_units;
use crate::row::field;
use crate::rule::{ChildRowDraft, Effect, RowDraft, Rule};

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
        // The source filters by date alone, and an invoice can change long after its date: every run lists all of them,
        // in the order in which an edit moves no record to another page.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[
        ChildTable {
            table: "invoice_items",
            parent: "invoice_id",
            field: "allInvoiceItems",
            columns: ITEM_COLUMNS,
        },
        ChildTable {
            table: "invoice_payments",
            parent: "invoice_id",
            field: "allInvoicePayments",
            columns: PAYMENT_COLUMNS,
        },
    ],
    rules: RULES,
    placeholder: &[],
    placeholder_notice: PlaceholderNotice::AfterListing,
    deletion_policy: DeletionPolicy::LookupById { root: "invoice", argument: "id" },
    duplicate_ids: None,
    matching: None,
};

const COLUMNS: &[Column] = &[
    Column::new("client_id", ColumnType::Text, &["client", "id"]).references("clients"),
    Column::new("contact_id", ColumnType::Text, &["contact", "id"]),
    Column::new("assigned_to_id", ColumnType::Text, &["assignedTo", "id"]).references("users"),
    Column::new("created_by_id", ColumnType::Text, &["createdBy", "id"]).references("users"),
    Column::new("number", ColumnType::Int, &["number"]),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("archived", ColumnType::Bool, &["archived"]),
    Column::new("currency", ColumnType::Text, &["currency", "code"]),
    Column::new("sub_total", ColumnType::Money, &["subTotal"]),
    Column::new("tax_total", ColumnType::Money, &["taxTotal"]),
    Column::new("tip_total", ColumnType::Money, &["tipTotal"]),
    Column::new("total", ColumnType::Money, &["total"]),
    Column::new("paid_total", ColumnType::Money, &["paidTotal"]),
    Column::new("due_total", ColumnType::Money, &["dueTotal"]),
    Column::new("due_on", ColumnType::Date, &["dueOn"]),
    Column::new("net_days", ColumnType::Int, &["netDays"]),
    Column::new("notes", ColumnType::Text, &["notes"]),
    Column::new("top_notes", ColumnType::Text, &["topNotes"]),
    Column::new("tags", ColumnType::TextArray, &["tags"]),
    Column::new("summarize", ColumnType::Bool, &["summarize"]),
    Column::new("has_payments_pending", ColumnType::Bool, &["hasPaymentsPending"]),
    Column::new("needs_quickbooks_sync", ColumnType::Bool, &["needsQuickbooksSync"]),
    Column::new("last_quickbooks_sync_at", ColumnType::Timestamp, &["lastQuickbooksSyncAt"]),
    Column::new("alt_billing_company_name", ColumnType::Text, &["altBillingCompanyName"]),
    Column::new("alt_billing_first_name", ColumnType::Text, &["altBillingFirstName"]),
    Column::new("alt_billing_last_name", ColumnType::Text, &["altBillingLastName"]),
    Column::new("alt_billing_email", ColumnType::Text, &["altBillingEmail"]),
    Column::new("alt_billing_phone", ColumnType::Text, &["altBillingPhone"]),
    Column::new("alt_billing_street1", ColumnType::Text, &["altBillingStreet1"]),
    Column::new("alt_billing_street2", ColumnType::Text, &["altBillingStreet2"]),
    Column::new("alt_billing_city", ColumnType::Text, &["altBillingMunicipality"]),
    Column::new("alt_billing_region", ColumnType::Text, &["altBillingRegion"]),
    Column::new("alt_billing_postal_code", ColumnType::Text, &["altBillingPostalCode"]),
    Column::new("alt_billing_country_code", ColumnType::Text, &["altBillingCountryCode"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

const ITEM_COLUMNS: &[Column] = &[
    Column::new("item_id", ColumnType::Text, &["id"]),
    Column::new("piano_id", ColumnType::Text, &["piano", "id"]).references("pianos"),
    Column::new("master_service_item_id", ColumnType::Text, &["masterServiceItem", "id"]),
    Column::new("type", ColumnType::Text, &["type"]),
    Column::new("description", ColumnType::Text, &["description"]),
    Column::new("sequence_number", ColumnType::Int, &["sequenceNumber"]),
    // Usually in hundredths; the source states no unit.
    Column::new("quantity", ColumnType::Int, &["quantity"]),
    Column::new("amount", ColumnType::Money, &["amount"]),
    Column::new("sub_total", ColumnType::Money, &["subTotal"]),
    Column::new("tax_total", ColumnType::Money, &["taxTotal"]),
    Column::new("total", ColumnType::Money, &["total"]),
    Column::new("billable", ColumnType::Bool, &["billable"]),
    Column::new("taxable", ColumnType::Bool, &["taxable"]),
    // Kept as the source states them: rates per 100,000, totals in minor units.
    Column::new("taxes", ColumnType::Json, &["taxes"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

const PAYMENT_COLUMNS: &[Column] = &[
    Column::new("payment_id", ColumnType::Text, &["id"]),
    Column::new("amount", ColumnType::Money, &["amount"]),
    Column::new("tip_total", ColumnType::Money, &["tipTotal"]),
    Column::new("currency", ColumnType::Text, &["currency", "code"]),
    Column::new("type", ColumnType::Text, &["type"]),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("payment_source", ColumnType::Text, &["paymentSource"]),
    Column::new("paid_at", ColumnType::Timestamp, &["paidAt"]),
    Column::derived("paid_on", ColumnType::Date),
    Column::new("payment_details", ColumnType::Text, &["paymentDetails"]),
    Column::new("notes", ColumnType::Text, &["notes"]),
    Column::new("failure_reason", ColumnType::Text, &["failureReason"]),
    Column::new("is_stripe_payment", ColumnType::Bool, &["isStripePayment"]),
    Column::new("was_initiated_by_client", ColumnType::Bool, &["wasInitiatedByClient"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("a billing name or e-mail holds no invisible character", Effect::Repairs(clean_names)),
    Rule::new("an invoice's totals are the sums of its items and payments", Effect::Repairs(check_sums)),
    Rule::new("an amount is in units of its currency", Effect::Repairs(convert_to_units)),
    Rule::new("a payment belongs to its day in Montréal", Effect::Derives(derive_days)),
];

/// Notes every difference between a stated total and the sum of its elements, and changes nothing: either number may
/// be the right one. Expects minor units, so it runs before they are converted.
fn check_sums(draft: &mut RowDraft<'_>) {
    let own = draft.own_cells();
    let stated = |name: &str| own.whole_number(name);
    let (sub_total, tax_total, total) = (stated("sub_total"), stated("tax_total"), stated("total"));
    let (tip, paid, due) = (stated("tip_total").unwrap_or(0), stated("paid_total"), stated("due_total"));
    let (items, has_all_items) = draft.child_rows("invoice_items");
    let sums = ["sub_total", "tax_total", "total"].map(|name| sum(&items, name, |_| true));
    let (payments, has_all_payments) = draft.child_rows("invoice_payments");
    let received = sum(&payments, "amount", |payment| payment.get("status") == Some("SUCCEEDED"));
    let mut compare = |is_complete: bool, name: &str, stated: Option<i64>, sum: Option<i64>, tip: i64| {
        let (Some(stated), Some(sum)) = (stated, sum) else { return };
        if is_complete && stated != sum && stated != sum.saturating_add(tip) {
            draft.note(format!("{name}: {stated} stated, sum is {sum}, in minor units"));
        }
    };
    let [items_sub_total, items_tax_total, items_total] = sums;
    compare(has_all_items, "sub_total of items", sub_total, items_sub_total, 0);
    compare(has_all_items, "tax_total of items", tax_total, items_tax_total, 0);
    // The source does not say whether the total and the paid amount include the tip.
    compare(has_all_items, "total of items", total, items_total, tip);
    compare(has_all_payments, "paid_total of payments", paid, received, tip);
    let owed = total.zip(paid).and_then(|(total, paid)| total.checked_sub(paid));
    compare(true, "due_total", due, owed, tip);
}

/// Returns the sum of a column over the counted rows; none where a row has no such number, or the sum overflows.
fn sum(rows: &[ChildRowDraft<'_>], name: &str, counts: impl Fn(&ChildRowDraft<'_>) -> bool) -> Option<i64> {
    rows.iter().filter(|row| counts(row)).try_fold(0_i64, |sum, row| sum.checked_add(row.whole_number(name)?))
}

fn clean_names(draft: &mut RowDraft<'_>) {
    draft.remove_invisible(&[
        "alt_billing_company_name",
        "alt_billing_first_name",
        "alt_billing_last_name",
        "alt_billing_email",
    ]);
}

fn convert_to_units(draft: &mut RowDraft<'_>) {
    let divisor = divisor(draft.record.raw);
    let currency = field(draft.record.raw, &["currency", "code"]).as_str();
    let to_units = |divisor: Option<i64>| move |minor| in_units(minor, divisor?);
    draft.own_cells().convert_amounts(to_units(divisor));
    for item in &mut draft.child_rows("invoice_items").0 {
        item.convert_amounts(to_units(divisor));
    }
    let mut is_known = divisor.is_some();
    for payment in &mut draft.child_rows("invoice_payments").0 {
        // The invoice's divisor applies to a payment in the same currency, or in one that is not named.
        let named = field(payment.raw, &["currency", "code"]).as_str();
        let is_same = named.is_none_or(|code| Some(code) == currency);
        let own = self::divisor(payment.raw).or(divisor.filter(|_| is_same));
        is_known &= own.is_some();
        payment.convert_amounts(to_units(own));
    }
    if !is_known {
        draft.note("currency.divisor is not a positive number; amounts left empty");
    }
}

fn divisor(raw: &serde_json::Value) -> Option<i64> {
    whole_number(field(raw, &["currency", "divisor"])).filter(|divisor| *divisor > 0)
}

fn derive_days(draft: &mut RowDraft<'_>) {
    for payment in &mut draft.child_rows("invoice_payments").0 {
        let paid_at = payment.raw.get("paidAt").and_then(serde_json::Value::as_str).and_then(parse_instant);
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
    fn amounts_are_converted_to_units_of_their_currency() {
        let row = transformed(&invoice());
        let own = |name| row.as_ref().and_then(|row| row.get(COLUMNS, name));
        assert_eq!(
            (own("total"), own("due_total"), own("tip_total")),
            (Some("229.95"), Some("129.95"), None)
        );
        let cell = |table: usize, row_index: usize, columns: &[Column], name| {
            let index = columns.iter().position(|column| column.name == name)?;
            row.as_ref()?.child_rows.get(table)?.rows.get(row_index)?.cells.get(index)?.clone()
        };
        assert_eq!(cell(0, 0, ITEM_COLUMNS, "total").as_deref(), Some("172.46"));
        assert_eq!(cell(0, 0, ITEM_COLUMNS, "piano_id").as_deref(), Some("ins_1"));
        assert_eq!(cell(1, 0, PAYMENT_COLUMNS, "amount").as_deref(), Some("100.00"));
        assert_eq!(cell(1, 0, PAYMENT_COLUMNS, "paid_on").as_deref(), Some("2026-02-28"));
        assert_eq!(cell(1, 1, PAYMENT_COLUMNS, "amount").as_deref(), Some("12995"));
        assert_eq!(row.map(|row| row.notes), Some(Vec::new()));
    }

    #[test]
    fn wrong_totals_are_noted_and_not_rejected() {
        let changes: [(&str, Value, &str); 5] = [
            ("total", json!(23_000), "total of items: 23000 stated, sum is 22995, in minor units"),
            ("subTotal", json!(1), "sub_total of items: 1 stated"),
            ("paidTotal", json!(22_995), "paid_total of payments: 22995 stated, sum is 10000"),
            ("dueTotal", json!(0), "due_total: 0 stated, sum is 12995"),
            ("currency", json!(null), "currency.divisor is not a positive number"),
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
        // A truncated list proves nothing about the totals.
        let mut raw = invoice();
        raw["allInvoiceItems"] = json!({"pageInfo": {"hasNextPage": true}, "nodes": []});
        let notes = transformed(&raw).map(|row| row.notes);
        assert_eq!(notes, Some(vec!["allInvoiceItems is truncated by the source".to_owned()]));
    }
}
