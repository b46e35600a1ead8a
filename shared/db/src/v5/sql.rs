//! The statements that read an older system's tables. Their names come from whoever knows that system, as `&'static str`;
//! the schema is checked to be a plain identifier.

use std::collections::BTreeMap;

use model::entity::{Entity, Twins};

/// The column by which the older system knows a record's id at the source.
pub const KEY: &str = "external_id";
/// The column by which it knows the record itself, where it has one: others may refer to that.
const OWN_KEY: &str = "id";
/// The days of Montréal. PostgreSQL knows both names, but a system's own time zones may lack the older one.
const ZONE: &str = "America/Toronto";

/// A table of the older system, and the entity whose records it holds.
#[derive(Debug)]
pub struct OldTable {
    /// The table.
    pub name: &'static str,
    /// The entity.
    pub entity: &'static Entity,
    /// Columns of the entity, and the old columns that fill them, best first. An old column of the same name fills
    /// without being told, after these.
    pub fills: &'static [(&'static str, &'static [&'static str])],
    /// Rows of another table that belong into this one's.
    pub nested: Option<OldNested>,
}

/// A table of the older system whose rows belong into those of another.
#[derive(Debug, Clone, Copy)]
pub struct OldNested {
    /// The table.
    pub name: &'static str,
    /// The columns that name the row it belongs into, best first.
    pub owners: &'static [&'static str],
    /// The columns that are true for the one that comes first.
    pub first: &'static [&'static str],
}

impl OldTable {
    /// The old columns that can fill that column, best first.
    pub fn sources(&self, column: &'static str) -> impl Iterator<Item = &'static str> {
        let told = self.fills.iter().find(|(name, _)| *name == column).map_or(&[][..], |(_, old)| old);
        told.iter().copied().chain(std::iter::once(column))
    }
}

/// The columns of the older system's tables, each with its type.
pub(super) type Columns = BTreeMap<String, BTreeMap<String, String>>;

/// The statements, for one installation of the older system.
#[derive(Debug)]
pub(super) struct Statements {
    /// Its schema.
    pub(super) schema: String,
    /// What it has.
    pub(super) columns: Columns,
    /// Tables that hold an entity, by the entity's name.
    pub(super) targets: BTreeMap<&'static str, &'static str>,
}

impl Statements {
    pub(super) fn has(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains_key(column))
    }

    pub(super) fn table(&self, name: &str) -> String {
        format!("\"{}\".\"{name}\"", self.schema)
    }

    /// The rows of a table: the id, the whole row, its references with ids of the source, what belongs into it, and
    /// whether it says the same as one under an id of the source's own.
    pub(super) fn rows(&self, table: &OldTable) -> String {
        let references = self.references(table);
        let mut parts: Vec<String> = self.maps(references.iter().map(|reference| reference.target));
        let mut joins: Vec<String> =
            references.iter().filter_map(|reference| reference.join("old_row")).collect();
        let mut nested_list = "null";
        if let Some(nested) = &table.nested
            && let Some(part) = self.nested(table, nested)
        {
            parts.extend(self.maps(std::iter::once(table.entity.name)));
            parts.push(part);
            joins.push(format!("left join nested n on n.owner = old_row.\"{KEY}\"::text"));
            nested_list = "n.list";
        }
        let mut is_double = "false";
        if let Some(said) = table.entity.twins.as_ref().and_then(|twins| self.said(table, twins, &references))
        {
            parts.push(said);
            joins.push(format!("left join doubles d on d.id = old_row.\"{KEY}\"::text"));
            is_double = "d.id is not null";
        }
        let resolved: Vec<String> = references
            .iter()
            .map(|reference| format!("'{}', {}", reference.column, reference.resolved("old_row")))
            .collect();
        format!(
            r#"
            {with}
            select old_row."{KEY}"::text as id, to_json(old_row.*)::text as json,
                json_build_object({resolved})::text as reference_ids, {nested_list}::text as nested, {is_double} as is_double
            from {from} old_row {joins}
            order by old_row."{KEY}"::text collate "C" nulls last, md5(to_json(old_row.*)::text)
            "#,
            with = with(&parts),
            resolved = resolved.join(", "),
            from = self.table(table.name),
            joins = joins.join(" "),
        )
    }

    /// Whether doubles can be found in a table, if its entity has any.
    pub(super) fn seeks_doubles(&self, table: &OldTable) -> bool {
        let twins = table.entity.twins.as_ref();
        twins.is_none_or(|twins| self.said(table, twins, &self.references(table)).is_some())
    }

