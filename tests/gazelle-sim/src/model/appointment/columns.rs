//! Mirror tables of appointments.

use crate::{
    column::{
        ChildTable, Column,
        ColumnSource::{EndTime, LocalDay, LocalTime, Path},
    },
    entity::ModelId,
};

/// Identity of the model, which is the name of its table.
pub(super) const ID: ModelId = ModelId("appointments");

/// Table of the pianos of an appointment.
pub(super) const CHILD_TABLES: &[ChildTable] = &[ChildTable {
    name: "appointment_pianos",
    parent_column: "appointment_id",
    list: "allEventPianos",
    columns: PIANOS,
}];

/// Columns of the table `appointments`.
pub(super) const APPOINTMENTS: &[Column] = &[
    ("id", Path(&["id"])),
    ("client_id", Path(&["client"])),
    ("user_id", Path(&["user"])),
    ("created_by_id", Path(&["createdBy"])),
    ("type", Path(&["type"])),
    ("status", Path(&["status"])),
    ("title", Path(&["title"])),
    ("notes", Path(&["notes"])),
    ("starts_at", Path(&["start"])),
    ("ends_at", EndTime("start", "duration")),
    ("starts_on", LocalDay("start")),
    ("local_time", LocalTime("start")),
    ("duration", Path(&["duration"])),
    ("buffer", Path(&["buffer"])),
    ("is_all_day", Path(&["isAllDay"])),
    ("timezone", Path(&["timezone"])),
    ("confirmed_at", Path(&["confirmedAt"])),
    ("confirmed_by_client", Path(&["confirmedByClient"])),
    ("confirmation_warning", Path(&["confirmationWarning"])),
    ("address_line", Path(&["addressLine"])),
    ("city", Path(&["location", "municipality"])),
    ("postal_code", Path(&["location", "postalCode"])),
    ("travel_mode", Path(&["travelMode"])),
    ("lifecycle_state", Path(&["lifecycleState"])),
    ("source", Path(&["source"])),
    ("recurrence_id", Path(&["recurrenceId"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const PIANOS: &[Column] = &[("piano_id", Path(&["piano"])), ("is_tuning", Path(&["isTuning"]))];
