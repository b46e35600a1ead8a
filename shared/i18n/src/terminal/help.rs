//! Help texts of the command line.

/// Help of the program itself.
pub const ABOUT: &str = "Administre une installation d'Assistant Gazelle";

/// Help of the command `migrate`.
pub const MIGRATE: &str =
    "Met à jour le schéma de DATABASE_URL (connexion directe ou de session, rôle d'administration)";

/// Help of the command `login`.
pub const LOGIN: &str =
    "Donne un nouveau mot de passe au rôle des fonctions ou des lecteurs, par DATABASE_URL";

/// Argument of `login`: the role.
pub const LOGIN_ROLE: &str = "app : les fonctions ; reader : les personnes qui lisent";

/// Argument of `login`: `--secret-id`.
pub const LOGIN_SECRET_ID: &str = "Le secret où garder l'adresse ; sans lui, elle est écrite sur la sortie";

/// Argument of `login`: `--at`.
pub const LOGIN_AT: &str = "hôte:port de cette adresse, si ce n'est pas celui de DATABASE_URL (un pooler)";

/// Help of the command `expose`.
pub const EXPOSE: &str = "Laisse un rôle lire les tables de production (par exemple authenticated)";

/// Help of the command `withdraw`.
pub const WITHDRAW: &str = "Reprend ce que `expose` a donné";

/// Argument of `expose` and `withdraw`: the role.
pub const EXPOSED_ROLE: &str = "Le rôle";

/// Help of the command `authorise`.
pub const AUTHORISE: &str = "Autorise la lecture de Gazelle et garde la clé ou les jetons";

/// Argument of `authorise`: `--secret-id`.
pub const AUTHORISE_SECRET_ID: &str = "Le secret où les garder";

/// Argument of `authorise`: `--api-key`.
pub const AUTHORISE_API_KEY: &str = "Une clé d'API, dans GAZELLE_API_KEY";

/// Argument of `authorise`: `--paste`.
pub const AUTHORISE_PASTE: &str = "Coller l'adresse de retour : le navigateur est sur une autre machine";

/// Argument of `authorise`: `--port`.
pub const AUTHORISE_PORT: &str = "Le port où le navigateur revient sur cette machine ; 0 : n'importe lequel";

/// Purpose of `import-v5`, in the list of commands.
pub const IMPORT_V5: &str = "Reprend les tables de V5, là où elles sont : sans --apply, un rapport des différences, et rien n'est écrit";

/// Purpose of `import-v5` and the settings that it reads, in its own help.
pub const IMPORT_V5_LONG: &str = "Reprend les tables de V5, là où elles sont : sans --apply, un rapport des différences, et rien n'est écrit\n\nDATABASE_URL : la base où sont V5 et V6 ; RAW_BUCKET : le dépôt des pages brutes (avec --apply).";

/// Argument of `import-v5`: `--v5-schema`.
pub const IMPORT_V5_SCHEMA: &str = "Le schéma des tables de V5";

/// Argument of `import-v5`: `--apply`.
pub const IMPORT_V5_APPLY: &str = "Écrit les pages brutes, que la chaîne promeut comme toute autre source";

/// Help of the command `doctor`.
pub const DOCTOR: &str = "Vérifie tout ce qu'une installation demande, et dit quoi faire";
