//! The words of people for what the pipeline knows, in French and in English.

use model::entity::Entity;
use protocol::health::Status;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// For everyone who does not ask for another one.
    French,
    /// For who prefers it to French.
    English,
}

impl Language {
    /// The one that a reader prefers, by `Accept-Language`.
    #[must_use]
    pub fn preferred(accepted: &str) -> Self {
        let weight = |language: &str| {
            accepted
                .split(',')
                .filter_map(|part| {
                    let mut words = part.trim().split(';');
                    let name = words.next()?.trim().to_ascii_lowercase();
                    let is_it = name == language || name.starts_with(&format!("{language}-"));
                    let quality = words.find_map(|word| word.trim().strip_prefix("q=")?.parse::<f64>().ok());
                    is_it.then(|| quality.unwrap_or(1.0))
                })
                .fold(0.0, f64::max)
        };
        if weight("en") > weight("fr") { Self::English } else { Self::French }
    }

    /// Its code, as HTML's `lang` wants it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::French => "fr-CA",
            Self::English => "en-CA",
        }
    }

    /// One of two.
    #[must_use]
    pub const fn pick<T: Copy>(self, french: T, english: T) -> T {
        match self {
            Self::French => french,
            Self::English => english,
        }
    }

    /// What people call an entity.
    #[must_use]
    pub const fn title(self, entity: &Entity) -> &'static str {
        self.pick(entity.title.french, entity.title.english)
    }

    /// A verdict.
    #[must_use]
    pub const fn verdict(self, status: Status) -> &'static str {
        match status {
            Status::Healthy => self.pick("En ordre", "Healthy"),
            Status::Unknown => self.pick("Pas encore connu", "Unknown yet"),
            Status::Degraded => self.pick("À surveiller", "Degraded"),
            Status::Unhealthy => self.pick("En panne", "Failing"),
        }
    }

    /// How a run ended; a word that we do not know is shown as it is.
    #[must_use]
    pub fn run_status(self, status: &str) -> &str {
        match status {
            "running" => self.pick("en cours", "running"),
            "success" => self.pick("réussie", "success"),
            "partial" => self.pick("partielle", "partial"),
            "failed" => self.pick("échouée", "failed"),
            other => other,
        }
    }

    /// What a run was for.
    #[must_use]
    pub fn mode(self, mode: &str) -> &str {
        match mode {
            "incremental" => self.pick("courante", "incremental"),
            "lookback" => self.pick("rattrapage", "look-back"),
            "full" => self.pick("complète", "full"),
            "repair" => self.pick("réparation", "repair"),
            "verify" => self.pick("vérification", "verification"),
            "import" => self.pick("reprise", "import"),
            other => other,
        }
    }

    /// A queue of the pipeline.
    #[must_use]
    pub fn queue(self, name: &str) -> &str {
        match name {
            "raw-events" => self.pick("Dépôt (pages reçues)", "Staging (pages received)"),
            "reconcile" => self.pick("Promotion", "Promotion"),
            "fetch" => self.pick("Demandes à Gazelle", "Requests to Gazelle"),
            other => other,
        }
    }

    /// What an action is about and what to do.
    #[must_use]
    pub fn action(self, kind: &str) -> (&str, &'static str) {
        match kind {
            "placeholder" => (
                self.pick("Fiche inconnue", "Unknown record"),
                self.pick(
                    "Quelque chose y renvoie, et Gazelle ne l'a pas envoyée. Elle se complète d'elle-même ; si elle reste, vérifiez-la dans Gazelle.",
                    "Something refers to it and Gazelle has not sent it. It heals by itself; if it stays, look it up in Gazelle.",
                ),
            ),
            "failed" => (
                self.pick("Enregistrement en échec", "Failed record"),
                self.pick(
                    "Corrigez-le dans Gazelle, ou demandez une nouvelle tentative après une correction du programme.",
                    "Correct it in Gazelle, or ask for another attempt once the program is fixed.",
                ),
            ),
            "quarantined" => (
                self.pick("Page mise de côté", "Page set aside"),
                self.pick(
                    "Elle est gardée telle quelle. Après une correction du programme, repassez sa période (replay).",
                    "It is kept as it is. Once the program is fixed, replay its period.",
                ),
            ),
            "deletion_withheld" => (
                self.pick("Suppressions retenues", "Deletions withheld"),
                self.pick(
                    "Une grande part de la table manque dans Gazelle. Vérifiez, puis lancez la commande indiquée.",
                    "A large share of the table is missing in Gazelle. Check, then run the command shown.",
                ),
            ),
            "credentials" => (
                self.pick("Autorisation refusée", "Authorisation refused"),
                self.pick(
                    "Refaites l'autorisation dans Gazelle et mettez les nouveaux jetons dans le secret.",
                    "Authorise again in Gazelle and put the new tokens into the secret.",
                ),
            ),
            "schema" => (
                self.pick("Gazelle a changé", "Gazelle has changed"),
                self.pick(
                    "Une requête n'est plus acceptée : prévenez la personne qui entretient le programme.",
                    "A query is not accepted any more: tell whoever maintains the program.",
                ),
            ),
            "duplicate" => (
                self.pick("Entrée en double", "Entry under two ids"),
                self.pick("La même entrée existe sous deux identifiants.", "The same entry exists under two ids."),
            ),
            "probable_duplicate" => (
                self.pick("Doublon probable", "Probable duplicate"),
                self.pick(
                    "Deux fiches d'un même client, semble-t-il. Fusionnez-les dans Gazelle si c'est vrai, sinon fermez.",
                    "Two cards of one client, it seems. Merge them in Gazelle if so, else close this.",
                ),
            ),
            "unmatched" => (
                self.pick("Nom sans fiche", "Name without a record"),
                self.pick(
                    "Personne ne porte ce nom. Si vous savez qui c'est, ajoutez un alias.",
                    "Nobody bears this name. If you know who it is, add an alias.",
                ),
            ),
            other => (other, self.pick("À examiner.", "To be looked at.")),
        }
    }

    /// How long ago something was.
    #[must_use]
    pub fn ago(self, seconds: i64) -> String {
        let (number, french, english) = match seconds {
            ..60 => return self.pick("à l'instant", "just now").to_owned(),
            60..3_600 => (seconds / 60, "min", "min"),
            3_600..172_800 => (seconds / 3_600, "h", "h"),
            _ => (seconds / 86_400, "jours", "days"),
        };
        match self {
            Self::French => format!("il y a {number} {french}"),
            Self::English => format!("{number} {english} ago"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_is_the_default_language() {
        for (accepted, expected) in [
            ("", Language::French),
            ("fr-CA,fr;q=0.9,en;q=0.8", Language::French),
            ("en-CA,en;q=0.9,fr;q=0.8", Language::English),
            ("de,en;q=0.5", Language::English),
            ("*", Language::French),
            ("en;q=nonsense", Language::English),
        ] {
            assert_eq!(Language::preferred(accepted), expected, "{accepted}");
        }
    }

    #[test]
    fn age_uses_the_largest_fitting_unit() {
        let said = [5, 130, 7_300, 300_000].map(|seconds| Language::French.ago(seconds));
        assert_eq!(said, ["à l'instant", "il y a 2 min", "il y a 2 h", "il y a 3 jours"]);
    }
}
