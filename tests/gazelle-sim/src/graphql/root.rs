//! What each field of the query root answers.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    CursorFault, Refusal, Spoil,
    compile::Step,
    fallback, filter,
    page::{self, Listing, Paging},
    sdl::Shapes,
};
use crate::{
    clock,
    dice::Dice,
    model,
    record::{Datum, Entity, Record},
    table::Slot,
    world::World,
};

/// The value of a root field; `None` leaves it to the field's type.
pub(super) fn resolve(
    world: &World,
    shapes: &Shapes,
    step: &Step,
    spoil: Spoil,
    page_size_max: usize,
) -> Result<Option<Datum>, Refusal> {
    let by_id = |entity: Entity, names: &[&str]| {
        let id = names.iter().find_map(|name| step.arguments.get(*name)).and_then(Json::as_str)?;
        world.table(entity).find(id).map(|record| Datum::Object(Arc::clone(record)))
    };
    let listing = match step.field.as_str() {
        "allUsers" => return Ok(Some(all_users(world))),
        "user" => return Ok(world.users.records().find(|user| is_admin(user)).cloned().map(Datum::Object)),
        "company" => return Ok(Some(company().into())),
        "client" => return Ok(by_id(Entity::Client, &["id", "clientId"])),
        "piano" => return Ok(by_id(Entity::Piano, &["id", "pianoId"])),
        "pianoMeasurement" => return Ok(piano_measurement(world, step)),
        "allClients" => sorted_listing(world, Entity::Client, step)?,
        "allPianos" => sorted_listing(world, Entity::Piano, step)?,
        "allTimelineEntries" => timeline_listing(world, step),
        field => {
            if let Some(model) = model::answered_by(field) {
                return Ok(by_id(Entity::Modelled(model), &[model.by_id.1]));
            }
            if let Some(model) = model::listed_by(field) {
                sorted_listing(world, Entity::Modelled(model), step)?
            } else {
                match fallback::nodes(world.seed, shapes, step) {
                    Some(nodes) if step.inner_type.ends_with("Connection") => Listing::Nodes(nodes),
                    nodes => return Ok(nodes.map(Datum::List)),
                }
            }
        }
    };
    let paging = Paging::of(&step.arguments, page_size_max)?;
    Ok(Some(spoiled(page::connection(&listing, &paging, step), spoil)))
}

fn all_users(world: &World) -> Datum {
    Datum::List(world.users.records().cloned().map(Datum::Object).collect())
}

fn is_admin(user: &Record) -> bool {
    user.text("accessLevel").map(AsRef::as_ref) == Some("ADMIN")
}

fn company() -> Record {
    Record::new()
        .with("id", "com_0000000000000000")
        .with("name", "Atelier de pianos simulé")
        .with("municipality", "Montréal")
        .with("region", "QC")
        .with("countryCode", "CA")
        .with("countryName", "Canada")
        .with("email", "atelier@example.com")
}

fn piano_measurement(world: &World, step: &Step) -> Option<Datum> {
    let id = step.arguments.get("id").and_then(Json::as_str)?;
    world
        .measurements()
        .find(|(_, measurement)| measurement.id().map(AsRef::as_ref) == Some(id))
        .map(|(_, measurement)| Datum::Object(Arc::clone(measurement)))
}

fn sorted_listing<'a>(world: &'a World, entity: Entity, step: &Step) -> Result<Listing<'a>, Refusal> {
    let slots = world.table(entity).slots();
    let conditions = filter::conditions(world, entity, &step.arguments)?;
    let sort = step.arguments.get("sortBy").and_then(|sort| sort.get(0)).and_then(Json::as_str);
    let dated = match entity {
        Entity::Modelled(model) => model.sort,
        _ => "CREATED_AT",
    };
    // What follows the name of the date is the direction; any other order keeps its whole name.
    let order = sort.map_or("_ASC", |sort| sort.strip_prefix(dated).unwrap_or(sort));
    Ok(match (order, conditions.is_empty()) {
        ("_ASC", true) => Listing::Forward(slots),
        ("_DESC", true) => Listing::Backward(slots),
        (order, _) => {
            let mut picked: Vec<&Slot> =
                if conditions.is_empty() { slots.iter().collect() } else { filter::pick(slots, &conditions) };
            match order {
                "_ASC" => {}
                "_DESC" => picked.reverse(),
                // The other orders are not simulated field by field: by id is an order as good as any.
                _ => picked.sort_by_key(|slot| slot.record.as_ref().and_then(|record| record.id().cloned())),
            }
            Listing::Picked(picked)
        }
    })
}

fn timeline_listing<'a>(world: &'a World, step: &Step) -> Listing<'a> {
    let since = step.arguments.get("occurredAtGet").and_then(Json::as_str).and_then(clock::parse_lenient);
    let slots = match since {
        Some(moment) => world.timeline.slots_since(moment.timestamp()),
        None => world.timeline.slots(),
    };
    let conditions = filter::timeline_conditions(&step.arguments);
    if conditions.is_empty() {
        Listing::Forward(slots)
    } else {
        Listing::Picked(filter::pick(slots, &conditions))
    }
}

fn spoiled(connection: Datum, spoil: Spoil) -> Datum {
    let Datum::Object(mut shared) = connection else {
        return connection;
    };
    let record = Arc::make_mut(&mut shared);
    if spoil.cursor != CursorFault::None
        && let Some(info) = record.object("pageInfo")
    {
        let back = (spoil.cursor == CursorFault::Circles).then(|| page::cursor(1));
        let mut info = Record::clone(info);
        info.set("hasNextPage", true);
        info.set("endCursor", back);
        record.set("pageInfo", info);
    }
    if spoil.null_page {
        record.set("nodes", Datum::Null);
        record.set("edges", Datum::Null);
    }
    if let Some((share, seed)) = spoil.null_nodes {
        // The same draws for nodes and edges: both show the same page.
        for field in ["nodes", "edges"] {
            let mut dice = Dice::new(seed, 5);
            if let Some(Datum::List(items)) = record.get(field) {
                let items =
                    items.iter().map(|item| if dice.chance(share) { Datum::Null } else { item.clone() });
                let items: Vec<Datum> = items.collect();
                record.set(field, items);
            }
        }
    }
    Datum::Object(shared)
}
