//! Generation of technicians and office users.

use chrono::{DateTime, Duration, Utc};

use super::vocabulary;
use crate::{
    config::SimConfig,
    dataset::Dataset,
    datetime,
    record::Record,
    rng::SeededRng,
    values::{HISTORY_DAYS, earlier, localization},
};

/// Generates the users; the first is an active ADMIN.
pub(super) fn populate(dataset: &mut Dataset, config: &SimConfig, unlisted: usize) {
    let mut rng = SeededRng::new(dataset.seed, 1);
    let now = dataset.now;
    let mut users: Vec<Record> = Vec::new();
    for index in 0..config.users + unlisted {
        let created = earlier(&mut rng, now - Duration::days(HISTORY_DAYS), 2000);
        let mut user = user(&mut rng, created, index);
        if index == 0 {
            user.set("accessLevel", "ADMIN");
            user.set("status", "ACTIVE");
        }
        users.push(user);
    }
    for user in users.split_off(config.users) {
        dataset.users.add_unlisted(user);
    }
    dataset.users.load(users);
}

/// Generates a user; `number` makes the e-mail address unique.
pub(crate) fn user(rng: &mut SeededRng, created: DateTime<Utc>, number: usize) -> Record {
    let first_name = rng.choose(vocabulary::FIRST_NAMES);
    let last_name = rng.choose(vocabulary::LAST_NAMES);
    Record::new()
        .with("id", rng.id("usr_"))
        .with("firstName", first_name)
        .with("lastName", last_name)
        .with("fullName", format!("{first_name} {last_name}"))
        .with("email", format!("technicien{number}@example.com"))
        .with("accessLevel", rng.choose(&["TECHNICIAN", "TECHNICIAN", "ASSISTANT", "ADMIN"]))
        .with("status", rng.choose(&["ACTIVE", "ACTIVE", "ACTIVE", "INACTIVE"]))
        .with("timezone", "America/Montreal")
        .with("color", format!("#{:06x}", rng.below(0x0100_0000)))
        .with("isSchedulable", if rng.chance(0.1) { None } else { Some(rng.chance(0.8)) })
        .with("localization", localization("fr_CA"))
        .with("createdAt", datetime::format(created))
        .with("updatedAt", datetime::format(created + Duration::days(rng.between(0, 700))))
}
