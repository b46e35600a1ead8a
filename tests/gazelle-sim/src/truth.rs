//! What a perfect mirror's tables hold, read straight from the simulated records.

mod source;

use std::{collections::HashMap, fmt::Write as _, sync::Arc};

use serde_json::{Map, Value as Json, json};

pub(crate) use self::source::{Column, Part, Source};
use crate::{
    model::{self, Model},
    record::{Entity, Record},
    world::World,
};
use Source::{DisplayName, LocalDay, Path};

/// A table that a mirror keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MirrorTable {
    /// `users`
    Users,
    /// `clients`
    Clients,
    /// `pianos`
    Pianos,
    /// `timeline`
    Timeline,
    /// `measurements`
    Measurements,
    /// What a model tells of.
    Modelled(&'static Model),
}

impl MirrorTable {
    /// All tables, those of the models last.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        [Self::Users, Self::Clients, Self::Pianos, Self::Timeline, Self::Measurements]
            .into_iter()
            .chain(Self::modelled())
    }

    /// The tables of the models.
    pub(crate) fn modelled() -> impl Iterator<Item = Self> {
        model::ALL.iter().copied().map(Self::Modelled)
    }

    /// The name in addresses and reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Clients => "clients",
            Self::Pianos => "pianos",
            Self::Timeline => "timeline",
            Self::Measurements => "measurements",
            Self::Modelled(model) => model.name,
        }
    }

    /// The table of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().find(|table| table.name() == name)
    }

    /// The entity listed on its own; measurements only live in pianos.
    pub(crate) fn entity(self) -> Option<Entity> {
        match self {
            Self::Users => Some(Entity::User),
            Self::Clients => Some(Entity::Client),
            Self::Pianos => Some(Entity::Piano),
            Self::Timeline => Some(Entity::TimelineEntry),
            Self::Measurements => None,
            Self::Modelled(model) => Some(Entity::Modelled(model)),
        }
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::Users => USERS,
            Self::Clients => CLIENTS,
            Self::Pianos => PIANOS,
            Self::Timeline => TIMELINE,
            Self::Measurements => MEASUREMENTS,
            Self::Modelled(model) => model.columns,
        }
    }

    /// The row of a record.
    pub(crate) fn row(self, record: &Record) -> Map<String, Json> {
        source::row(self.columns(), record, None)
    }

    /// The lists inside its records that become rows of tables of their own.
    pub(crate) fn parts(self) -> &'static [Part] {
        match self {
            Self::Modelled(model) => model.parts,
            _ => &[],
        }
    }

    /// Whether two states of a record are the same to a mirror.
    pub(crate) fn shows_alike(self, one: &Record, other: &Record) -> bool {
        self.row(one) == self.row(other) && self.parts().iter().all(|part| part.rows(one) == part.rows(other))
    }

    /// The records that become rows, by id.
    pub(crate) fn records(self, world: &World) -> HashMap<Arc<str>, Arc<Record>> {
        let keep = |record: &Arc<Record>| record.id().map(|id| (Arc::clone(id), Arc::clone(record)));
        match self.entity() {
            Some(entity) => world.table(entity).records().filter_map(keep).collect(),
            None => world.measurements().filter_map(|(_, measurement)| keep(measurement)).collect(),
        }
    }
}

