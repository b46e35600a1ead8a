//! Generation of clients with their contacts.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::vocabulary;
use crate::{
    config::SimConfig,
    dataset::Dataset,
    datetime,
    entity::Entity,
    record::{Datum, Record},
    rng::SeededRng,
    values::{HISTORY_DAYS, earlier, localization, optional_text, reference, spread, tags},
};

/// Generates the clients, including unlisted ones and oddities.
pub(super) fn populate(dataset: &mut Dataset, config: &SimConfig, unlisted: usize) {
    let mut rng = SeededRng::new(dataset.seed, 2);
    let technicians = dataset.listed_ids(Entity::User);
    let null_nodes = if config.oddities { spread(config.clients, 2) } else { Vec::new() };
    let listed = config.clients - null_nodes.len();
    let now = dataset.now;
    let mut clients: Vec<Record> = (0..listed + unlisted)
        .map(|_| {
            let created = earlier(&mut rng, now - Duration::days(1), HISTORY_DAYS);
            client(&mut rng, created, &technicians)
        })
        .collect();
    for client in clients.split_off(listed) {
        dataset.clients.add_unlisted(client);
    }
    if config.oddities {
        add_oddities(&mut clients);
    }
    dataset.clients.load(clients);
    dataset.clients.add_null_nodes(null_nodes);
}

/// Adds oddities to some clients: no name, blank names, no contact, a new status, no id.
fn add_oddities(clients: &mut [Record]) {
    for (index, position) in spread(clients.len(), 8).into_iter().enumerate() {
        let client = &mut clients[position];
        match index {
            0 => {
                client.set("companyName", Datum::Null);
                client.set("defaultContact", Datum::Null);
            }
            1 | 5 => client.set("id", Datum::Null),
            2 => {
                client.set("companyName", "  ");
                client.set(
                    "defaultContact",
                    Record::new().with("id", "con_blank00000000000").with("lastName", ""),
                );
            }
            3 | 6 => client.set("status", "DORMANT"),
            4 => client.set("personalNotes", "\u{200f}עברית \"guillemets\" \\ 👩🏽‍🔧\r\n\tfin\u{2029}"),
            _ => client.set("tags", Datum::List(Vec::new())),
        }
    }
}

/// Generates a client that prefers one of the technicians or none.
pub(crate) fn client(rng: &mut SeededRng, created: DateTime<Utc>, technicians: &[Arc<str>]) -> Record {
    let company = rng.chance(0.3).then(|| rng.choose(vocabulary::COMPANIES));
    let technician =
        (!technicians.is_empty() && rng.chance(0.4)).then(|| &technicians[rng.below(technicians.len())]);
    let client_type = rng.choose(vocabulary::CLIENT_TYPES);
    let inactive = rng.chance(0.1);
    let no_contact_until = rng.chance(0.05).then(|| (created + Duration::days(400)).date_naive().to_string());
    Record::new()
        .with("id", rng.id("cli_"))
        .with("companyName", company)
        .with(
            "status",
            if inactive { "INACTIVE" } else { rng.choose(&["ACTIVE", "ACTIVE", "PROSPECT", "NEW"]) },
        )
        .with("clientType", optional_text(rng, 0.7, client_type))
        .with("defaultContact", contact(rng, created))
        .with("personalNotes", optional_note(rng, vocabulary::PERSONAL_NOTES))
        .with("preferenceNotes", optional_note(rng, vocabulary::PREFERENCE_NOTES))
        .with("localization", rng.chance(0.8).then(|| localization("fr_CA")))
        .with("defaultClientLocalization", localization("fr_CA"))
        .with("tags", tags(rng))
        .with("preferredTechnician", technician.map(|id| reference(Entity::User, id)))
        .with("preferredTechnicianId", technician.cloned())
        .with("lifecycleState", optional_note(rng, vocabulary::LIFECYCLE_STATES))
        .with("noContactUntil", no_contact_until)
        .with("reasonInactiveCode", inactive.then_some("MOVED"))
        .with("referenceId", rng.chance(0.1).then(|| format!("ref-{}", rng.below(100_000))))
        .with("createdAt", datetime::format(created))
        .with("updatedAt", datetime::format(created + Duration::hours(rng.between(0, 20))))
}

fn optional_note(rng: &mut SeededRng, choices: &[&str]) -> Datum {
    let text = rng.choose(choices);
    optional_text(rng, 0.4, text)
}

fn contact(rng: &mut SeededRng, created: DateTime<Utc>) -> Record {
    let first_name = rng.choose(vocabulary::FIRST_NAMES);
    let last_name = rng.choose(vocabulary::LAST_NAMES);
    let email = Record::new()
        .with("id", rng.id("eml_"))
        .with("email", format!("client{}@example.org", rng.below(1_000_000)))
        .with("isDefault", true);
    let phone = Record::new()
        .with("id", rng.id("pho_"))
        .with("phoneNumber", format!("(514) 555-01{:02}", rng.below(100)))
        .with("type", rng.choose(&["MOBILE", "HOME", "WORK"]))
        .with("isDefault", true);
    Record::new()
        .with("id", rng.id("con_"))
        .with("firstName", optional_text(rng, 0.95, first_name))
        .with("lastName", optional_text(rng, 0.95, last_name))
        .with("archived", false)
        .with("isDefault", true)
        .with("defaultEmail", rng.chance(0.85).then_some(email))
        .with("defaultPhone", rng.chance(0.8).then_some(phone))
        .with("defaultLocation", rng.chance(0.85).then(|| location(rng)))
        .with("wantsEmail", rng.chance(0.9))
        .with("createdAt", datetime::format(created))
        .with("updatedAt", datetime::format(created))
}

fn location(rng: &mut SeededRng) -> Record {
    let street = format!("{} {}", rng.between(1, 9999), rng.choose(vocabulary::STREETS));
    let unit = format!("app. {}", rng.between(1, 40));
    Record::new()
        .with("id", rng.id("loc_"))
        .with("street1", street)
        .with("street2", optional_text(rng, 0.2, unit))
        .with("municipality", rng.choose(vocabulary::CITIES))
        .with("region", optional_text(rng, 0.9, "QC"))
        .with("postalCode", format!("H0Z {}Z{}", rng.below(10), rng.below(10)))
        .with("countryCode", "CA")
        .with("usageType", "STREET")
        .with("locationType", "ADDRESS")
}
