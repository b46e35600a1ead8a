//! Texts of `import-v5`: the report of differences.

/// Reason: a row without an id.
pub const NO_KEY: &str = "sans external_id";
/// Reason: a row with the id of another.
pub const REPEATED_KEY: &str = "external_id répété";
/// Reason: a row whose id cannot be an id.
pub const UNUSABLE_KEY: &str = "external_id inutilisable";
/// Reason: a row that is no JSON object.
pub const UNREADABLE_ROW: &str = "ligne illisible";
/// Reason: a row that the database refuses.
pub const REFUSED_BY_DATABASE: &str = "refusée par la base";
/// Reason: a contact whose client V5 does not hold.
pub const CONTACT_WITHOUT_CLIENT: &str = "contact sans client";

/// State of an import that wrote raw pages.
pub const APPLIED: &str = "pages brutes écrites, la chaîne les promeut";
/// State of an import that wrote nothing.
pub const DRY_RUN: &str = "essai à blanc : rien n'est écrit";

/// Table line: rows of V5.
pub const ROWS: &str = "Lignes dans V5";
/// Table line: rows that V6 lacks.
pub const NEW: &str = "À créer dans V6";
/// Table line: rows imported before that have changed in V5.
pub const RENEWED: &str = "À mettre à jour (reprises déjà, changées depuis dans V5)";
/// Table line: rows that V6 has with the same content.
pub const SAME: &str = "Identiques dans V6";
/// Table line: rows that V6 has with other content.
pub const DIFFERENT: &str = "Différentes dans V6 (V6 l'emporte)";
/// Table line: rows of V6 that get manual values.
pub const FILLED: &str = "Fiches de V6 qui reçoivent des valeurs tenues à la main";
/// Table line: duplicates that are left out.
pub const DUPLICATES: &str = "Doublons écartés (même contenu sous un identifiant tme_)";
/// Table line: contacts that were merged into their client.
pub const CONTACTS: &str = "Contacts joints à leur client";
/// Table line: contacts without a client.
pub const CONTACTS_WITHOUT_CLIENT: &str = "Contacts sans client (gardés dans les pages brutes)";
/// Table line: records to which V5 refers and which nobody holds.
pub const UNKNOWN_RECORDS: &str = "Fiches inconnues de tous, auxquelles V5 renvoie";
/// Table line: raw pages written.
pub const PAGES_WRITTEN: &str = "Pages brutes écrites";

/// Kind of samples: rows imported before that have changed in V5.
pub const SAMPLE_RENEWED: &str = "à mettre à jour";
/// Kind of samples: rows that V6 has with other content.
pub const SAMPLE_DIFFERENT: &str = "différentes";
/// Kind of samples: rows of V6 that get manual values.
pub const SAMPLE_FILLED: &str = "valeurs tenues à la main";
/// Kind of samples: duplicates that are left out.
pub const SAMPLE_DUPLICATES: &str = "doublons";
/// Kind of samples: records to which V5 refers and which nobody holds.
pub const SAMPLE_UNKNOWN: &str = "inconnues";

/// Returns the reason for a row whose required field is missing or unreadable.
#[must_use]
pub fn required_field(field: &str) -> String {
    format!("{field} absent ou illisible")
}

/// Returns the heading of the report.
#[must_use]
pub fn heading(schema: &str, state: &str) -> String {
    format!("Reprise de V5, schéma « {schema} » : {state}.")
}

/// Returns the table line of the rows that were not imported for this reason.
#[must_use]
pub fn not_imported(reason: &str) -> String {
    format!("Non reprises : {reason}")
}

/// Returns the notice that V5 lacks a table.
#[must_use]
pub fn missing_table(table: &str) -> String {
    format!("V5 n'a pas de table {table}.")
}

/// Returns the notice that V5 lacks columns or tables.
#[must_use]
pub fn missing_columns(names: &[String]) -> String {
    format!("V5 n'a pas : {}.", names.join(", "))
}

/// Returns the notice that duplicates could not be searched for.
#[must_use]
pub fn duplicates_not_searched(table: &str) -> String {
    format!("Doublons non cherchés dans {table} : V5 n'y dit pas de date.")
}

/// Returns the heading of the samples.
#[must_use]
pub fn samples_heading(max: usize) -> String {
    format!("Exemples, {max} au plus :")
}

/// Returns a line of samples.
#[must_use]
pub fn samples(title: &str, ids: &[String]) -> String {
    format!("  {title} : {}", ids.join(", "))
}

/// Returns the line that names the run of an entity.
#[must_use]
pub fn run(title: &str, run_id: &str) -> String {
    format!("  {title}, exécution {run_id}")
}