/// The answer about a table, as JSON text: a large one would be too much to hold as values.
pub(crate) fn report(world: &World, table: MirrorTable) -> String {
    let (total_count, null_nodes) = match table.entity() {
        Some(entity) => {
            let slots = world.table(entity).slots();
            (slots.len(), slots.iter().filter(|slot| slot.record.is_none()).count())
        }
        None => (world.measurements().count(), 0),
    };
    let mut records: Vec<_> = table.records(world).into_iter().collect();
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let records = || records.iter().map(|(_, record)| record.as_ref());
    let mut text = String::from("{\"rows\":");
    write_rows(&mut text, records().map(|record| table.row(record)));
    text.push_str(",\"parts\":{");
    for (index, part) in table.parts().iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}\"{}\":", part.name);
        write_rows(&mut text, records().flat_map(|record| part.rows(record)));
    }
    let placeholders = table.entity().map(|entity| world.placeholders(entity)).unwrap_or_default();
    let placeholders = json!(placeholders.iter().map(AsRef::as_ref).collect::<Vec<&str>>());
    let skipped = json!({"null_node": null_nodes, "null_id": total_count - null_nodes - records().count()});
    let _ = write!(
        text,
        "}},\"placeholders\":{placeholders},\"skipped\":{skipped},\"total_count\":{total_count}}}"
    );
    text
}

fn write_rows(text: &mut String, rows: impl Iterator<Item = Map<String, Json>>) {
    text.push('[');
    for (index, row) in rows.enumerate() {
        if index > 0 {
            text.push(',');
        }
        text.push_str(&Json::Object(row).to_string());
    }
    text.push(']');
}

