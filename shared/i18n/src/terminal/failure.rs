//! Texts of the errors that end a command.

/// Error for settings of the environment.
pub const INVALID_SETTINGS: &str = "Des réglages de l'environnement manquent ou ne conviennent pas.";

/// Error for the database settings.
pub const INVALID_DATABASE_CONFIG: &str = "DATABASE_URL ou DATABASE_SCHEMA ne convient pas.";

/// Error for a `DATABASE_URL` that is no address.
pub const UNREADABLE_DATABASE_URL: &str = "DATABASE_URL : adresse illisible";

/// Error for a `DATABASE_URL` without a host.
pub const DATABASE_URL_WITHOUT_HOST: &str = "DATABASE_URL : adresse sans hôte";

/// Error for a malformed `--at`.
pub const INVALID_AT: &str = "--at : hôte:port attendu, comme aws-0-ca-central-1.pooler.supabase.com:5432";

/// Error of a migration.
pub const MIGRATION_FAILED: &str = "La mise à jour du schéma a échoué ; les migrations déjà faites restent.";

/// Error of the HTTP client of Gazelle.
pub const GAZELLE_CLIENT_FAILED: &str = "Le client HTTP n'a pas pu être préparé.";

/// Error of a question to Gazelle.
pub const NO_ACCESS_LEVEL: &str = "Gazelle n'a pas donné de réponse utilisable.";

/// Error for a malformed token URL.
pub const INVALID_TOKEN_URL: &str = "L'adresse des jetons de Gazelle est illisible.";

/// Error for a paste that could not be read from the terminal.
pub const UNREADABLE_INPUT: &str = "La saisie n'a pas pu être lue.";

/// Error of the request for tokens.
pub const TOKEN_REQUEST_FAILED: &str = "La demande de jetons à Gazelle n'a pas abouti.";

/// Error for a code that Gazelle refuses.
pub const CODE_REFUSED: &str =
    "Gazelle refuse le code : il ne sert qu'une fois et peu de temps. Recommencez.";

/// Error for tokens that cannot be read.
pub const UNREADABLE_TOKENS: &str = "Gazelle a répondu sans jetons lisibles";

/// Error for tokens that cannot be refreshed.
pub const NO_REFRESH_TOKEN: &str = "Gazelle n'a pas donné de refresh_token : l'accès finirait dans quelques heures. Vérifiez l'application OAuth.";

/// Error for an authorisation that nobody completed.
pub const NO_CALLBACK: &str = "Personne n'est revenu en dix minutes. Recommencez.";

/// Error for a callback that could not be received.
pub const CALLBACK_LOST: &str = "Le retour du navigateur n'a pas pu être reçu. Recommencez.";

/// Error for an empty paste.
pub const NOTHING_PASTED: &str = "Rien n'a été collé.";

/// Error for a paste that is no address and no code.
pub const UNREADABLE_PASTE: &str = "Ce qui est collé n'est ni une adresse, ni un code.";

/// Error for the address of another authorisation.
pub const FOREIGN_ADDRESS: &str = "Cette adresse vient d'une autre demande : recommencez.";

/// Error for an address without a code.
pub const ADDRESS_WITHOUT_CODE: &str = "Cette adresse ne contient pas de code.";

/// Error for V5's tables.
pub const V5_UNREADABLE: &str = "Les tables de V5 ne peuvent pas être lues.";

/// Error of the database during an import.
pub const IMPORT_DATABASE_FAILED: &str = "La base de données a interrompu la reprise.";

/// Error of the bucket during an import.
pub const IMPORT_STORE_FAILED: &str = "Le dépôt n'a pas pris une page brute ou un manifeste.";

/// Error of the output.
pub const OUTPUT_FAILED: &str = "Le rapport n'a pas pu être écrit sur la sortie.";

/// Returns the error for a password that the database did not accept.
#[must_use]
pub fn password_not_set(role: &str) -> String {
    format!("Le mot de passe de {role} n'a pas pu être changé.")
}

/// Returns the error for rights that the database did not change.
#[must_use]
pub fn rights_not_changed(role: &str) -> String {
    format!("Les droits de {role} n'ont pas pu être changés.")
}

/// Returns the error for a secret that exists and could not be read.
#[must_use]
pub fn secret_not_read(secret_id: &str) -> String {
    format!("Le secret {secret_id} n'a pas pu être lu. Rien n'a changé : recommencez.")
}

/// Returns the error for a secret that could not be stored.
#[must_use]
pub fn secret_not_stored(secret_id: &str) -> String {
    format!("Le secret {secret_id} n'a pas pu être gardé. Recommencez.")
}

/// Returns the error for a user who sees only a part of the clients.
#[must_use]
pub fn partial_access(access_level: &str, full_access: &str) -> String {
    format!(
        "Gazelle accepte, mais l'utilisateur est {access_level} : il ne verrait qu'une partie des clients. \
         Recommencez avec un utilisateur {full_access}. Rien n'a été gardé."
    )
}

/// Returns the error for a port on which the command cannot listen.
#[must_use]
pub fn port_taken(port: u16) -> String {
    format!("Le port {port} de cette machine est pris : donnez-en un autre par --port.")
}

/// Returns the error for a record of an entity that could not be encoded.
#[must_use]
pub fn page_not_encoded(entity: &str) -> String {
    format!("Une page de {entity} n'a pas pu être écrite.")
}
