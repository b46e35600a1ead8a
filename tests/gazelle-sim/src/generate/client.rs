//! Makes the clients with their contacts.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};

use super::{
    HISTORY_DAYS, earlier, listed_ids, localization, perhaps, reference, spread, tags, vocabulary as words,
};
use crate::{
    SimConfig, clock,
    dice::Dice,
    record::{Datum, Entity, Record},
    world::World,
};

/// Lists the clients, odd ones among them.
pub(super) fn populate(world: &mut World, config: &SimConfig, unlisted: usize) {
    let mut dice = Dice::new(world.seed, 2);
    let technicians = listed_ids(world, Entity::User);
    let null_nodes = if config.oddities { spread(config.clients, 2) } else { Vec::new() };
    let listed = config.clients - null_nodes.len();
    let present = world.clock;
    let mut clients: Vec<Record> = (0..listed + unlisted)
        .map(|_| {
            let created = earlier(&mut dice, present - Duration::days(1), HISTORY_DAYS);
            client(&mut dice, created, &technicians)
        })
        .collect();
    for client in clients.split_off(listed) {
        world.clients.add_unlisted(client);
    }
    if config.oddities {
        make_odd(&mut clients);
    }
    world.clients.fill(clients);
    world.clients.add_null_nodes(null_nodes);
}

/// A client without any name, with blank names, without a contact, of a grown status, without an id.
fn make_odd(clients: &mut [Record]) {
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

/// A client.
pub(crate) fn client(dice: &mut Dice, created: DateTime<Utc>, technicians: &[Arc<str>]) -> Record {
    let company = dice.chance(0.3).then(|| dice.pick(words::COMPANIES));
    let technician =
        (!technicians.is_empty() && dice.chance(0.4)).then(|| &technicians[dice.below(technicians.len())]);
    let client_type = dice.pick(words::CLIENT_TYPES);
    let inactive = dice.chance(0.1);
    let no_contact_until =
        dice.chance(0.05).then(|| (created + Duration::days(400)).date_naive().to_string());
    Record::new()
        .with("id", dice.id("cli_"))
        .with("companyName", company)
        .with(
            "status",
            if inactive { "INACTIVE" } else { dice.pick(&["ACTIVE", "ACTIVE", "PROSPECT", "NEW"]) },
        )
        .with("clientType", perhaps(dice, 0.7, client_type))
        .with("defaultContact", contact(dice, created))
        .with("personalNotes", note(dice, words::PERSONAL_NOTES))
        .with("preferenceNotes", note(dice, words::PREFERENCE_NOTES))
        .with("localization", dice.chance(0.8).then(|| localization("fr_CA")))
        .with("defaultClientLocalization", localization("fr_CA"))
        .with("tags", tags(dice))
        .with("preferredTechnician", technician.map(|id| reference(Entity::User, id)))
        .with("preferredTechnicianId", technician.cloned())
        .with("lifecycleState", note(dice, words::LIFECYCLE_STATES))
        .with("noContactUntil", no_contact_until)
        .with("reasonInactiveCode", inactive.then_some("MOVED"))
        .with("referenceId", dice.chance(0.1).then(|| format!("ref-{}", dice.below(100_000))))
        .with("createdAt", clock::stamp(created))
        .with("updatedAt", clock::stamp(created + Duration::hours(dice.between(0, 20))))
}

fn note(dice: &mut Dice, choices: &[&str]) -> Datum {
    let text = dice.pick(choices);
    perhaps(dice, 0.4, text)
}

fn contact(dice: &mut Dice, created: DateTime<Utc>) -> Record {
    let first_name = dice.pick(words::FIRST_NAMES);
    let last_name = dice.pick(words::LAST_NAMES);
    let email = Record::new()
        .with("id", dice.id("eml_"))
        .with("email", format!("client{}@example.org", dice.below(1_000_000)))
        .with("isDefault", true);
    let phone = Record::new()
        .with("id", dice.id("pho_"))
        .with("phoneNumber", format!("(514) 555-01{:02}", dice.below(100)))
        .with("type", dice.pick(&["MOBILE", "HOME", "WORK"]))
        .with("isDefault", true);
    Record::new()
        .with("id", dice.id("con_"))
        .with("firstName", perhaps(dice, 0.95, first_name))
        .with("lastName", perhaps(dice, 0.95, last_name))
        .with("archived", false)
        .with("isDefault", true)
        .with("defaultEmail", dice.chance(0.85).then_some(email))
        .with("defaultPhone", dice.chance(0.8).then_some(phone))
        .with("defaultLocation", dice.chance(0.85).then(|| location(dice)))
        .with("wantsEmail", dice.chance(0.9))
        .with("createdAt", clock::stamp(created))
        .with("updatedAt", clock::stamp(created))
}

fn location(dice: &mut Dice) -> Record {
    let street = format!("{} {}", dice.between(1, 9999), dice.pick(words::STREETS));
    let unit = format!("app. {}", dice.between(1, 40));
    Record::new()
        .with("id", dice.id("loc_"))
        .with("street1", street)
        .with("street2", perhaps(dice, 0.2, unit))
        .with("municipality", dice.pick(words::CITIES))
        .with("region", perhaps(dice, 0.9, "QC"))
        .with("postalCode", format!("H0Z {}Z{}", dice.below(10), dice.below(10)))
        .with("countryCode", "CA")
        .with("usageType", "STREET")
        .with("locationType", "ADDRESS")
}
