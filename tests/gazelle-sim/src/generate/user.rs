//! Makes the technicians and the office.

use chrono::{DateTime, Duration, Utc};

use super::{HISTORY_DAYS, earlier, localization, vocabulary};
use crate::{SimConfig, clock, dice::Dice, record::Record, world::World};

/// Lists the users, of whom the first is an active ADMIN.
pub(super) fn populate(world: &mut World, config: &SimConfig, unlisted: usize) {
    let mut dice = Dice::new(world.seed, 1);
    let present = world.clock;
    let mut users: Vec<Record> = Vec::new();
    for index in 0..config.users + unlisted {
        let created = earlier(&mut dice, present - Duration::days(HISTORY_DAYS), 2000);
        let mut user = user(&mut dice, created, index);
        if index == 0 {
            user.set("accessLevel", "ADMIN");
            user.set("status", "ACTIVE");
        }
        users.push(user);
    }
    for user in users.split_off(config.users) {
        world.users.add_unlisted(user);
    }
    world.users.fill(users);
}

/// A user; `number` makes the e-mail address unique.
pub(crate) fn user(dice: &mut Dice, created: DateTime<Utc>, number: usize) -> Record {
    let first_name = dice.pick(vocabulary::FIRST_NAMES);
    let last_name = dice.pick(vocabulary::LAST_NAMES);
    Record::new()
        .with("id", dice.id("usr_"))
        .with("firstName", first_name)
        .with("lastName", last_name)
        .with("fullName", format!("{first_name} {last_name}"))
        .with("email", format!("technicien{number}@example.com"))
        .with("accessLevel", dice.pick(&["TECHNICIAN", "TECHNICIAN", "ASSISTANT", "ADMIN"]))
        .with("status", dice.pick(&["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"]))
        .with("timezone", "America/Montreal")
        .with("color", format!("#{:06x}", dice.below(0x0100_0000)))
        .with("isSchedulable", if dice.chance(0.1) { None } else { Some(dice.chance(0.8)) })
        .with("localization", localization("fr_CA"))
        .with("createdAt", clock::stamp(created))
        .with("updatedAt", clock::stamp(created + Duration::days(dice.between(0, 700))))
}
