//! Invoices: totals, filters, oddities, references and truth.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::session::{Session, fixed_config};

/// Predicate that a filter is expected to apply to nodes.
type Predicate<'a> = &'a dyn Fn(&Value) -> bool;

const LINES: &str = "allInvoiceItems { nodes { id quantity amount subTotal taxTotal total taxable
        piano { id } masterServiceItem { id name isTuning } taxes { id name rate taxId total } } }
    allInvoicePayments { nodes { id amount status paidAt tipTotal currency { code divisor }
        invoice { id number } } }";

fn selection() -> String {
    format!(
        "id number status archived client {{ id }} contact {{ id }} createdBy {{ id }} currency {{ code divisor }}
         subTotal taxTotal tipTotal total paidTotal dueTotal notes tags createdAt updatedAt {LINES}"
    )
}

async fn invoices(session: &Session) -> Vec<Value> {
    session.fetch_all("allInvoices", "", &selection(), 50).await
}

fn nodes<'a>(invoice: &'a Value, list: &str) -> &'a [Value] {
    invoice[list]["nodes"].as_array().unwrap()
}

fn sum(records: &[Value], field: &str) -> i64 {
    records.iter().map(|record| record[field].as_i64().unwrap()).sum()
}

fn adds_up(invoice: &Value) -> bool {
    let items = nodes(invoice, "allInvoiceItems");
    let payments: Vec<Value> = nodes(invoice, "allInvoicePayments")
        .iter()
        .filter(|payment| payment["status"] == "SUCCEEDED")
        .cloned()
        .collect();
    let total = sum(items, "total");
    let paid = sum(&payments, "amount");
    ["subTotal", "taxTotal"].iter().all(|field| invoice[*field] == sum(items, field))
        && invoice["tipTotal"] == sum(&payments, "tipTotal")
        && (&invoice["total"], &invoice["paidTotal"]) == (&json!(total), &json!(paid))
        && invoice["dueTotal"] == total - paid
}

#[tokio::test]
async fn totals_add_up_before_and_after_edits() {
    let session = Session::start(fixed_config()).await;
    let count_wrong = |invoices: &[Value]| {
        invoices.iter().filter(|invoice| !invoice.is_null() && !adds_up(invoice)).count()
    };
    assert_eq!(count_wrong(&invoices(&session).await), 1);
    session.post("/_sim/reset", json!({"oddities": false})).await;
    assert_eq!(count_wrong(&invoices(&session).await), 0);
    session.post("/_sim/advance", json!({"creates": 20, "edits": 200, "entity": "invoices"})).await;
    let edited = invoices(&session).await;
    assert_eq!((edited.len(), count_wrong(&edited)), (420, 0));
}

#[tokio::test]
async fn item_total_is_amount_times_quantity_plus_tax() {
    let session = Session::start(fixed_config()).await;
    let (mut taxed, mut untaxed) = (0, 0);
    for invoice in invoices(&session).await.iter().filter(|invoice| !invoice.is_null()) {
        for item in nodes(invoice, "allInvoiceItems") {
            let of = |field: &str| item[field].as_i64().unwrap();
            assert_eq!(of("subTotal") * 100, of("amount") * of("quantity"));
            assert_eq!(of("total"), of("subTotal") + of("taxTotal"));
            let taxes = item["taxes"].as_array().unwrap();
            assert_eq!(sum(taxes, "total"), of("taxTotal"));
            if item["taxable"] == true {
                taxed += 1;
                let rates: Vec<_> = taxes.iter().map(|tax| tax["rate"].as_i64().unwrap()).collect();
                assert_eq!(rates, [5000, 9975]);
                assert!((of("taxTotal") * 100_000 - of("subTotal") * 14_975).abs() <= 100_000);
            } else {
                untaxed += 1;
                assert!(taxes.is_empty());
            }
        }
        for payment in nodes(invoice, "allInvoicePayments") {
            assert_eq!(payment["invoice"]["number"], invoice["number"]);
        }
    }
    assert!(taxed > 500 && untaxed > 50, "{taxed} {untaxed}");
}

