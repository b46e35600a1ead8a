//! The registry: what is mirrored. An entity is data; the engines that move it never name one.

mod appointment;
mod client;
mod invoice;
mod measurement;
mod piano;
mod timeline_entry;
mod user;

use std::fmt::Write as _;

use chrono::{DateTime, Days, SecondsFormat, TimeDelta, Utc};

use crate::local_day;
use crate::matching::Matching;
use crate::row::{Column, Record, Rejection, Row};
use crate::rule::{Draft, Rule};
use crate::window::Window;

/// Every entity, parents before children, so that a first sync needs few placeholders.
pub static ALL: [&Entity; 7] = [
    &user::USER,
    &client::CLIENT,
    &piano::PIANO,
    &timeline_entry::TIMELINE_ENTRY,
    &measurement::MEASUREMENT,
    &invoice::INVOICE,
    &appointment::APPOINTMENT,
];

/// One kind of record: where it comes from, what its columns are, where it goes.
#[derive(Debug)]
pub struct Entity {
    /// The name in requests, keys, health and `sync_status`: `timeline`.
    pub name: &'static str,
    /// What people call it.
    pub title: Title,
    /// The production table: `timeline_entries`.
    pub table: &'static str,
    /// The staging table: `stg_timeline_entries`.
    pub staging_table: &'static str,
    /// Where its records come from.
    pub source: Source,
    /// Every column of the production table that the source fills, the id left out.
    pub columns: &'static [Column],
    /// The column by whose month the production table is partitioned, if it is.
    pub partitioned_by: Option<&'static str>,
    /// The lists inside a record that become rows of tables of their own, and live and die with it.
    pub parts: &'static [Part],
    /// What is refused, repaired and derived on the way from a record to its row, in that order.
    pub rules: &'static [Rule],
    /// What a row made up for an unknown id says; `{id}` stands for that id. Empty: never made up.
    pub placeholder: &'static [(&'static str, &'static str)],
    /// What it means that a complete listing does not hold a record any more.
    pub absence: Absence,
    /// How a record that came under two ids is recognised, if that happens.
    pub twins: Option<Twins>,
    /// How a record is recognised without its id, if it can be.
    pub matching: Option<Matching>,
}

/// What people call an entity.
#[derive(Debug, Clone, Copy)]
pub struct Title {
    /// In French.
    pub french: &'static str,
    /// In English.
    pub english: &'static str,
}

/// How a record that came under two ids is recognised: once from the source, once from elsewhere.
#[derive(Debug)]
pub struct Twins {
    /// What the source's own ids begin with.
    pub prefix: &'static str,
    /// The references in which both agree.
    pub about: &'static [&'static str],
    /// The day on which both lie.
    pub day: &'static str,
    /// The texts in which both agree, but for spaces and case.
    pub texts: &'static [&'static str],
}

/// What it means that a complete listing does not hold a record any more. The source never says that it
/// deleted something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absence {
    /// Nothing: the record stays.
    MeansNothing,
    /// Missing from two complete listings in a row, the record is taken for deleted.
    ShownTwice,
    /// Missing from one, it is asked for by its id; not found, it is taken for deleted.
    AskedFor {
        /// The field of the query root that answers one record.
        root: &'static str,
        /// The argument that takes its id.
        argument: &'static str,
    },
}

/// A list inside each record of an entity, such as the items of an invoice. Its elements have no life of their own:
/// they come, change and go with the record, and `line`, their place in the list, tells them apart.
#[derive(Debug)]
pub struct Part {
    /// Their table: `invoice_items`.
    pub table: &'static str,
    /// The column that names the record: `invoice_id`.
    pub parent: &'static str,
    /// The field of the record that holds them: a list, or a connection that is asked for `first: $inner`.
    pub field: &'static str,
    /// Every column that the source fills.
    pub columns: &'static [Column],
}

