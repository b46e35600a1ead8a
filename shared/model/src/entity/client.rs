//! Clients: households and institutions, each with its default contact.

use super::definition::{DeletionPolicy, Entity, PlaceholderNotice, Query, Shape, Source, Title};
use crate::column::{Column, ColumnType};
use crate::matching::{DuplicateRule, Matching, Relation, client};
use crate::normalize;
use crate::rule::{Effect, RowDraft, Rule};

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
        // The only order in which an edit moves no record to another page during a run.
        shape: Shape::Connection { arguments: ", sortBy: [CREATED_AT_ASC]", window: None },
    }),
    columns: COLUMNS,
    partitioned_by: None,
    child_tables: &[],
    rules: RULES,
    placeholder: &[("company_name", "Inconnu ({id})"), ("display_name", "Inconnu ({id})")],
    placeholder_notice: PlaceholderNotice::AfterListing,
    deletion_policy: DeletionPolicy::LookupById { root: "client", argument: "id" },
    duplicate_ids: None,
    matching: Some(Matching {
        columns: client::COLUMNS,
        keys: client::keys,
        score: client::score,
        threshold: 0.85,
        margin: 0.0,
        relation: Relation::ProbableDuplicate(DuplicateRule {
            certain: client::CERTAIN,
            evidence: client::evidence,
            label: client::label,
            contact: client::contact,
        }),
    }),
};

const COLUMNS: &[Column] = &[
    Column::new("company_name", ColumnType::Text, &["companyName"]),
    Column::new("first_name", ColumnType::Text, &["defaultContact", "firstName"]),
    Column::new("last_name", ColumnType::Text, &["defaultContact", "lastName"]),
    Column::derived("display_name", ColumnType::Text),
    Column::new("status", ColumnType::Text, &["status"]),
    Column::new("client_type", ColumnType::Text, &["clientType"]),
    Column::new("email", ColumnType::Text, &["defaultContact", "defaultEmail", "email"]),
    Column::new("phone", ColumnType::Text, &["defaultContact", "defaultPhone", "phoneNumber"]),
    Column::derived("phone_e164", ColumnType::Text),
    Column::new("street1", ColumnType::Text, &["defaultContact", "defaultLocation", "street1"]),
    Column::new("street2", ColumnType::Text, &["defaultContact", "defaultLocation", "street2"]),
    Column::new("city", ColumnType::Text, &["defaultContact", "defaultLocation", "municipality"]),
    Column::new("region", ColumnType::Text, &["defaultContact", "defaultLocation", "region"]),
    Column::new("postal_code", ColumnType::Text, &["defaultContact", "defaultLocation", "postalCode"]),
    Column::new("country_code", ColumnType::Text, &["defaultContact", "defaultLocation", "countryCode"]),
    Column::new("personal_notes", ColumnType::Text, &["personalNotes"]).protected(),
    Column::new("preference_notes", ColumnType::Text, &["preferenceNotes"]).protected(),
    Column::new("locale", ColumnType::Text, &["localization", "locale"]),
    Column::derived("language", ColumnType::Text),
    Column::new("tags", ColumnType::TextArray, &["tags"]).protected(),
    Column::new("preferred_technician_id", ColumnType::Text, &["preferredTechnician", "id"])
        .references("users"),
    Column::new("lifecycle_state", ColumnType::Text, &["lifecycleState"]),
    Column::new("no_contact_until", ColumnType::Date, &["noContactUntil"]),
    Column::new("reason_inactive_code", ColumnType::Text, &["reasonInactiveCode"]),
    Column::new("reference_id", ColumnType::Text, &["referenceId"]),
    Column::new("gazelle_created_at", ColumnType::Timestamp, &["createdAt"]),
    Column::new("gazelle_updated_at", ColumnType::Timestamp, &["updatedAt"]),
];

const RULES: &[Rule] = &[
    Rule::new("a client's names and e-mail hold no invisible character", Effect::Repairs(clean_names)),
    Rule::new("an e-mail has no spaces around it", Effect::Repairs(trim_email)),
    Rule::new(
        "a client's display name is its company, else its contact",
        Effect::Derives(derive_display_name),
    ),
    Rule::new("a complete phone number is in E.164", Effect::Derives(derive_phone)),
    Rule::new("the language is that of the locale", Effect::Derives(derive_language)),
];

fn clean_names(draft: &mut RowDraft<'_>) {
    draft.remove_invisible(&["company_name", "first_name", "last_name", "email"]);
}

fn trim_email(draft: &mut RowDraft<'_>) {
    let trimmed = draft.get("email").map(|email| (email.trim().to_owned(), email.len()));
    if let Some((trimmed, length)) = trimmed
        && trimmed.len() < length
    {
        draft.set("email", Some(trimmed).filter(|email| !email.is_empty()));
        draft.note("removed spaces around the e-mail");
    }
}

fn derive_display_name(draft: &mut RowDraft<'_>) {
    let name = display_name(draft.get("company_name"), draft.get("first_name"), draft.get("last_name"));
    draft.set("display_name", name);
}

/// Derives the number in E.164 where it is complete; the number as typed stays in its own column.
fn derive_phone(draft: &mut RowDraft<'_>) {
    let phone = draft.get("phone").and_then(normalize::phone);
    draft.set("phone_e164", phone);
}

fn derive_language(draft: &mut RowDraft<'_>) {
    let language = draft.get("locale").and_then(language);
    draft.set("language", language);
}

/// Returns the ISO 639 language of a locale: `fr` for `fr_CA`, `fr-CA` or `FR`.
fn language(locale: &str) -> Option<String> {
    let language = locale.split(['_', '-', '.']).next()?.trim();
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|byte| byte.is_ascii_alphabetic());
    is_language.then(|| language.to_ascii_lowercase())
}

/// Returns the name of the company, else that of the contact; none for a client that has neither.
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
    fn phone_language_and_email_are_normalised() {
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
    fn invisible_characters_hide_no_name() {
        let raw = json!({"id": "x", "companyName": "\u{200b}\u{feff}", "noContactUntil": "-5000-01-01", "defaultContact": {
            "firstName": "Zo\u{ad}é", "lastName": "\u{202a}Lebrun\u{200f}",
            "defaultEmail": {"email": "\u{feff}a\u{200b}@example.org\u{2060}"}}});
        let row = CLIENT.transform(Record { raw: &raw, parent_id: None }).ok();
        let get = |name| row.as_ref().and_then(|row| row.get(COLUMNS, name));
        assert_eq!((get("company_name"), get("display_name")), (None, Some("Zoé Lebrun")));
        assert_eq!((get("email"), get("no_contact_until")), (Some("a@example.org"), None));
    }

    #[test]
    fn invalid_locale_has_no_language() {
        let languages = ["fr_CA", "EN", "en-US", "", "french", "1_2", "zho"].map(language);
        let expected = [Some("fr"), Some("en"), Some("en"), None, None, None, Some("zho")];
        assert_eq!(languages, expected.map(|language| language.map(str::to_owned)));
    }

    #[test]
    fn display_name_is_company_else_contact() {
        let name = |company, first, last| display_name(company, first, last);
        assert_eq!(name(Some(" École Alma "), Some("Zoé"), None), Some("École Alma".to_owned()));
        assert_eq!(name(Some("  "), Some("Zoé"), Some("Lebrun")), Some("Zoé Lebrun".to_owned()));
        assert_eq!(name(None, None, Some("Lebrun")), Some("Lebrun".to_owned()));
        assert_eq!(name(None, Some(" "), None), None);
    }
}