#[tokio::test]
async fn oddities_are_present() {
    let session = Session::start(fixed_config()).await;
    let truth = session.get("/_sim/truth/invoices").await;
    assert_eq!(truth["skipped"], json!({"null_node": 2, "null_id": 2}));
    assert_eq!((&truth["total_count"], &truth["placeholders"]), (&json!(400), &json!([])));
    let rows = session.truth_with_children("invoices").await;
    let statuses: BTreeSet<_> = rows.values().map(|row| row["status"].as_str().unwrap()).collect();
    let expected = ["CANCELED", "DELETED", "DRAFT", "IN_COLLECTION", "OPEN", "OVERDUE", "PAID"];
    assert_eq!(statuses, BTreeSet::from(expected));
    let currencies: BTreeSet<_> = rows.values().map(|row| row["currency"].as_str().unwrap()).collect();
    assert_eq!(currencies, BTreeSet::from(["CAD", "JPY", "TND"]));
    let count = |matches: &dyn Fn(&Value) -> bool| rows.values().filter(|row| matches(row)).count();
    let lines = |row: &Value, child: &str| row[child].as_array().unwrap().clone();
    assert_eq!(count(&|row| lines(row, "invoice_items").len() == 130), 1);
    assert_eq!(count(&|row| lines(row, "invoice_items").iter().any(|item| item["item_id"].is_null())), 1);
    assert_eq!(count(&|row| row["client_id"].is_null()), 1);
    assert_eq!(count(&|row| row["notes"].as_str().is_some_and(|notes| notes.len() > 190_000)), 1);
    let is_foreign =
        |row: &Value| lines(row, "invoice_payments").iter().any(|paid| paid["currency"] != row["currency"]);
    assert_eq!(count(&is_foreign), 1);
    for table in ["users", "clients", "pianos"] {
        let unlisted = session.get(&format!("/_sim/truth/{table}")).await["placeholders"].clone();
        let is_unlisted = |value: &Value| unlisted.as_array().unwrap().contains(value);
        let refers = |row: &Value| match table {
            "users" => is_unlisted(&row["created_by_id"]),
            "clients" => is_unlisted(&row["client_id"]),
            _ => lines(row, "invoice_items").iter().any(|item| is_unlisted(&item["piano_id"])),
        };
        assert_eq!(count(&refers), 1, "{table}");
    }
}

#[tokio::test]
async fn long_item_list_is_paged() {
    let session = Session::start(fixed_config()).await;
    let rows = session.truth_with_children("invoices").await;
    let (id, row) =
        rows.iter().find(|(_, row)| row["invoice_items"].as_array().unwrap().len() == 130).unwrap();
    let query = "query($id: String!, $after: String) { invoice(id: $id) {
        allInvoiceItems(first: 100, after: $after) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
    let page = |after: Value| session.query(query, json!({"id": id, "after": after}));
    let first = page(Value::Null).await["data"]["invoice"]["allInvoiceItems"].clone();
    assert_eq!((&first["totalCount"], &first["pageInfo"]["hasNextPage"]), (&json!(130), &json!(true)));
    let second =
        page(first["pageInfo"]["endCursor"].clone()).await["data"]["invoice"]["allInvoiceItems"].clone();
    assert_eq!(second["pageInfo"]["hasNextPage"], false);
    let items = [&first, &second].map(|page| page["nodes"].as_array().unwrap().clone()).concat();
    let served: Vec<_> = items.iter().map(|item| &item["id"]).collect();
    let expected: Vec<_> =
        row["invoice_items"].as_array().unwrap().iter().map(|item| &item["item_id"]).collect();
    assert_eq!(served, expected);
}

