//! Definition of an entity: its source, its columns and its tables, as data.

use chrono::{DateTime, Days, Utc};

use crate::column::{ChildTable, Column};
use crate::local_day;
use crate::matching::Matching;
use crate::row::{Record, Rejection, Row};
use crate::rule::{RowDraft, Rule};
use crate::window::Window;

/// Kind of record that is mirrored: its source, its columns and its tables.
#[derive(Debug)]
pub struct Entity {
    /// Name in requests, object keys, health and `sync_status`: `timeline`.
    pub name: &'static str,
    /// Title on the dashboard and in alerts.
    pub title: Title,
    /// Name of the production table: `timeline_entries`.
    pub table: &'static str,
    /// Name of the staging table: `stg_timeline_entries`.
    pub staging_table: &'static str,
    /// Query or parent from which the records come.
    pub source: Source,
    /// Columns of the production table that the source fills, without the id.
    pub columns: &'static [Column],
    /// Column by whose month the production table is partitioned, if it is.
    pub partitioned_by: Option<&'static str>,
    /// Tables for the lists inside a record, which are written and deleted with it.
    pub child_tables: &'static [ChildTable],
    /// Rules between the record and its row, in the order in which they apply.
    pub rules: &'static [Rule],
    /// Columns and values of the row that stands for an unknown id; `{id}` is replaced by the id. Empty: the entity
    /// never has placeholders.
    pub placeholder: &'static [(&'static str, &'static str)],
    /// Moment at which people are told of a placeholder.
    pub placeholder_notice: PlaceholderNotice,
    /// Policy for a record that a complete listing does not hold any more.
    pub deletion_policy: DeletionPolicy,
    /// Rule that recognises one record under two ids, if that happens.
    pub duplicate_ids: Option<DuplicateIdRule>,
    /// Matching by which a record is recognised without its id, if it can be.
    pub matching: Option<Matching>,
}

/// Title of an entity, for people.
#[derive(Debug, Clone, Copy)]
pub struct Title {
    /// Plural title in French.
    pub french: &'static str,
    /// Plural title in English.
    pub english: &'static str,
}

/// Rule that recognises one record under two ids: one of the source and one of the V5 import.
#[derive(Debug)]
pub struct DuplicateIdRule {
    /// Prefix of the source's own ids.
    pub prefix: &'static str,
    /// References in which both records agree.
    pub about: &'static [&'static str],
    /// Column with the day on which both records lie.
    pub day: &'static str,
    /// Texts in which both records agree, but for spaces and case.
    pub texts: &'static [&'static str],
}

/// Moment at which people are told that a record refers to one which the source has not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceholderNotice {
    /// At once: such records are few, and a new one changes how others are read.
    Immediate,
    /// Only if the record is still unknown after the run that refers to it, and the next listing of the entity, have
    /// ended: as a rule the record is on its way.
    AfterListing,
}

/// Policy for a record that a complete listing does not hold any more. The source never reports a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// The record stays, because its absence proves nothing.
    Never,
    /// The record is deleted once it is missing from two complete listings in a row.
    TwoFullSyncs,
    /// A record missing from one listing is looked up by its id, and deleted where that does not find it.
    LookupById {
        /// Field of the query root that returns one record.
        root: &'static str,
        /// Argument that takes the id.
        argument: &'static str,
    },
}

/// Origin of an entity's records.
#[derive(Debug)]
pub enum Source {
    /// A query of its own, page by page or in one response.
    Query(Query),
    /// A list inside each record of another entity.
    Nested {
        /// Name of the entity whose records carry the list.
        parent: &'static str,
        /// Field of the parent that holds the list.
        field: &'static str,
    },
}

/// GraphQL query, and the way in which its response is paged.
#[derive(Debug)]
pub struct Query {
    /// Field of `data` that holds the records.
    pub root: &'static str,
    /// Selection on one record.
    pub selection: &'static str,
    /// Shape of the response: a Relay connection or a plain list.
    pub shape: Shape,
}

