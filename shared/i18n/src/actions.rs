//! Titles of actions, and the advice that goes with them.

use protocol::action::ActionKind;

use crate::language::Language;

impl Language {
    /// Returns the title of an action and the advice to the person who reads it.
    #[must_use]
    pub const fn action(self, kind: ActionKind) -> (&'static str, &'static str) {
        match kind {
            ActionKind::Placeholder => (
                self.pick("Fiche inconnue", "Unknown record"),
                self.pick(
                    "Quelque chose y renvoie, et Gazelle ne l'a pas envoyée. Elle se complète d'elle-même ; si elle reste, vérifiez-la dans Gazelle.",
                    "Something refers to it and Gazelle has not sent it. It heals by itself; if it stays, look it up in Gazelle.",
                ),
            ),
            ActionKind::Failed => (
                self.pick("Enregistrement en échec", "Failed record"),
                self.pick(
                    "Corrigez-le dans Gazelle, ou demandez une nouvelle tentative après une correction du programme.",
                    "Correct it in Gazelle, or ask for another attempt once the program is fixed.",
                ),
            ),
            ActionKind::Unserved => (
                self.pick("Fiche que Gazelle ne rend pas", "Record that Gazelle does not serve"),
                self.pick(
                    "Tout le reste arrive. Ouvrez-la dans Gazelle ; si elle ne s'y ouvre pas non plus, signalez-la à Gazelle. L'action se ferme quand elle arrive.",
                    "Everything else arrives. Open it in Gazelle; if that fails too, report it to Gazelle. This closes when it arrives.",
                ),
            ),
            ActionKind::Quarantined => (
                self.pick("Page mise de côté", "Page set aside"),
                self.pick(
                    "Elle est gardée telle quelle. Après une correction du programme, repassez sa période (replay).",
                    "It is kept as it is. Once the program is fixed, replay its period.",
                ),
            ),
            ActionKind::DeletionWithheld => (
                self.pick("Suppressions retenues", "Deletions withheld"),
                self.pick(
                    "Une grande part de la table manque dans Gazelle. Vérifiez, puis lancez la commande indiquée.",
                    "A large share of the table is missing in Gazelle. Check, then run the command shown.",
                ),
            ),
            ActionKind::Incomplete => (
                self.pick("Le compte n'y est pas", "The count does not close"),
                self.pick(
                    "Gazelle en compte d'autres qu'ici. Repassez la période de l'exécution (replay), puis relancez une synchronisation complète ; l'action se ferme d'elle-même.",
                    "Gazelle counts other records than stand here. Replay the period of the run, then ask for a full synchronisation; this closes by itself.",
                ),
            ),
            ActionKind::Credentials => (
                self.pick("Autorisation refusée", "Authorisation refused"),
                self.pick(
                    "Refaites l'autorisation dans Gazelle et mettez les nouveaux jetons dans le secret.",
                    "Authorise again in Gazelle and put the new tokens into the secret.",
                ),
            ),
            ActionKind::Schema => (
                self.pick("Gazelle a changé", "Gazelle has changed"),
                self.pick(
                    "Une requête n'est plus acceptée : prévenez la personne qui entretient le programme.",
                    "A query is not accepted any more: tell whoever maintains the program.",
                ),
            ),
            ActionKind::Duplicate => (
                self.pick("Entrée en double", "Entry under two ids"),
                self.pick("La même entrée existe sous deux identifiants.", "The same entry exists under two ids."),
            ),
            ActionKind::ProbableDuplicate => (
                self.pick("Doublon probable", "Probable duplicate"),
                self.pick(
                    "Des fiches d'un même client, semble-t-il : certitude, fiches, ce qu'elles ont en commun. Fusionnez-les dans Gazelle si c'est vrai, sinon fermez. « * » compte les groupes qui attendent leur tour.",
                    "Cards of one client, it seems: certainty, cards, what they have in common. Merge them in Gazelle if so, else close this. \"*\" counts the groups that wait for their turn.",
                ),
            ),
            ActionKind::Drift => (
                self.pick("Champ devenu illisible", "Field that cannot be read any more"),
                self.pick(
                    "Gazelle semble l'écrire autrement dans beaucoup de fiches. Les anciennes valeurs restent. Prévenez la personne qui entretient le programme.",
                    "Gazelle seems to write it differently in many records. Old values stay. Tell whoever maintains the program.",
                ),
            ),
            ActionKind::Unmatched => (
                self.pick("Nom sans fiche", "Name without a record"),
                self.pick(
                    "Personne ne porte ce nom. Si vous savez qui c'est, ajoutez un alias.",
                    "Nobody bears this name. If you know who it is, add an alias.",
                ),
            ),
        }
    }

    /// Returns title and advice of an action of any kind; a kind of a newer version is shown as it is.
    #[must_use]
    pub fn action_of_kind(self, kind: &str) -> (&str, &'static str) {
        match ActionKind::parse(kind) {
            Some(known) => self.action(known),
            None => (kind, self.pick("À examiner.", "To be looked at.")),
        }
    }
}