/// Where an entity's records come from.
#[derive(Debug)]
pub enum Source {
    /// A query of its own, page by page or in one answer.
    Query(Query),
    /// A list inside each record of another entity.
    Nested {
        /// The entity whose records carry the list.
        parent: &'static str,
        /// The field of the parent that holds it.
        field: &'static str,
    },
}

/// A GraphQL query and how to walk its answer.
#[derive(Debug)]
pub struct Query {
    /// The field of `data` that holds the records.
    pub root: &'static str,
    /// The selection on one record.
    pub selection: &'static str,
    /// A Relay connection or a plain list.
    pub shape: Shape,
}

/// How a query answers.
#[derive(Debug)]
pub enum Shape {
    /// Everything at once: `[record]`.
    List,
    /// Page by page: `{nodes, pageInfo, totalCount}`.
    Connection {
        /// Arguments that never change, such as a stable order.
        arguments: &'static str,
        /// How the listing can be narrowed by time, if it can.
        window: Option<TimeFilter>,
    },
}

/// How a connection is narrowed by time.
#[derive(Debug)]
pub struct TimeFilter {
    /// The input object in which the bounds stand, if they do not stand among the arguments.
    pub input: Option<&'static str>,
    /// The lower bound, itself included.
    pub since: &'static str,
    /// The upper bound, itself included, where the source has one.
    pub until: Option<&'static str>,
    /// What the bounds are.
    pub bound: Bound,
    /// The field of a record that they are compared with.
    pub field: &'static str,
    /// Which period a frequent run fetches.
    pub reach: Reach,
}

/// What a bound in time is at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// An instant, UTC.
    Instant,
    /// A day of the firm.
    Day,
}

/// Which period a frequent run fetches, once everything was fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// What is dated after the last run, and some days before it.
    SinceLastRun,
    /// So many days before and after today. Such a listing is complete for its period: what it lacks is gone.
    Around {
        /// Days before today.
        back: u32,
        /// Days after today.
        ahead: u32,
    },
}

impl Entity {
    /// Turns one record into one row. Pure.
    ///
    /// # Errors
    /// The record can never be a row; says why.
    pub fn transform(&self, record: Record<'_>) -> Result<Row, Rejection> {
        Draft::run(record, self)
    }

    /// The query, for an entity that has one of its own.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match &self.source {
            Source::Query(query) => Some(query),
            Source::Nested { .. } => None,
        }
    }

    /// Whether its own records, whole, can be asked for by id.
    #[must_use]
    pub fn is_asked_for_by_id(&self) -> bool {
        self.query().is_some() && matches!(self.absence, Absence::AskedFor { .. })
    }

    /// The entities whose records lie inside this one's, each with the field that holds them.
    pub fn children(&self) -> impl Iterator<Item = (&'static Entity, &'static str)> {
        ALL.into_iter().filter_map(|child| match child.source {
            Source::Nested { parent, field } if parent == self.name => Some((child, field)),
            _ => None,
        })
    }

    /// The column that holds the field which the time filter compares.
    #[must_use]
    pub fn dated_by(&self) -> Option<&'static str> {
        let field = self.time_filter()?.field;
        self.columns.iter().find(|column| column.path == [field]).map(|column| column.name)
    }

    /// The time filter, for an entity that can be fetched by window.
    #[must_use]
    pub fn time_filter(&self) -> Option<&TimeFilter> {
        match &self.query()?.shape {
            Shape::Connection { window, .. } => window.as_ref(),
            Shape::List => None,
        }
    }
}

impl Entity {
    /// The document that asks for so many records by id, in one request: `r0: client(id: $id0) { … }, …`.
    /// None where the source offers no such field.
    #[must_use]
    pub fn by_id_document(&self, count: usize) -> Option<String> {
        let Absence::AskedFor { root, argument } = self.absence else { return None };
        // Of a nested record only whether it is there: its content comes with its parent.
        let selection = self.query().map_or("id", |query| query.selection);
        let variables: Vec<String> = (0..count).map(|place| format!("$id{place}: String!")).collect();
        let fields: String = (0..count)
            .map(|place| format!(" r{place}: {root}({argument}: $id{place}) {{ {selection} }}"))
            .collect();
        let (variables, inner) = (variables.join(", "), inner_variable(selection));
        Some(format!("query {root}ById({variables}{inner}) {{{fields} }}"))
    }
}

