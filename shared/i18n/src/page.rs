//! Texts of the health page and of its plain-text form.

use crate::language::Language;

/// Texts of the health page in one language.
#[derive(Debug)]
pub struct PageTexts {
    /// Name of the product, in the title and the heading.
    pub product: &'static str,
    /// Paragraph shown while the database is out of reach.
    pub database_unreachable: &'static str,
    /// One-line form of [`Self::database_unreachable`], for a terminal.
    pub database_unreachable_short: &'static str,
    /// Words before the moment of the page.
    pub as_of: &'static str,
    /// Footer: refresh interval and time zone.
    pub footer: &'static str,
    /// Heading of the entities' cards.
    pub data: &'static str,
    /// Label of the freshness in percent.
    pub freshness: &'static str,
    /// Label of the age of the last success.
    pub last_success: &'static str,
    /// Value of [`Self::last_success`] before the first success.
    pub never: &'static str,
    /// Label of records or messages that wait, as a heading.
    pub waiting: &'static str,
    /// Words after a number of records or messages that wait.
    pub waiting_count: &'static str,
    /// Words before the age of the oldest record that waits.
    pub oldest_waiting: &'static str,
    /// Label of the age of the last proven full run.
    pub last_sweep: &'static str,
    /// Words after a number of full runs that proved nothing.
    pub unproven_count: &'static str,
    /// Label of rows written within 24 hours.
    pub written_24_h: &'static str,
    /// Label of failures within 24 hours.
    pub failed_24_h: &'static str,
    /// Accessible name of the chart of written records.
    pub chart: &'static str,
    /// Heading of the open actions.
    pub to_do: &'static str,
    /// Paragraph shown when no action is open.
    pub nothing_to_do: &'static str,
    /// Accessible name of the table of open actions.
    pub open_actions: &'static str,
    /// Column heading: kind of an action or run.
    pub what: &'static str,
    /// Column heading: subject of an action.
    pub subject: &'static str,
    /// Column heading: start of an action.
    pub since: &'static str,
    /// Column heading of the buttons that close an action.
    pub close: &'static str,
    /// Start of a close button's accessible name.
    pub close_named: &'static str,
    /// Label of a close button.
    pub done: &'static str,
    /// Words after the number of quarantined objects.
    pub quarantined_count: &'static str,
    /// Heading of the last runs.
    pub last_runs: &'static str,
    /// Paragraph shown when no run is worth showing.
    pub no_runs: &'static str,
    /// Accessible name of the table of runs.
    pub runs: &'static str,
    /// Column heading: start of a run.
    pub began: &'static str,
    /// Column heading: status of a run.
    pub outcome: &'static str,
    /// Column heading: records fetched.
    pub read: &'static str,
    /// Column heading: rows written.
    pub written: &'static str,
    /// Words after a number of rows written.
    pub written_count: &'static str,
    /// Column heading: records failed.
    pub failed: &'static str,
    /// Column heading: duration of a run.
    pub took: &'static str,
    /// Heading of the queues.
    pub messages_in_transit: &'static str,
    /// Heading of the queues in a terminal.
    pub queues: &'static str,
    /// Column heading: a queue's name.
    pub queue: &'static str,
    /// Column heading: dead letters.
    pub set_aside: &'static str,
    /// Words after a number of dead letters.
    pub set_aside_count: &'static str,
}

impl PageTexts {
    /// Returns the texts of a language.
    #[must_use]
    pub const fn of(language: Language) -> &'static Self {
        match language {
            Language::French => &FRENCH,
            Language::English => &ENGLISH,
        }
    }
}

static FRENCH: PageTexts = PageTexts {
    product: "Assistant Gazelle",
    database_unreachable: "La base de données ne répond pas. Rien n'est perdu : chaque enregistrement attend dans le stockage et sera repris dès qu'elle répondra.",
    database_unreachable_short: "La base de données ne répond pas ; rien n'est perdu.",
    as_of: "État à ",
    footer: "La page se renouvelle chaque minute. Heures de Montréal.",
    data: "Données",
    freshness: "Fraîcheur",
    last_success: "Réussite",
    never: "jamais",
    waiting: "En attente",
    waiting_count: "en attente",
    oldest_waiting: "le plus ancien attend, arrivé",
    last_sweep: "Balayage prouvé",
    unproven_count: "sans preuve depuis",
    written_24_h: "Écrits 24 h",
    failed_24_h: "Échecs 24 h",
    chart: "Enregistrements écrits par heure, 24 dernières heures",
    to_do: "À faire",
    nothing_to_do: "Rien : aucune action n'attend.",
    open_actions: "Actions ouvertes",
    what: "Quoi",
    subject: "Sujet",
    since: "Depuis",
    close: "Fermer",
    close_named: "Fermer : ",
    done: "Fait",
    quarantined_count: "objets en quarantaine.",
    last_runs: "Dernières exécutions",
    no_runs: "Aucune qui ait apporté ou manqué quelque chose.",
    runs: "Exécutions",
    began: "Début",
    outcome: "Issue",
    read: "Lus",
    written: "Écrits",
    written_count: "écrits",
    failed: "Échecs",
    took: "Durée",
    messages_in_transit: "Messages en chemin",
    queues: "Files d'attente",
    queue: "File",
    set_aside: "Mis de côté",
    set_aside_count: "mis de côté",
};

static ENGLISH: PageTexts = PageTexts {
    product: "Assistant Gazelle",
    database_unreachable: "The database gives no answer. Nothing is lost: every record waits in storage and is taken up as soon as it does.",
    database_unreachable_short: "The database gives no answer; nothing is lost.",
    as_of: "As of ",
    footer: "The page renews itself every minute. Montréal time.",
    data: "Data",
    freshness: "Freshness",
    last_success: "Success",
    never: "never",
    waiting: "Waiting",
    waiting_count: "waiting",
    oldest_waiting: "the oldest waits, arrived",
    last_sweep: "Proven sweep",
    unproven_count: "without proof since",
    written_24_h: "Written 24 h",
    failed_24_h: "Failed 24 h",
    chart: "Records written by hour, last 24 hours",
    to_do: "To do",
    nothing_to_do: "Nothing: no action is open.",
    open_actions: "Open actions",
    what: "What",
    subject: "Subject",
    since: "Since",
    close: "Close",
    close_named: "Close: ",
    done: "Done",
    quarantined_count: "objects in quarantine.",
    last_runs: "Last runs",
    no_runs: "None that brought or missed anything.",
    runs: "Runs",
    began: "Began",
    outcome: "Outcome",
    read: "Read",
    written: "Written",
    written_count: "written",
    failed: "Failed",
    took: "Took",
    messages_in_transit: "Messages on their way",
    queues: "Queues",
    queue: "Queue",
    set_aside: "Set aside",
    set_aside_count: "set aside",
};