#[tokio::test]
async fn filters_select_matches_and_unknown_one_fails() {
    let session = Session::start(fixed_config()).await;
    let all = session.fetch_all("allInvoices", "", "id status archived client { id }", 100).await;
    let client = all.iter().find_map(|invoice| invoice["client"]["id"].as_str()).unwrap();
    let by_client = format!("clientId: \"{client}\"");
    let cases: [(&str, Predicate<'_>); 4] = [
        ("status: [PAID, IN_COLLECTION]", &|it| it["status"] == "PAID" || it["status"] == "IN_COLLECTION"),
        ("archived: true", &|it| it["archived"] == true),
        ("archived: false, status: [OPEN]", &|it| it["archived"] == false && it["status"] == "OPEN"),
        (&by_client, &|it| it["client"]["id"] == client),
    ];
    for (filter, matches) in cases {
        let arguments = format!(", filters: {{{filter}}}");
        let listed =
            session.fetch_all("allInvoices", &arguments, "id status archived client { id }", 9).await;
        let expected: Vec<_> = all.iter().filter(|it| !it.is_null() && matches(it)).cloned().collect();
        assert!(!expected.is_empty() && listed == expected, "{filter}");
    }
    let body = session.query("{ allInvoices(filters: {tipIncluded: true}) { totalCount } }", json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "notSimulated");
}

#[tokio::test]
async fn listing_sorts_by_creation_both_ways() {
    let session = Session::start(fixed_config()).await;
    let mut listed = session.fetch_all("allInvoices", "", "id createdAt", 100).await;
    let dates: Vec<_> = listed.iter().filter_map(|invoice| invoice["createdAt"].as_str()).collect();
    assert!(dates.is_sorted());
    let newest_first =
        session.fetch_all("allInvoices", ", sortBy: [CREATED_AT_DESC]", "id createdAt", 100).await;
    listed.reverse();
    assert_eq!(newest_first, listed);
}

#[tokio::test]
async fn truth_matches_api_in_major_units() {
    let session = Session::start(fixed_config()).await;
    let truth = session.truth_with_children("invoices").await;
    let major = |minor: &Value, currency: &Value| {
        let divisor = currency["divisor"].as_f64().unwrap();
        json!(minor.as_f64().unwrap() / divisor)
    };
    let mut compared = 0;
    for node in invoices(&session).await {
        let Some(row) = node["id"].as_str().map(|id| &truth[id]) else {
            continue;
        };
        compared += 1;
        let currency = &node["currency"];
        assert_eq!((&row["client_id"], &row["contact_id"]), (&node["client"]["id"], &node["contact"]["id"]));
        assert_eq!((&row["currency"], &row["tags"]), (&currency["code"], &node["tags"]));
        for (column, field) in [("total", "total"), ("tax_total", "taxTotal"), ("due_total", "dueTotal")] {
            assert_eq!(row[column], major(&node[field], currency), "{column}");
        }
        let items = nodes(&node, "allInvoiceItems");
        let lines = row["invoice_items"].as_array().unwrap();
        assert_eq!(items.len(), lines.len());
        for (index, (item, line)) in items.iter().zip(lines).enumerate() {
            assert_eq!((&line["line"], &line["item_id"]), (&json!(index + 1), &item["id"]));
            assert_eq!((&line["quantity"], &line["taxes"]), (&item["quantity"], &item["taxes"]));
            assert_eq!(line["master_service_item_id"], item["masterServiceItem"]["id"]);
            assert_eq!(line["amount"], major(&item["amount"], currency));
        }
        let payments = nodes(&node, "allInvoicePayments");
        let lines = row["invoice_payments"].as_array().unwrap();
        assert_eq!(payments.len(), lines.len());
        for (payment, line) in payments.iter().zip(lines) {
            assert_eq!((&line["payment_id"], &line["invoice_id"]), (&payment["id"], &node["id"]));
            assert_eq!(line["amount"], major(&payment["amount"], &payment["currency"]));
            assert_eq!(line["paid_on"].is_null(), payment["paidAt"].is_null());
        }
    }
    assert_eq!(compared, truth.len());
}

#[tokio::test]
async fn amount_uses_divisor_of_its_currency() {
    let session = Session::start(fixed_config()).await;
    let nodes = invoices(&session).await;
    let truth = session.truth("invoices").await;
    for (code, divisor) in [("CAD", 100.0), ("JPY", 1.0), ("TND", 1000.0)] {
        let is_this = |node: &&Value| node["currency"]["code"] == code && node["total"].as_i64() > Some(0);
        let node = nodes.iter().find(is_this).unwrap();
        let row = &truth[node["id"].as_str().unwrap()];
        assert_eq!(row["total"].as_f64(), node["total"].as_f64().map(|minor| minor / divisor), "{code}");
    }
}

#[tokio::test]
async fn deleting_piano_clears_item_references() {
    let session = Session::start(fixed_config()).await;
    let before = session.truth_with_children("invoices").await;
    let deleted = session.post("/_sim/advance", json!({"deletes": 300, "entity": "pianos"})).await;
    let deleted: BTreeSet<&str> =
        deleted["pianos"]["deleted"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let after = session.truth_with_children("invoices").await;
    let mut cleared = 0;
    for (id, row) in &before {
        let items = row["invoice_items"].as_array().unwrap();
        let left = after[id]["invoice_items"].as_array().unwrap();
        assert_eq!(items.len(), left.len());
        for (old, new) in items.iter().zip(left) {
            let was_cleared = old["piano_id"].as_str().is_some_and(|piano| deleted.contains(piano));
            cleared += usize::from(was_cleared);
            let expected = if was_cleared { &Value::Null } else { &old["piano_id"] };
            assert_eq!(&new["piano_id"], expected);
        }
    }
    assert!(cleared > 100, "{cleared}");
}

#[tokio::test]
async fn merge_repoints_references_to_survivor() {
    let session = Session::start(fixed_config()).await;
    let before = session.truth_with_children("invoices").await;
    let merged = |report: &Value, table: &str| -> BTreeSet<String> {
        let deleted = report[table]["deleted"].as_array().unwrap().iter();
        deleted.map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let report = session.post("/_sim/advance", json!({"merges": 120})).await;
    let (clients, pianos) = (merged(&report, "clients"), merged(&report, "pianos"));
    let (listed_clients, listed_pianos) = (session.truth("clients").await, session.truth("pianos").await);
    let after = session.truth_with_children("invoices").await;
    let mut moved = [0, 0];
    for (id, row) in &before {
        let new = &after[id];
        if row["client_id"].as_str().is_some_and(|client| clients.contains(client)) {
            moved[0] += 1;
            assert!(listed_clients.contains_key(new["client_id"].as_str().unwrap()));
            assert!(row["gazelle_updated_at"].as_str() < new["gazelle_updated_at"].as_str());
        }
        let items = row["invoice_items"].as_array().unwrap().iter();
        for (old, new) in items.zip(new["invoice_items"].as_array().unwrap()) {
            if old["piano_id"].as_str().is_some_and(|piano| pianos.contains(piano)) {
                moved[1] += 1;
                assert!(listed_pianos.contains_key(new["piano_id"].as_str().unwrap()));
            }
        }
    }
    assert!(moved.iter().all(|count| *count > 10), "{moved:?}");
}
