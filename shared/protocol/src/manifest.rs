//! Manifests: the state of a run, as the fetcher writes it to S3 and the stager copies it to `sync_status`.

use chrono::{DateTime, Datelike as _, Utc};
use model::window::Window;
use serde::{Deserialize, Deserializer, Serialize};

use crate::action::ActionKind;
use crate::lane::Lane;
use crate::object_key::RunId;
use crate::raw_page::{YEARS, is_storable_count, is_storable_window, is_usable_name};

/// Version of the manifest's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// Manifest of a run of one entity. Written when the run starts and after each invocation that worked on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the manifest, [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// Id of the run.
    pub run_id: RunId,
    /// Name of the entity.
    pub entity: String,
    /// Mode of the run, as [`crate::request::ModeName`] writes it.
    pub mode: String,
    /// Lane of the run; none in a manifest of a version that did not write it.
    #[serde(default)]
    pub lane: Option<Lane>,
    /// Period that the run fetches; none for the whole list.
    pub window: Option<Window>,
    /// Status of the run.
    pub status: RunStatus,
    /// Instant at which the first invocation began.
    pub started_at: DateTime<Utc>,
    /// Instant at which the run ended; none while it runs.
    pub ended_at: Option<DateTime<Utc>>,
    /// Number of raw pages stored so far.
    pub pages: u32,
    /// Number of elements on them, null ones included.
    pub records: u64,
    /// Number of pages read and not stored, because they are unchanged or outside the period.
    #[serde(default)]
    pub pages_passed: u32,
    /// Number of elements on the pages that were not stored.
    #[serde(default)]
    pub records_passed: u64,
    /// Count stated by the source on the first page.
    #[serde(default)]
    pub total_count_first: Option<u64>,
    /// Count stated by the source on the last page.
    pub total_count: Option<u64>,
    /// Number of distinct ids plus elements without an id; counted by a run that read a whole list to its end.
    #[serde(default)]
    pub distinct: Option<u64>,
    /// Number of elements without an id among them, null ones included: any of them may be any record.
    #[serde(default)]
    pub unidentified: Option<u64>,
    /// States that the run listed every record of its period by its id, so that a record which it lacks is gone.
    #[serde(default)]
    pub proves_absence: bool,
    /// Records and positions that the source did not serve; a later run that serves them closes their actions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unserved: Vec<Unserved>,
    /// Ids that a run of lookups has got a clear answer for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<String>,
    /// Page at which the last invocation resumed the work of an earlier one.
    pub resumed_from_page: Option<u32>,
    /// Number of this version of the manifest: an older one never overwrites a newer one.
    pub revision: u32,
    /// Reason for which the run is not a success.
    pub error: Option<String>,
    /// Kind of the action that a person must take, if only a person can help; none for a kind of a later version.
    #[serde(default, deserialize_with = "known_action")]
    pub action: Option<ActionKind>,
    /// Access level of the mirror's own user during the run, as Gazelle states it (`ADMIN`); none where the fetcher did
    /// not learn it. Any level other than `ADMIN` sees a part of the records: such a listing proves no deletion.
    #[serde(default)]
    pub access_level: Option<String>,
    /// Version of the fetcher.
    pub fetcher_version: String,
}

impl Manifest {
    /// Checks every field that is stored.
    ///
    /// # Errors
    /// Names the first field whose value no fetcher writes.
    pub fn check(&self) -> Result<(), InvalidManifest> {
        let checks = [
            ("run_id", is_usable_name(self.run_id.as_str())),
            ("mode", is_usable_name(&self.mode)),
            ("started_at", YEARS.contains(&self.started_at.year())),
            ("window", is_storable_window(self.window)),
            ("pages", i32::try_from(self.pages).is_ok()),
            ("pages_passed", i32::try_from(self.pages_passed).is_ok()),
            ("records_passed", is_storable_count(self.records_passed)),
            ("revision", i32::try_from(self.revision).is_ok()),
        ];
        match checks.into_iter().find(|(_, is_valid)| !is_valid) {
            Some((field, _)) => Err(InvalidManifest { field }),
            None => Ok(()),
        }
    }
}