    /// The rows that belong into a table's, and whose owner it does not hold.
    pub(super) fn orphans(&self, table: &OldTable, nested: &OldNested) -> String {
        let maps = self.maps(std::iter::once(table.entity.name));
        let key = if self.has(nested.name, KEY) { KEY } else { OWN_KEY };
        let key =
            if self.has(nested.name, key) { format!("old_row.\"{key}\"::text") } else { "null".to_owned() };
        let condition = self.owner(nested, "old_row").map_or_else(
            || "true".to_owned(),
            |owner| {
                format!("not exists (select from {} m where m.ref = {owner})", map_name(table.entity.name))
            },
        );
        format!(
            r"
            {with}
            select {key} as id, to_json(old_row.*)::text as json, null::text as reference_ids, null::text as nested,
                false as is_double
            from {from} old_row
            where {condition}
            ",
            with = with(&maps),
            from = self.table(nested.name),
        )
    }

    /// Ids by every name that the older system has for a record: the source's, and its own.
    fn maps(&self, entities: impl Iterator<Item = &'static str>) -> Vec<String> {
        let mut seen = Vec::new();
        for entity in entities {
            if !seen.contains(&entity) {
                seen.push(entity);
            }
        }
        seen.into_iter()
            .filter_map(|entity| {
                let name = *self.targets.get(entity)?;
                let (map, table) = (map_name(entity), self.table(name));
                let own = if self.has(name, OWN_KEY) {
                    format!(
                        "union all select \"{OWN_KEY}\"::text, \"{KEY}\"::text, 1 from {table} \
                         where \"{KEY}\" is not null and \"{OWN_KEY}\" is not null"
                    )
                } else {
                    String::new()
                };
                Some(format!(
                    "{map} as materialized (select distinct on (ref) ref, id from ( \
                     select \"{KEY}\"::text as ref, \"{KEY}\"::text as id, 0 as place from {table} \
                     where \"{KEY}\" is not null {own}) named order by ref, place, id)"
                ))
            })
            .collect()
    }

    fn references(&self, table: &OldTable) -> Vec<Reference> {
        let columns = table.entity.columns.iter().enumerate();
        columns
            .filter_map(|(place, column)| {
                let target = column.references?;
                let sources = self.present(table, column.name);
                (!sources.is_empty()).then(|| Reference {
                    place,
                    column: column.name,
                    target,
                    sources,
                    is_mapped: self.targets.contains_key(target),
                })
            })
            .collect()
    }

