//! Resolvers of the root fields.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{
    error::GraphqlError,
    fallback, filter,
    page::{self, Listing, PageArguments},
    plan::FieldPlan,
    schema::SchemaIndex,
};
use crate::{
    dataset::Dataset,
    datetime,
    entity::Entity,
    faults::{CursorFault, PageFaults},
    model,
    record::{Datum, Record},
    rng::SeededRng,
    table::Slot,
};

/// Random stream of null nodes that are injected into pages.
const NULL_NODE_STREAM: u64 = 5;

/// Resolves a root field; `None` means the default value of its type.
pub(super) fn resolve(
    dataset: &Dataset,
    schema: &SchemaIndex,
    plan: &FieldPlan,
    page_faults: PageFaults,
    page_size_max: usize,
) -> Result<Option<Datum>, GraphqlError> {
    let by_id = |entity: Entity, names: &[&str]| {
        let id = names.iter().find_map(|name| plan.arguments.get(*name)).and_then(Json::as_str)?;
        dataset.table(entity).get(id).map(|record| Datum::Object(Arc::clone(record)))
    };
    let listing = match plan.name.as_str() {
        "allUsers" => return Ok(Some(all_users(dataset))),
        "user" => return Ok(dataset.users.records().find(|user| is_admin(user)).cloned().map(Datum::Object)),
        "company" => return Ok(Some(company().into())),
        "client" => return Ok(by_id(Entity::Client, &["id", "clientId"])),
        "piano" => return Ok(by_id(Entity::Piano, &["id", "pianoId"])),
        "pianoMeasurement" => return Ok(piano_measurement(dataset, plan)),
        "allClients" => sorted_listing(dataset, Entity::Client, plan)?,
        "allPianos" => sorted_listing(dataset, Entity::Piano, plan)?,
        "allTimelineEntries" => timeline_listing(dataset, plan),
        field => {
            if let Some(model) = model::find_by_lookup(field) {
                return Ok(by_id(Entity::Modelled(model.id), &[model.lookup.1]));
            }
            if let Some(model) = model::find_by_listing(field) {
                sorted_listing(dataset, Entity::Modelled(model.id), plan)?
            } else {
                match fallback::nodes(dataset.seed, schema, plan) {
                    Some(nodes) if plan.inner_type.ends_with("Connection") => Listing::Nodes(nodes),
                    nodes => return Ok(nodes.map(Datum::List)),
                }
            }
        }
    };
    let paging = PageArguments::parse(&plan.arguments, page_size_max)?;
    Ok(Some(apply_page_faults(page::connection(&listing, &paging, plan), page_faults)))
}

fn all_users(dataset: &Dataset) -> Datum {
    Datum::List(dataset.users.records().cloned().map(Datum::Object).collect())
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

fn piano_measurement(dataset: &Dataset, plan: &FieldPlan) -> Option<Datum> {
    let id = plan.arguments.get("id").and_then(Json::as_str)?;
    dataset
        .measurements()
        .find(|(_, measurement)| measurement.id().map(AsRef::as_ref) == Some(id))
        .map(|(_, measurement)| Datum::Object(Arc::clone(measurement)))
}

fn sorted_listing<'a>(
    dataset: &'a Dataset,
    entity: Entity,
    plan: &FieldPlan,
) -> Result<Listing<'a>, GraphqlError> {
    let slots = dataset.table(entity).slots();
    let conditions = filter::conditions(dataset, entity, &plan.arguments)?;
    let sort = plan.arguments.get("sortBy").and_then(|sort| sort.get(0)).and_then(Json::as_str);
    let sort_key = match entity {
        Entity::Modelled(id) => model::find(id).map_or("", |model| model.sort_key),
        _ => "CREATED_AT",
    };
    // The rest after the sort key is the direction; any other order keeps its whole name.
    let order = sort.map_or("_ASC", |sort| sort.strip_prefix(sort_key).unwrap_or(sort));
    Ok(match (order, conditions.is_empty()) {
        ("_ASC", true) => Listing::Forward(slots),
        ("_DESC", true) => Listing::Backward(slots),
        (order, _) => {
            let mut selected: Vec<&Slot> = if conditions.is_empty() {
                slots.iter().collect()
            } else {
                filter::select(slots, &conditions)
            };
            match order {
                "_ASC" => {}
                "_DESC" => selected.reverse(),
                // Other orders are not supported; the listing is sorted by id to be deterministic.
                _ => {
                    selected.sort_by_key(|slot| slot.record.as_ref().and_then(|record| record.id().cloned()));
                }
            }
            Listing::Selected(selected)
        }
    })
}

fn timeline_listing<'a>(dataset: &'a Dataset, plan: &FieldPlan) -> Listing<'a> {
    let since = plan.arguments.get("occurredAtGet").and_then(Json::as_str).and_then(datetime::parse_lenient);
    let slots = match since {
        Some(time) => dataset.timeline.slots_since(time.timestamp()),
        None => dataset.timeline.slots(),
    };
    let conditions = filter::timeline_conditions(&plan.arguments);
    if conditions.is_empty() {
        Listing::Forward(slots)
    } else {
        Listing::Selected(filter::select(slots, &conditions))
    }
}

fn apply_page_faults(connection: Datum, page_faults: PageFaults) -> Datum {
    let Datum::Object(mut shared) = connection else {
        return connection;
    };
    let record = Arc::make_mut(&mut shared);
    if page_faults.cursor != CursorFault::None
        && let Some(info) = record.object("pageInfo")
    {
        let end_cursor = (page_faults.cursor == CursorFault::Circling).then(|| page::cursor(1));
        let mut info = Record::clone(info);
        info.set("hasNextPage", true);
        info.set("endCursor", end_cursor);
        record.set("pageInfo", info);
    }
    if page_faults.null_page {
        record.set("nodes", Datum::Null);
        record.set("edges", Datum::Null);
    }
    if let Some((share, seed)) = page_faults.null_nodes {
        // Nodes and edges get the same draws because they show the same page.
        for field in ["nodes", "edges"] {
            let mut rng = SeededRng::new(seed, NULL_NODE_STREAM);
            if let Some(Datum::List(items)) = record.get(field) {
                let items =
                    items.iter().map(|item| if rng.chance(share) { Datum::Null } else { item.clone() });
                let items: Vec<Datum> = items.collect();
                record.set(field, items);
            }
        }
    }
    Datum::Object(shared)
}