fn known_action<'de, D: Deserializer<'de>>(kind: D) -> Result<Option<ActionKind>, D::Error> {
    let kind: Option<String> = Option::deserialize(kind)?;
    Ok(kind.as_deref().and_then(ActionKind::parse))
}

/// Record or position that the source did not serve, however often it was requested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unserved {
    /// Id of the record, if it is known.
    #[serde(default)]
    pub id: Option<String>,
    /// Number of the page that the record would have been on, from 1; none for a lookup by id.
    #[serde(default)]
    pub page: Option<u32>,
    /// Position of the record in the listing, from 1; none for a lookup by id.
    #[serde(default)]
    pub position: Option<u64>,
    /// Records after this position that could not be reached either: no cursor beyond it is known.
    #[serde(default)]
    pub rest: bool,
    /// Reason of the last attempt.
    #[serde(default)]
    pub reason: String,
}

impl Unserved {
    /// Returns the subject of its action: the id, or the lane and the position in it.
    #[must_use]
    pub fn subject(&self, lane: &str) -> String {
        match (&self.id, self.page, self.position) {
            (Some(id), ..) => id.clone(),
            (None, Some(page), Some(position)) => format!("{lane}, page {page}, record {position}"),
            (None, ..) => lane.to_owned(),
        }
    }
}

/// Error for a manifest that no fetcher writes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid manifest: `{field}` is out of range")]
pub struct InvalidManifest {
    field: &'static str,
}

/// Status of a run, as far as the fetcher can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStatus {
    /// The run goes on, now or in a later invocation.
    Running,
    /// The run stored every record that the source counted.
    Success,
    /// The run ended, and its counts differ from those of the source.
    Partial,
    /// The run ended before its last page.
    Failed,
}

impl RunStatus {
    /// Every status, in the order in which the documentation lists them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Success, Self::Partial, Self::Failed];

    /// Returns the text in reports and in `sync_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Success => "success",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }

    /// Parses the text of `sync_status`; none for a status that this version does not know.
    #[must_use]
    pub fn parse(status: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_of_another_version_is_read() {
        // Without the fields that later versions added, and with an action that this one does not know.
        let former = r#"{"schema_version":1,"run_id":"20260131T120000000Z-00000009","entity":"clients","mode":"full",
            "window":null,"status":"partial","started_at":"2026-01-31T12:00:00Z","ended_at":null,"pages":1,"records":2,
            "total_count":3,"resumed_from_page":null,"revision":1,"error":null,"action":"of_a_later_version",
            "fetcher_version":"6.0.0"}"#;
        let manifest: Option<Manifest> = serde_json::from_str(former).ok();
        let read = manifest.map(|read| (read.action, read.unidentified, read.unserved, read.proves_absence));
        assert_eq!(read, Some((None, None, Vec::new(), false)));
    }

    #[test]
    fn subject_of_an_unserved_record_is_its_id_or_its_position() {
        let mut unserved =
            Unserved { id: None, page: Some(3), position: Some(212), rest: false, reason: String::new() };
        assert_eq!(unserved.subject("full"), "full, page 3, record 212");
        unserved.id = Some("cli_1".to_owned());
        assert_eq!(unserved.subject("full"), "cli_1");
        assert_eq!(Unserved { id: None, page: None, ..unserved }.subject("verify"), "verify");
    }

    #[test]
    fn run_status_round_trips_through_its_text() {
        for status in RunStatus::ALL {
            assert_eq!(RunStatus::parse(status.as_str()), Some(status));
            let json = serde_json::to_string(&status).ok();
            assert_eq!(json, Some(format!("\"{}\"", status.as_str())));
        }
        assert_eq!(RunStatus::parse("busy"), None);
    }
}
