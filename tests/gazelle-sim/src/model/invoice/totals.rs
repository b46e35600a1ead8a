//! Totals of an invoice.

use crate::record::Record;

/// Recalculates the totals of an invoice from its items and its successful payments.
pub(super) fn recalculate(invoice: &mut Record) {
    let sum_items =
        |field: &str| -> i64 { invoice.objects("allInvoiceItems").filter_map(|item| item.int(field)).sum() };
    let has_status =
        |payment: &Record, status: &str| payment.text("status").map(AsRef::as_ref) == Some(status);
    let sum_payments = |field: &str| -> i64 {
        let payments = invoice.objects("allInvoicePayments");
        payments
            .filter(|payment| has_status(payment, "SUCCEEDED"))
            .filter_map(|payment| payment.int(field))
            .sum()
    };
    let (sub_total, tax_total, total) = (sum_items("subTotal"), sum_items("taxTotal"), sum_items("total"));
    let (paid_total, tip_total) = (sum_payments("amount"), sum_payments("tipTotal"));
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
