//! Labels of entities, statuses, modes and queues.

use model::entity::Entity;
use protocol::health::HealthStatus;

use crate::language::Language;

impl Language {
    /// Returns the label of an entity, such as `Pianos`.
    #[must_use]
    pub const fn title(self, entity: &Entity) -> &'static str {
        self.pick(entity.title.french, entity.title.english)
    }

    /// Returns the label of a health status.
    #[must_use]
    pub const fn health_status(self, status: HealthStatus) -> &'static str {
        match status {
            HealthStatus::Healthy => self.pick("En ordre", "Healthy"),
            HealthStatus::Unknown => self.pick("Pas encore connu", "Unknown yet"),
            HealthStatus::Degraded => self.pick("À surveiller", "Degraded"),
            HealthStatus::Unhealthy => self.pick("En panne", "Failing"),
        }
    }

    /// Returns the label of a run's status, or the status itself if it is unknown.
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

    /// Returns the label of a run's mode or lane, or the mode itself if it is unknown.
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

    /// Returns the label of a queue, or its name if it is unknown.
    #[must_use]
    pub fn queue(self, name: &str) -> &str {
        match name {
            "raw-events" => self.pick("Dépôt (pages reçues)", "Staging (pages received)"),
            "reconcile" => self.pick("Promotion", "Promotion"),
            "fetch" => self.pick("Demandes à Gazelle", "Requests to Gazelle"),
            other => other,
        }
    }
}