/// Shape of a query's response.
#[derive(Debug)]
pub enum Shape {
    /// Everything at once: `[record]`.
    List,
    /// Page by page: `{nodes, pageInfo, totalCount}`.
    Connection {
        /// Arguments that never change, such as a stable order.
        arguments: &'static str,
        /// Filter that narrows the listing to a period, if the source has one.
        window: Option<TimeFilter>,
    },
}

/// Filter that narrows a connection to a period.
#[derive(Debug)]
pub struct TimeFilter {
    /// Input object that holds the bounds, if they are not among the arguments.
    pub input: Option<&'static str>,
    /// Argument for the inclusive lower bound.
    pub since: &'static str,
    /// Argument for the inclusive upper bound, where the source has one.
    pub until: Option<&'static str>,
    /// Type of the bounds.
    pub bound: BoundType,
    /// Field of a record that the source compares with the bounds.
    pub field: &'static str,
    /// Period of an incremental run.
    pub reach: IncrementalReach,
}

/// Type of a time filter's bounds at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundType {
    /// Instant, as an ISO 8601 text in UTC.
    Instant,
    /// Local day of the firm.
    Day,
}

/// Period of an incremental run, once a first run has fetched everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IncrementalReach {
    /// From some days before the last run on.
    SinceLastRun,
    /// A number of days before and after today. Such a listing is complete for its period: a record that it lacks is
    /// gone.
    AroundToday {
        /// Number of days before today.
        back: u32,
        /// Number of days after today.
        ahead: u32,
    },
}

impl Entity {
    /// Transforms one record into one row. Pure.
    ///
    /// # Errors
    /// The record can never become a row; the rejection has the reason.
    pub fn transform(&self, record: Record<'_>) -> Result<Row, Rejection> {
        RowDraft::build(record, self.columns, self.child_tables, self.rules)
    }

    /// Returns the query, for an entity that has one of its own.
    #[must_use]
    pub fn query(&self) -> Option<&Query> {
        match &self.source {
            Source::Query(query) => Some(query),
            Source::Nested { .. } => None,
        }
    }

    /// Reports whether whole records of the entity can be looked up by id.
    #[must_use]
    pub fn supports_lookup(&self) -> bool {
        self.query().is_some() && matches!(self.deletion_policy, DeletionPolicy::LookupById { .. })
    }

    /// Returns the column that holds the field which the time filter compares.
    #[must_use]
    pub fn date_column(&self) -> Option<&'static str> {
        let field = self.time_filter()?.field;
        self.columns.iter().find(|column| column.path == [field]).map(|column| column.name)
    }

    /// Returns the time filter, for an entity that can be fetched by period.
    #[must_use]
    pub fn time_filter(&self) -> Option<&TimeFilter> {
        match &self.query()?.shape {
            Shape::Connection { window, .. } => window.as_ref(),
            Shape::List => None,
        }
    }
}

impl TimeFilter {
    /// Returns the period of an incremental run that begins at `now`, where the previous one began at `watermark`.
    #[must_use]
    pub fn incremental_window(
        &self,
        now: DateTime<Utc>,
        watermark: DateTime<Utc>,
        lookback_days: u32,
    ) -> Option<Window> {
        match self.reach {
            IncrementalReach::SinceLastRun => Window::since(watermark, lookback_days),
            IncrementalReach::AroundToday { back, ahead } => {
                let today = local_day::of(now);
                // One day more at each end: the source may count days in another time zone, so that the last hours of
                // the period would be missing.
                let first = today.checked_sub_days(Days::new(u64::from(back) + 1))?;
                let last = today.checked_add_days(Days::new(u64::from(ahead) + 1))?;
                Window::of_days(first, last, local_day::ZONE)
            }
        }
    }

    /// Reports whether an incremental run lists every record of its period, so that a record which it lacks is gone.
    #[must_use]
    pub const fn proves_absence(&self) -> bool {
        matches!(self.reach, IncrementalReach::AroundToday { .. })
    }
}