    fn present(&self, table: &OldTable, column: &'static str) -> Vec<&'static str> {
        table.sources(column).filter(|source| self.has(table.name, source)).collect()
    }

    fn owner(&self, nested: &OldNested, row: &str) -> Option<String> {
        let owners: Vec<&str> =
            nested.owners.iter().copied().filter(|column| self.has(nested.name, column)).collect();
        (!owners.is_empty()).then(|| first_text(row, &owners))
    }

    fn nested(&self, table: &OldTable, nested: &OldNested) -> Option<String> {
        let owner = self.owner(nested, "c")?;
        let mut order: Vec<String> = nested
            .first
            .iter()
            .filter(|column| self.has(nested.name, column))
            .map(|column| format!("c.\"{column}\"::text desc nulls last"))
            .collect();
        if self.has(nested.name, KEY) {
            order.push(format!("c.\"{KEY}\"::text collate \"C\""));
        }
        order.push("md5(to_json(c.*)::text)".to_owned());
        Some(format!(
            "nested as materialized (select m.id as owner, json_agg(to_json(c.*) order by {}) as list \
             from {} c join {} m on m.ref = {owner} group by m.id)",
            order.join(", "),
            self.table(nested.name),
            map_name(table.entity.name),
        ))
    }

    /// What every entry says, here and in the mirror; and `doubles`, those under a foreign id that say what one under
    /// the source's own says, one for one. None where the day of an entry cannot be told.
    fn said(&self, table: &OldTable, twins: &Twins, references: &[Reference]) -> Option<String> {
        let entity = table.entity;
        let by = entity.partitioned_by?;
        let days: Vec<String> = self
            .present(table, by)
            .into_iter()
            .filter_map(|column| day(column, self.columns.get(table.name)?.get(column)?))
            .collect();
        if days.is_empty() {
            return None;
        }
        let about = |column: &&'static str| {
            references.iter().find(|reference| reference.column == *column).map_or_else(
                || "''".to_owned(),
                |reference| format!("coalesce({}, '')", reference.resolved("r")),
            )
        };
        let joins: Vec<String> = references
            .iter()
            .filter(|reference| twins.about.contains(&reference.column))
            .filter_map(|reference| reference.join("r"))
            .collect();
        let texts: Vec<String> = twins
            .texts
            .iter()
            .map(|text| match self.present(table, text) {
                columns if columns.is_empty() => "null".to_owned(),
                columns => first_text("r", &columns),
            })
            .collect();
        let theirs: Vec<String> = twins.texts.iter().map(|text| format!("t.{text}")).collect();
        let places: Vec<String> = (0..twins.about.len()).map(|place| format!("a{place}")).collect();
        let named = |values: Vec<String>| {
            let named = values.into_iter().zip(&places).map(|(value, name)| format!(", {value} as {name}"));
            named.collect::<String>()
        };
        let equal: String = places.iter().map(|name| format!(" and o.{name} = f.{name}")).collect();
        let (length, prefix, by_day) = (twins.prefix.len(), twins.prefix, twins.day);
        Some(format!(
            r#"
            texts as (
                select r."{KEY}"::text as id, left(r."{KEY}"::text, {length}) = '{prefix}' as is_own,
                    coalesce({days}) as day, {our_text} as text {our_about}
                from {from} r {joins}
                where r."{KEY}" is not null
                union all
                select t.id, true, t.{by_day}, {their_text} {their_about}
                from {mirror} t
                where left(t.id, {length}) = '{prefix}' and t.deleted_at is null
                    and not exists (select from {from} r where r."{KEY}"::text = t.id)
            ),
            said as materialized (
                select id, is_own, day, md5(text) as text, {places},
                    row_number() over (partition by is_own, day, md5(text), {places} order by id collate "C") as place
                from texts where text <> '' and day is not null
            ),
            doubles as materialized (
                select distinct f.id from said f
                join said o on o.is_own and not f.is_own and o.day = f.day and o.text = f.text and o.place = f.place {equal}
            )
            "#,
            days = days.join(", "),
            our_text = folded(&texts),
            our_about = named(twins.about.iter().map(about).collect()),
            from = self.table(table.name),
            joins = joins.join(" "),
            their_text = folded(&theirs),
            their_about =
                named(twins.about.iter().map(|column| format!("coalesce(t.{column}, '')")).collect()),
            mirror = entity.table,
            places = places.join(", "),
        ))
    }
}

/// A column that refers to another entity.
struct Reference {
    place: usize,
    column: &'static str,
    target: &'static str,
    sources: Vec<&'static str>,
    is_mapped: bool,
}

impl Reference {
    fn join(&self, row: &str) -> Option<String> {
        let (map, place) = (map_name(self.target), self.place);
        self.is_mapped
            .then(|| format!("left join {map} m{place} on m{place}.ref = {}", first_text(row, &self.sources)))
    }

    /// The id of the source; what stands there, where there is none.
    fn resolved(&self, row: &str) -> String {
        let told = first_text(row, &self.sources);
        if self.is_mapped { format!("coalesce(m{}.id, {told})", self.place) } else { told }
    }
}

fn map_name(entity: &str) -> String {
    format!("ids_of_{entity}")
}

fn with(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("with {}", parts.join(", ")) }
}

/// The first of these columns that holds a text.
fn first_text(row: &str, columns: &[&str]) -> String {
    let texts: Vec<String> =
        columns.iter().map(|column| format!("nullif({row}.\"{column}\"::text, '')")).collect();
    format!("coalesce({})", texts.join(", "))
}

/// Texts as one, without a difference in case and space.
fn folded(texts: &[String]) -> String {
    format!("lower(btrim(regexp_replace(concat_ws(' ', {}), '\\s+', ' ', 'g')))", texts.join(", "))
}

/// The day in Montréal of a column of that type; none where it is no date.
fn day(column: &str, sql_type: &str) -> Option<String> {
    let column = format!("r.\"{column}\"");
    match sql_type {
        "timestamp with time zone" => Some(format!("({column} at time zone '{ZONE}')::date")),
        // The older system wrote UTC.
        "timestamp without time zone" => {
            Some(format!("({column} at time zone 'UTC' at time zone '{ZONE}')::date"))
        }
        "date" => Some(column),
        _ => None,
    }
}
