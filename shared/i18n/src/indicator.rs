//! Texts of the indicators: page, plain text and daily report.

use protocol::indicator::{AlertDelays, Completeness, EntityIndicators, Quantiles};

use crate::language::Language;

/// Texts of the sections on indicators, in one language.
#[derive(Debug)]
pub struct IndicatorTexts {
    /// Heading of the section on promises.
    pub promises: &'static str,
    /// Sentence on what is promised.
    pub promised: &'static str,
    /// Column heading: an entity.
    pub entity: &'static str,
    /// Row heading: all entities together.
    pub all: &'static str,
    /// Labels of a day, a week, a month.
    pub periods: [&'static str; 3],
    /// Column headings: successful runs of a day, a week, a month.
    pub successes: [&'static str; 3],
    /// Column heading: median latency.
    pub latency_median: &'static str,
    /// Column heading: 95th percentile of the latency.
    pub latency_p95: &'static str,
    /// Column heading: longest latency.
    pub latency_max: &'static str,
    /// Column heading: records on time.
    pub on_time: &'static str,
    /// Heading of the section on completeness.
    pub completeness: &'static str,
    /// Paragraph shown before the first full run.
    pub not_counted: &'static str,
    /// Column heading: Gazelle's count.
    pub source: &'static str,
    /// Column heading: rows here.
    pub rows: &'static str,
    /// Column heading: skipped with a reason.
    pub skipped: &'static str,
    /// Column heading: failed.
    pub failed: &'static str,
    /// Column heading: waiting.
    pub waiting: &'static str,
    /// Column heading: gone since.
    pub deleted: &'static str,
    /// Column heading: what nothing explains.
    pub gap: &'static str,
    /// Column heading: beginning of the full run.
    pub listed: &'static str,
}

impl IndicatorTexts {
    /// Returns the texts of a language.
    #[must_use]
    pub const fn of(language: Language) -> &'static Self {
        match language {
            Language::French => &FRENCH,
            Language::English => &ENGLISH,
        }
    }
}

static FRENCH: IndicatorTexts = IndicatorTexts {
    promises: "Tient-il ses promesses ?",
    promised: "Promis : 99,9 % d'exécutions réussies ; de Gazelle à la table en moins de 5 min, 98 % en moins d'une heure.",
    entity: "Données",
    all: "Ensemble",
    periods: ["24 h", "7 jours", "30 jours"],
    successes: ["Réussites 24 h", "7 jours", "30 jours"],
    latency_median: "Délai médian",
    latency_p95: "95 % sous",
    latency_max: "Le plus long",
    on_time: "À temps (7 jours)",
    completeness: "Tout y est-il ?",
    not_counted: "Pas encore compté : la première synchronisation complète n'est pas finie.",
    source: "Gazelle",
    rows: "Ici",
    skipped: "Ignorés",
    failed: "En échec",
    waiting: "En attente",
    deleted: "Disparus depuis",
    gap: "Écart",
    listed: "Relevé",
};

static ENGLISH: IndicatorTexts = IndicatorTexts {
    promises: "Does it keep its promises?",
    promised: "Promised: 99.9 % of runs succeed; from Gazelle to the table within 5 min, 98 % within an hour.",
    entity: "Data",
    all: "All",
    periods: ["24 h", "7 days", "30 days"],
    successes: ["Successes 24 h", "7 days", "30 days"],
    latency_median: "Median delay",
    latency_p95: "95 % within",
    latency_max: "Longest",
    on_time: "On time (7 days)",
    completeness: "Is everything here?",
    not_counted: "Not counted yet: the first full synchronisation has not ended.",
    source: "Gazelle",
    rows: "Here",
    skipped: "Skipped",
    failed: "Failed",
    waiting: "Waiting",
    deleted: "Gone since",
    gap: "Gap",
    listed: "Listed",
};

impl Language {
    /// Formats a share in percent with two decimals, rounded down: 99.899 % is not 99.9 %.
    #[must_use]
    pub fn percent(self, share: f64) -> String {
        // A hair more, because 99.9 is stored as a little less.
        let text = format!("{:.2} %", (share * 100.0 + 1e-6).floor() / 100.0);
        self.pick(text.replace('.', ",").as_str(), text.as_str()).to_owned()
    }