impl Query {
    /// The document sent for one page. Variables: `$first`, `$after`, of a window `$since` and `$until`, and of lists
    /// inside a record `$inner`.
    #[must_use]
    pub fn document(&self) -> String {
        let Self { root, selection, shape } = self;
        let inner = inner_variable(selection);
        match shape {
            Shape::List if inner.is_empty() => format!("query {root} {{ {root} {{ {selection} }} }}"),
            Shape::List => format!("query {root}({}) {{ {root} {{ {selection} }} }}", &inner[2..]),
            Shape::Connection { arguments, window } => {
                let (variables, bounds) = window.as_ref().map(TimeFilter::in_document).unwrap_or_default();
                format!(
                    "query {root}($first: Int!, $after: String{variables}{inner}) {{ \
                     {root}(first: $first, after: $after{bounds}{arguments}) {{ \
                     totalCount pageInfo {{ hasNextPage endCursor }} nodes {{ {selection} }} }} }}"
                )
            }
        }
    }
}

/// The declaration of the variable by which lists inside a record are asked for, where the selection has any.
fn inner_variable(selection: &str) -> &'static str {
    if selection.contains(INNER) { ", $inner: Int!" } else { "" }
}

/// The variable that says how many elements of a list inside a record are asked for at most.
pub const INNER: &str = "$inner";

impl TimeFilter {
    /// What a document declares for it, and the arguments in which it uses that.
    fn in_document(&self) -> (String, String) {
        let kind = match self.bound {
            Bound::Instant => "CoreDateTime",
            Bound::Day => "CoreDate",
        };
        let mut variables = format!(", $since: {kind}");
        let mut bounds = format!("{}: $since", self.since);
        if let Some(until) = self.until {
            let _ = write!(variables, ", $until: {kind}");
            let _ = write!(bounds, ", {until}: $until");
        }
        let arguments = match self.input {
            Some(input) => format!(", {input}: {{ {bounds} }}"),
            None => format!(", {bounds}"),
        };
        (variables, arguments)
    }

    /// The values of its variables for that window.
    #[must_use]
    pub fn variables(&self, window: Window) -> Vec<(&'static str, String)> {
        let word = |instant: DateTime<Utc>| match self.bound {
            Bound::Instant => instant.to_rfc3339_opts(SecondsFormat::Secs, true),
            Bound::Day => local_day::of(instant).to_string(),
        };
        // The source's bound is the last instant inside, ours the first after it.
        let last = window.end.filter(|_| self.until.is_some()).map(|end| word(end - TimeDelta::seconds(1)));
        [("since", Some(word(window.start))), ("until", last)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// The period of a frequent run: of one that began then, where the last one began at `watermark`.
    #[must_use]
    pub fn frequent_window(
        &self,
        now: DateTime<Utc>,
        watermark: DateTime<Utc>,
        lookback_days: u32,
    ) -> Option<Window> {
        match self.reach {
            Reach::SinceLastRun => Window::since(watermark, lookback_days),
            Reach::Around { back, ahead } => {
                let today = local_day::of(now);
                // A day more at each end: whether its last hours are listed depends on whose days the source means.
                let first = today.checked_sub_days(Days::new(u64::from(back) + 1))?;
                let last = today.checked_add_days(Days::new(u64::from(ahead) + 1))?;
                Window::of_days(first, last, local_day::ZONE)
            }
        }
    }

    /// Whether a frequent run lists everything of its period, so that what it lacks is gone.
    #[must_use]
    pub const fn proves_absence(&self) -> bool {
        matches!(self.reach, Reach::Around { .. })
    }
}

/// The entity of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Entity> {
    ALL.into_iter().find(|entity| entity.name == name)
}

/// The entities that are fetched by a query of their own.
pub fn fetched() -> impl Iterator<Item = &'static Entity> {
    ALL.into_iter().filter(|entity| entity.query().is_some())
}

