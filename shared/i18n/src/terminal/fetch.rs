//! Texts of the command `fetch`.

/// Help of the program, in one sentence.
pub const ABOUT: &str =
    "Copie une entité de Gazelle dans un fichier JSON : la liste des pages brutes, octet pour octet";

/// Help of the program, with the variables that it reads.
pub const LONG_ABOUT: &str =
    "Copie une entité de Gazelle dans un fichier JSON : la liste des pages brutes, octet pour octet.

La clé est lue dans GAZELLE_API_KEY ; avec GAZELLE_AUTH=oauth, les jetons le sont dans GAZELLE_CLIENT_ID,
GAZELLE_CLIENT_SECRET et GAZELLE_REFRESH_TOKEN. GAZELLE_URL, PAGE_SIZE et REQUESTS_PER_SECOND ont le même effet
que pour la fonction.";

/// Argument: name of the entity.
pub const ENTITY: &str = "users, clients, pianos, timeline…";

/// Argument `--output`.
pub const OUTPUT: &str = "Le fichier à écrire";

/// Argument `--start`.
pub const START: &str = "Premier jour, au calendrier de Montréal (entités datées seulement)";

/// Argument `--end`.
pub const END: &str = "Dernier jour, inclus";

/// Template of the progress bar, in the notation of `indicatif`.
pub const PROGRESS: &str = "{msg} {wide_bar} {pos}/{len} ({per_sec}, encore {eta})";

/// Introduces the reason of a partial copy, which follows on a line of its own.
pub const PARTIAL: &str = "La copie est partielle, pour cette raison :";

/// Returns the summary of a copy.
#[must_use]
pub fn summary(entity: &str, records: u64, pages: u32, file: &str) -> String {
    format!("{entity} : {records} enregistrements en {pages} pages → {file}")
}
