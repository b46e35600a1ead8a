//! Clients: households and institutions, each with its default contact.

use super::{Absence, Entity, Query, Shape, Source};
use crate::row::{Column, Kind, Record, Rejection, Row};

pub(super) static CLIENT: Entity = Entity {
    name: "clients",
    table: "clients",
    staging_table: "stg_clients",
    source: Source::Query(Query {
        root: "allClients",
        selection: "id companyName status clientType lifecycleState personalNotes preferenceNotes \
                    tags noContactUntil reasonInactiveCode referenceId \
                    preferredTechnician { id } localization { locale } \
                    defaultContact { id firstName lastName \
                      defaultEmail { email } defaultPhone { phoneNumber } \
                      defaultLocation { street1 street2 municipality region postalCode countryCode } } \
                    createdAt updatedAt",
        // The only order in which an edit moves nothing while we page.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    transform,
    placeholder: &[("company_name", "Inconnu ({id})"), ("display_name", "Inconnu ({id})")],
    absence: Absence::AskedFor { root: "client" },
    twins: None,
};

const COLUMNS: &[Column] = &[
    Column::new("company_name", Kind::Text, &["companyName"]),
    Column::new("first_name", Kind::Text, &["defaultContact", "firstName"]),
    Column::new("last_name", Kind::Text, &["defaultContact", "lastName"]),
    Column::derived("display_name", Kind::Text),
    Column::new("status", Kind::Text, &["status"]),
    Column::new("client_type", Kind::Text, &["clientType"]),
    Column::new("email", Kind::Text, &["defaultContact", "defaultEmail", "email"]),
    Column::new("phone", Kind::Text, &["defaultContact", "defaultPhone", "phoneNumber"]),
    Column::new("street1", Kind::Text, &["defaultContact", "defaultLocation", "street1"]),
    Column::new("street2", Kind::Text, &["defaultContact", "defaultLocation", "street2"]),
    Column::new("city", Kind::Text, &["defaultContact", "defaultLocation", "municipality"]),
    Column::new("region", Kind::Text, &["defaultContact", "defaultLocation", "region"]),
    Column::new("postal_code", Kind::Text, &["defaultContact", "defaultLocation", "postalCode"]),
    Column::new("country_code", Kind::Text, &["defaultContact", "defaultLocation", "countryCode"]),
    Column::new("personal_notes", Kind::Text, &["personalNotes"]).protected(),
    Column::new("preference_notes", Kind::Text, &["preferenceNotes"]).protected(),
    Column::new("locale", Kind::Text, &["localization", "locale"]),
    Column::new("tags", Kind::TextArray, &["tags"]).protected(),
    Column::new("preferred_technician_id", Kind::Text, &["preferredTechnician", "id"]).references("users"),
    Column::new("lifecycle_state", Kind::Text, &["lifecycleState"]),
    Column::new("no_contact_until", Kind::Date, &["noContactUntil"]),
    Column::new("reason_inactive_code", Kind::Text, &["reasonInactiveCode"]),
    Column::new("reference_id", Kind::Text, &["referenceId"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

fn transform(record: Record<'_>) -> Result<Row, Rejection> {
    let mut row = Row::read(record, COLUMNS)?;
    let name = display_name(
        row.get(COLUMNS, "company_name"),
        row.get(COLUMNS, "first_name"),
        row.get(COLUMNS, "last_name"),
    );
    row.set(COLUMNS, "display_name", name);
    Ok(row)
}

/// What people call the client: the company, else the contact. Some have neither, and are kept.
fn display_name(company: Option<&str>, first: Option<&str>, last: Option<&str>) -> Option<String> {
    let named = |name: Option<&str>| name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
    named(company).or_else(|| {
        let contact: Vec<String> = [named(first), named(last)].into_iter().flatten().collect();
        named(Some(&contact.join(" ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_called_by_its_company_else_by_its_contact_else_not_at_all() {
        let called = |company, first, last| display_name(company, first, last);
        assert_eq!(called(Some(" École Alma "), Some("Zoé"), None), Some("École Alma".to_owned()));
        assert_eq!(called(Some("  "), Some("Zoé"), Some("Lebrun")), Some("Zoé Lebrun".to_owned()));
        assert_eq!(called(None, None, Some("Lebrun")), Some("Lebrun".to_owned()));
        assert_eq!(called(None, Some(" "), None), None);
    }
}