    /// Formats a duration in seconds: `1,2 s`, `5 min 02 s`, `3 h 20 min`.
    #[must_use]
    pub fn seconds(self, seconds: f64) -> String {
        if seconds < 60.0 {
            return format!("{} s", self.decimal(seconds));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a float is cast to the nearest integer there is"
        )]
        let whole = seconds.round() as i64;
        if whole < 3_600 {
            format!("{} min {:02} s", whole / 60, whole % 60)
        } else {
            format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60)
        }
    }

    /// Returns the sentence on the delay of alerts.
    #[must_use]
    pub fn alert_delays(self, delays: &AlertDelays) -> String {
        let Some(Quantiles { p50, p95, max }) = delays.delay else {
            return self.pick("Aucune alerte en 30 jours.", "No alert in 30 days.").to_owned();
        };
        let [p50, p95, max] = [p50, p95, max].map(|seconds| self.seconds(seconds));
        let alerts = delays.alerts;
        match self {
            Self::French => format!(
                "De la panne à l'alerte, {alerts} alertes en 30 jours : médiane {p50}, 95 % sous {p95}, au plus {max}."
            ),
            Self::English => format!(
                "From a fault to its alert, {alerts} alerts in 30 days: median {p50}, 95 % within {p95}, {max} at most."
            ),
        }
    }

    /// Returns the line on an entity's runs and latency of one period.
    #[must_use]
    pub fn indicators(self, label: &str, indicators: &EntityIndicators) -> String {
        let percent = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), |share| self.percent(share));
        let (success, on_time) =
            (percent(indicators.success_percent()), percent(indicators.on_time_percent()));
        let latency = indicators.latency().map_or_else(
            || "–".to_owned(),
            |Quantiles { p50, p95, max }| [p50, p95, max].map(|seconds| self.seconds(seconds)).join(" / "),
        );
        let runs = indicators.runs;
        match self {
            Self::French => format!(
                "• {label} : {success} de {runs} exécutions réussies ; délai médian / 95 % / max {latency} ; à temps {on_time}"
            ),
            Self::English => format!(
                "• {label}: {success} of {runs} runs succeeded; delay median / 95 % / max {latency}; on time {on_time}"
            ),
        }
    }

    /// Returns the equation of an entity's count.
    #[must_use]
    pub fn completeness(self, label: &str, count: &Completeness) -> String {
        let Completeness { source_count, rows_present, skipped, failed, waiting, deleted, gap, .. } = count;
        match self {
            Self::French => format!(
                "• {label} : {source_count} dans Gazelle = {rows_present} ici + {skipped} ignorés + {failed} en échec + \
                 {waiting} en attente + {deleted} disparus depuis ; écart {gap:+}"
            ),
            Self::English => format!(
                "• {label}: {source_count} in Gazelle = {rows_present} here + {skipped} skipped + {failed} failed + \
                 {waiting} waiting + {deleted} gone since; gap {gap:+}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_rounded_down() {
        let said = [99.899, 99.9, 100.0, 0.0].map(|share| Language::French.percent(share));
        assert_eq!(said, ["99,89 %", "99,90 %", "100,00 %", "0,00 %"]);
        assert_eq!(Language::English.percent(98.5), "98.50 %");
    }

    #[test]
    fn duration_uses_the_fitting_unit() {
        let said = [0.25, 59.94, 302.0, 12_000.0].map(|seconds| Language::French.seconds(seconds));
        assert_eq!(said, ["0,2 s", "59,9 s", "5 min 02 s", "3 h 20 min"]);
    }
}
