//! Texts of `migrate`, `login`, `expose` and `withdraw`.

/// Returns the confirmation that the schema is migrated.
#[must_use]
pub fn schema_migrated(schema: &str) -> String {
    format!("Schéma « {schema} » à jour.")
}

/// Returns the confirmation that a role has a new password, stored in a secret.
#[must_use]
pub fn password_stored(role: &str, secret_id: &str) -> String {
    format!("{role} a un nouveau mot de passe, gardé dans le secret {secret_id}.")
}

/// Returns the confirmation that a role may read the production tables of a schema.
#[must_use]
pub fn role_exposed(role: &str, schema: &str) -> String {
    format!("{role} peut maintenant lire les tables de production de « {schema} ».")
}

/// Returns the confirmation that a role may no longer read the production tables of a schema.
#[must_use]
pub fn role_withdrawn(role: &str, schema: &str) -> String {
    format!("{role} ne peut plus lire les tables de production de « {schema} ».")
}
