//! Clients: households and institutions, each with its default contact.

use super::{Absence, Entity, Query, Shape, Source, Title};
use crate::matching::{Matching, Relation, client};
use crate::normalize;
use crate::row::{Column, Kind};
use crate::rule::{Draft, Effect, Rule};

pub(super) static CLIENT: Entity = Entity {
    name: "clients",
    title: Title { french: "Clients", english: "Clients" },
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
    parts: &[],
    rules: RULES,
    placeholder: &[("company_name", "Inconnu ({id})"), ("display_name", "Inconnu ({id})")],
    absence: Absence::AskedFor { root: "client", argument: "id" },
    twins: None,
    matching: Some(Matching {
        columns: client::COLUMNS,
        keys: client::keys,
        score: client::score,
        threshold: 0.85,
        margin: 0.0,
        relation: Relation::ProbableDuplicate,
    }),
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
    Column::derived("phone_e164", Kind::Text),
    Column::new("street1", Kind::Text, &["defaultContact", "defaultLocation", "street1"]),
    Column::new("street2", Kind::Text, &["defaultContact", "defaultLocation", "street2"]),
    Column::new("city", Kind::Text, &["defaultContact", "defaultLocation", "municipality"]),
    Column::new("region", Kind::Text, &["defaultContact", "defaultLocation", "region"]),
    Column::new("postal_code", Kind::Text, &["defaultContact", "defaultLocation", "postalCode"]),
    Column::new("country_code", Kind::Text, &["defaultContact", "defaultLocation", "countryCode"]),
    Column::new("personal_notes", Kind::Text, &["personalNotes"]).protected(),
    Column::new("preference_notes", Kind::Text, &["preferenceNotes"]).protected(),
    Column::new("locale", Kind::Text, &["localization", "locale"]),
    Column::derived("language", Kind::Text),
    Column::new("tags", Kind::TextArray, &["tags"]).protected(),
    Column::new("preferred_technician_id", Kind::Text, &["preferredTechnician", "id"]).references("users"),
    Column::new("lifecycle_state", Kind::Text, &["lifecycleState"]),
    Column::new("no_contact_until", Kind::Date, &["noContactUntil"]),
    Column::new("reason_inactive_code", Kind::Text, &["reasonInactiveCode"]),
    Column::new("reference_id", Kind::Text, &["referenceId"]),
    Column::new("gazelle_created_at", Kind::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", Kind::Timestamp, &["updatedAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("an e-mail has no spaces around it", Effect::Repairs(trim_email)),
    Rule::new("a client is called by its company, else by its contact", Effect::Derives(derive_display_name)),
    Rule::new("a phone number is dialled from anywhere", Effect::Derives(derive_phone)),
    Rule::new("the language is that of the locale", Effect::Derives(derive_language)),
];

fn trim_email(draft: &mut Draft<'_>) {
    let trimmed = draft.get("email").map(|email| (email.trim().to_owned(), email.len()));
    if let Some((trimmed, length)) = trimmed
        && trimmed.len() < length
    {
        draft.set("email", Some(trimmed).filter(|email| !email.is_empty()));
        draft.note("spaces around the e-mail left out");
    }
}

fn derive_display_name(draft: &mut Draft<'_>) {
    let name = display_name(draft.get("company_name"), draft.get("first_name"), draft.get("last_name"));
    draft.set("display_name", name);
}

/// In E.164 where the number is complete; otherwise only the number as typed stays.
fn derive_phone(draft: &mut Draft<'_>) {
    let phone = draft.get("phone").and_then(normalize::phone);
    draft.set("phone_e164", phone);
}

fn derive_language(draft: &mut Draft<'_>) {
    let language = draft.get("locale").and_then(language);
    draft.set("language", language);
}

/// ISO 639 of a locale: `fr` of `fr_CA`, `fr-CA` or `FR`.
fn language(locale: &str) -> Option<String> {
    let language = locale.split(['_', '-', '.']).next()?.trim();
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_language.then(|| language.to_ascii_lowercase())
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
    use serde_json::json;

    use super::*;
    use crate::row::Record;

    #[test]
    fn the_phone_the_language_and_the_e_mail_are_made_usable_and_what_was_typed_stays() {
        let raw = json!({"id": "x", "localization": {"locale": "fr_CA"}, "defaultContact": {
            "defaultPhone": {"phoneNumber": "(514) 555-0123"}, "defaultEmail": {"email": " a@example.org "}}});
        let row = CLIENT.transform(Record { raw: &raw, parent_id: None }).ok();
        let row = row.as_ref();
        let get = |name| row.and_then(|row| row.get(COLUMNS, name));
        assert_eq!(
            (get("phone"), get("phone_e164"), get("language"), get("email")),
            (Some("(514) 555-0123"), Some("+15145550123"), Some("fr"), Some("a@example.org"))
        );
        assert_eq!(row.map(|row| row.notes.len()), Some(1));
    }

    #[test]
    fn a_locale_that_is_none_has_no_language() {
        let languages = ["fr_CA", "EN", "en-US", "", "french", "1_2", "zho"].map(language);
        let expected = [Some("fr"), Some("en"), Some("en"), None, None, None, Some("zho")];
        assert_eq!(languages, expected.map(|language| language.map(str::to_owned)));
    }

    #[test]
    fn a_client_is_called_by_its_company_else_by_its_contact_else_not_at_all() {
        let called = |company, first, last| display_name(company, first, last);
        assert_eq!(called(Some(" École Alma "), Some("Zoé"), None), Some("École Alma".to_owned()));
        assert_eq!(called(Some("  "), Some("Zoé"), Some("Lebrun")), Some("Zoé Lebrun".to_owned()));
        assert_eq!(called(None, None, Some("Lebrun")), Some("Lebrun".to_owned()));
        assert_eq!(called(None, Some(" "), None), None);
    }
}