/// The names of those entities, for messages: `users, clients, …`.
#[must_use]
pub fn fetched_names() -> String {
    fetched().map(|entity| entity.name).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_tables_are_unique_and_fit_into_an_sql_identifier() {
        let mut seen = BTreeSet::new();
        for entity in ALL {
            let parts = entity.parts.iter().map(|part| part.table);
            for name in [entity.name, entity.table, entity.staging_table].into_iter().chain(parts.clone()) {
                assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{name}");
                assert!(name.len() <= 40, "{name}");
            }
            assert_eq!(entity.staging_table, format!("stg_{}", entity.table));
            for table in parts.chain([entity.table]) {
                assert!(seen.insert(table), "{table} twice");
            }
        }
    }

    #[test]
    fn a_parent_stands_before_the_children_that_refer_to_it() {
        for (place, entity) in ALL.into_iter().enumerate() {
            let parts = entity.parts.iter().flat_map(|part| part.columns);
            for target in entity.columns.iter().chain(parts).filter_map(|column| column.references) {
                let parent = ALL.into_iter().position(|other| other.name == target);
                assert!(parent.is_some_and(|parent| parent < place), "{} → {target}", entity.name);
                assert!(
                    find(target).is_some_and(|parent| !parent.placeholder.is_empty()),
                    "{target} is referred to and has no placeholder"
                );
            }
        }
    }

    #[test]
    fn every_column_that_a_table_speaks_of_exists() {
        for entity in ALL {
            let names: BTreeSet<_> = entity.columns.iter().map(|column| column.name).collect();
            assert_eq!(names.len(), entity.columns.len(), "{}: a column twice", entity.name);
            for (column, _) in entity.placeholder {
                assert!(names.contains(column), "{}: placeholder of {column}", entity.name);
            }
            if let Some(column) = entity.partitioned_by {
                assert!(names.contains(column), "{}: partitioned by {column}", entity.name);
                assert!(entity.parts.is_empty(), "{}: parts refer to one place by the id alone", entity.name);
            }
            if let Some(filter) = entity.time_filter() {
                assert!(entity.dated_by().is_some(), "{}: no column holds {}", entity.name, filter.field);
            }
            for part in entity.parts {
                let names: BTreeSet<_> = part.columns.iter().map(|column| column.name).collect();
                assert_eq!(names.len(), part.columns.len(), "{}: a column twice", part.table);
                assert!(!names.contains(part.parent) && !names.contains("line"), "{}: its own", part.table);
                assert!(part.columns.iter().all(|column| !column.protected), "{}: kept by hand", part.table);
                let is_selected = |selection: &str| selection.contains(part.field);
                assert!(entity.query().is_some_and(|query| is_selected(query.selection)), "{}", part.table);
            }
        }
    }

    #[test]
    fn records_are_asked_for_by_id_many_at_once_and_a_nested_one_by_its_id_alone() {
        let document = find("measurements").and_then(|entity| entity.by_id_document(2));
        let expected = "query pianoMeasurementById($id0: String!, $id1: String!) { \
                        r0: pianoMeasurement(id: $id0) { id } r1: pianoMeasurement(id: $id1) { id } }";
        assert_eq!(document.as_deref(), Some(expected));
        assert_eq!(find("timeline").and_then(|entity| entity.by_id_document(1)), None);
    }

    #[test]
    fn a_document_is_one_query_and_asks_for_the_id() {
        for query in fetched().filter_map(Entity::query) {
            let document = query.document();
            assert!(document.starts_with("query "), "{document}");
            assert!(query.selection.trim_start().starts_with("id "), "{document}");
        }
    }
}
