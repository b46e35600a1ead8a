//! Mirror tables of invoices.

use crate::{
    column::{
        ChildTable, Column,
        ColumnSource::{LocalDay, Money, Nested, Path},
    },
    entity::ModelId,
};

/// Identity of the model, which is the name of its table.
pub(super) const ID: ModelId = ModelId("invoices");

/// Tables of the items and the payments.
pub(super) const CHILD_TABLES: &[ChildTable] = &[
    ChildTable {
        name: "invoice_items",
        parent_column: "invoice_id",
        list: "allInvoiceItems",
        columns: ITEMS,
    },
    ChildTable {
        name: "invoice_payments",
        parent_column: "invoice_id",
        list: "allInvoicePayments",
        columns: PAYMENTS,
    },
];

/// Columns of the table `invoices`.
pub(super) const INVOICES: &[Column] = &[
    ("id", Path(&["id"])),
    ("client_id", Path(&["client"])),
    ("contact_id", Path(&["contact", "id"])),
    ("assigned_to_id", Path(&["assignedTo"])),
    ("created_by_id", Path(&["createdBy"])),
    ("number", Path(&["number"])),
    ("status", Path(&["status"])),
    ("archived", Path(&["archived"])),
    ("currency", Path(&["currency", "code"])),
    ("sub_total", Money("subTotal")),
    ("tax_total", Money("taxTotal")),
    ("tip_total", Money("tipTotal")),
    ("total", Money("total")),
    ("paid_total", Money("paidTotal")),
    ("due_total", Money("dueTotal")),
    ("due_on", Path(&["dueOn"])),
    ("net_days", Path(&["netDays"])),
    ("notes", Path(&["notes"])),
    ("top_notes", Path(&["topNotes"])),
    ("tags", Path(&["tags"])),
    ("summarize", Path(&["summarize"])),
    ("has_payments_pending", Path(&["hasPaymentsPending"])),
    ("needs_quickbooks_sync", Path(&["needsQuickbooksSync"])),
    ("last_quickbooks_sync_at", Path(&["lastQuickbooksSyncAt"])),
    ("alt_billing_company_name", Path(&["altBillingCompanyName"])),
    ("alt_billing_first_name", Path(&["altBillingFirstName"])),
    ("alt_billing_last_name", Path(&["altBillingLastName"])),
    ("alt_billing_email", Path(&["altBillingEmail"])),
    ("alt_billing_phone", Path(&["altBillingPhone"])),
    ("alt_billing_street1", Path(&["altBillingStreet1"])),
    ("alt_billing_street2", Path(&["altBillingStreet2"])),
    ("alt_billing_city", Path(&["altBillingMunicipality"])),
    ("alt_billing_region", Path(&["altBillingRegion"])),
    ("alt_billing_postal_code", Path(&["altBillingPostalCode"])),
    ("alt_billing_country_code", Path(&["altBillingCountryCode"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const ITEMS: &[Column] = &[
    ("item_id", Path(&["id"])),
    ("piano_id", Path(&["piano"])),
    ("master_service_item_id", Path(&["masterServiceItem", "id"])),
    ("type", Path(&["type"])),
    ("description", Path(&["description"])),
    ("sequence_number", Path(&["sequenceNumber"])),
    ("quantity", Path(&["quantity"])),
    ("amount", Money("amount")),
    ("sub_total", Money("subTotal")),
    ("tax_total", Money("taxTotal")),
    ("total", Money("total")),
    ("billable", Path(&["billable"])),
    ("taxable", Path(&["taxable"])),
    ("taxes", Nested("taxes")),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const PAYMENTS: &[Column] = &[
    ("payment_id", Path(&["id"])),
    ("amount", Money("amount")),
    ("tip_total", Money("tipTotal")),
    ("currency", Path(&["currency", "code"])),
    ("type", Path(&["type"])),
    ("status", Path(&["status"])),
    ("payment_source", Path(&["paymentSource"])),
    ("paid_at", Path(&["paidAt"])),
    ("paid_on", LocalDay("paidAt")),
    ("payment_details", Path(&["paymentDetails"])),
    ("notes", Path(&["notes"])),
    ("failure_reason", Path(&["failureReason"])),
    ("is_stripe_payment", Path(&["isStripePayment"])),
    ("was_initiated_by_client", Path(&["wasInitiatedByClient"])),
    ("gazelle_created_at", Path(&["createdAt"])),
];