const USERS: &[Column] = &[
    ("id", Path(&["id"])),
    ("first_name", Path(&["firstName"])),
    ("last_name", Path(&["lastName"])),
    ("email", Path(&["email"])),
    ("access_level", Path(&["accessLevel"])),
    ("status", Path(&["status"])),
    ("timezone", Path(&["timezone"])),
    ("color", Path(&["color"])),
    ("is_schedulable", Path(&["isSchedulable"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const CLIENTS: &[Column] = &[
    ("id", Path(&["id"])),
    ("company_name", Path(&["companyName"])),
    ("first_name", Path(&["defaultContact", "firstName"])),
    ("last_name", Path(&["defaultContact", "lastName"])),
    ("display_name", DisplayName),
    ("status", Path(&["status"])),
    ("client_type", Path(&["clientType"])),
    ("email", Path(&["defaultContact", "defaultEmail", "email"])),
    ("phone", Path(&["defaultContact", "defaultPhone", "phoneNumber"])),
    ("street1", Path(&["defaultContact", "defaultLocation", "street1"])),
    ("street2", Path(&["defaultContact", "defaultLocation", "street2"])),
    ("city", Path(&["defaultContact", "defaultLocation", "municipality"])),
    ("region", Path(&["defaultContact", "defaultLocation", "region"])),
    ("postal_code", Path(&["defaultContact", "defaultLocation", "postalCode"])),
    ("country_code", Path(&["defaultContact", "defaultLocation", "countryCode"])),
    ("personal_notes", Path(&["personalNotes"])),
    ("preference_notes", Path(&["preferenceNotes"])),
    ("locale", Path(&["localization", "locale"])),
    ("tags", Path(&["tags"])),
    ("preferred_technician_id", Path(&["preferredTechnician"])),
    ("lifecycle_state", Path(&["lifecycleState"])),
    ("no_contact_until", Path(&["noContactUntil"])),
    ("reason_inactive_code", Path(&["reasonInactiveCode"])),
    ("reference_id", Path(&["referenceId"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const PIANOS: &[Column] = &[
    ("id", Path(&["id"])),
    ("client_id", Path(&["client"])),
    ("make", Path(&["make"])),
    ("model", Path(&["model"])),
    ("serial_number", Path(&["serialNumber"])),
    ("type", Path(&["type"])),
    ("year", Path(&["year"])),
    ("location", Path(&["location"])),
    ("notes", Path(&["notes"])),
    ("status", Path(&["status"])),
    ("size", Path(&["size"])),
    ("use_type", Path(&["useType"])),
    ("case_color", Path(&["caseColor"])),
    ("case_finish", Path(&["caseFinish"])),
    ("tags", Path(&["tags"])),
    ("dampp_chaser_installed", Path(&["damppChaserInstalled"])),
    ("dampp_chaser_humidistat_model", Path(&["damppChaserHumidistatModel"])),
    ("dampp_chaser_mfg_date", Path(&["damppChaserMfgDate"])),
    ("player_installed", Path(&["playerInstalled"])),
    ("has_ivory", Path(&["hasIvory"])),
    ("needs_repair_or_rebuilding", Path(&["needsRepairOrRebuilding"])),
    ("total_loss", Path(&["totalLoss"])),
    ("rental", Path(&["rental"])),
    ("consignment", Path(&["consignment"])),
    ("service_interval_months", Path(&["serviceIntervalMonths"])),
    ("calculated_last_service", Path(&["calculatedLastService"])),
    ("calculated_next_service", Path(&["calculatedNextService"])),
    ("event_last_service", Path(&["eventLastService"])),
    ("manual_last_service", Path(&["manualLastService"])),
    ("next_service_override", Path(&["nextServiceOverride"])),
    ("lifecycle_state", Path(&["lifecycleState"])),
    ("reference_id", Path(&["referenceId"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];

const TIMELINE: &[Column] = &[
    ("id", Path(&["id"])),
    ("client_id", Path(&["client"])),
    ("piano_id", Path(&["piano"])),
    ("user_id", Path(&["user"])),
    ("entry_type", Path(&["type"])),
    ("occurred_at", Path(&["occurredAt"])),
    ("occurred_on", LocalDay("occurredAt")),
    ("summary", Path(&["summary"])),
    ("comment", Path(&["comment"])),
    ("duration", Path(&["duration"])),
    ("related_type", Path(&["relatedType"])),
    ("related_id", Path(&["relatedId"])),
    ("alert_type", Path(&["alertType"])),
    ("email_status", Path(&["emailStatus"])),
    ("email_failure_reason", Path(&["emailFailureReason"])),
    ("sms_status", Path(&["smsStatus"])),
    ("appointment_id", Path(&["appointment", "id"])),
    ("invoice_id", Path(&["invoice", "id"])),
    ("estimate_id", Path(&["estimate", "id"])),
];

const MEASUREMENTS: &[Column] = &[
    ("id", Path(&["id"])),
    ("piano_id", Path(&["pianoId"])),
    ("taken_on", Path(&["takenOn"])),
    ("temperature", Path(&["temperature"])),
    ("humidity", Path(&["humidity"])),
    ("a0_pitch", Path(&["a0Pitch"])),
    ("a1_pitch", Path(&["a1Pitch"])),
    ("a2_pitch", Path(&["a2Pitch"])),
    ("a3_pitch", Path(&["a3Pitch"])),
    ("a4_pitch", Path(&["a4Pitch"])),
    ("a5_pitch", Path(&["a5Pitch"])),
    ("a6_pitch", Path(&["a6Pitch"])),
    ("a7_pitch", Path(&["a7Pitch"])),
    ("a0_dip", Path(&["a0Dip"])),
    ("a1_dip", Path(&["a1Dip"])),
    ("a2_dip", Path(&["a2Dip"])),
    ("a3_dip", Path(&["a3Dip"])),
    ("a4_dip", Path(&["a4Dip"])),
    ("a5_dip", Path(&["a5Dip"])),
    ("a6_dip", Path(&["a6Dip"])),
    ("a7_dip", Path(&["a7Dip"])),
    ("c7_sustain_played", Path(&["c7SustainPlayed"])),
    ("c7_sustain_plucked", Path(&["c7SustainPlucked"])),
    ("d6_sustain_played", Path(&["d6SustainPlayed"])),
    ("d6_sustain_plucked", Path(&["d6SustainPlucked"])),
    ("g6_sustain_played", Path(&["g6SustainPlayed"])),
    ("g6_sustain_plucked", Path(&["g6SustainPlucked"])),
    ("gazelle_created_at", Path(&["createdAt"])),
    ("gazelle_updated_at", Path(&["updatedAt"])),
];
