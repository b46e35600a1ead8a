//! Statements that read the tables of V5, assembled for one installation: its tables and columns are read from the
//! catalogue, so that these statements cannot be prepared on a database without V5. Names come from [`V5Table`]; the
//! schema is checked to be a plain identifier.

use std::collections::BTreeMap;

use model::entity::DuplicateIdRule;

use super::table::{KEY, V5NestedList, V5Table};

/// Column by which V5 knows the record itself, where the table has one: other tables may refer to it.
const OWN_KEY: &str = "id";
/// Time zone of Montréal. PostgreSQL knows both names, but the time zones of an operating system may lack the older one.
const ZONE: &str = "America/Toronto";

/// Columns of the tables of V5, each with its SQL type.
pub(super) type Columns = BTreeMap<String, BTreeMap<String, String>>;

/// Statements for one installation of V5.
#[derive(Debug)]
pub(super) struct ReadStatements {
    /// Schema that holds its tables.
    pub(super) schema: String,
    /// Columns that it has, by table.
    pub(super) columns: Columns,
    /// Table that holds an entity, by the entity's name.
    pub(super) targets: BTreeMap<&'static str, &'static str>,
}

impl ReadStatements {
    pub(super) fn has_column(&self, table: &str, column: &str) -> bool {
        self.columns.get(table).is_some_and(|columns| columns.contains_key(column))
    }

    pub(super) fn table(&self, name: &str) -> String {
        format!("\"{}\".\"{name}\"", self.schema)
    }

    /// Returns the query of a table's rows as [`super::reader::V5Row`]s, in the order of their ids.
    pub(super) fn rows(&self, table: &V5Table) -> String {
        let references = self.references(table);
        let mut parts: Vec<String> = self.id_maps(references.iter().map(|reference| reference.target));
        let mut joins: Vec<String> =
            references.iter().filter_map(|reference| reference.join("v5_row")).collect();
        let mut nested_list = "null";
        if let Some(nested) = &table.nested
            && let Some(part) = self.nested(table, nested)
        {
            parts.extend(self.id_maps(std::iter::once(table.entity.name)));
            parts.push(part);
            joins.push(format!("left join nested n on n.owner = v5_row.\"{KEY}\"::text"));
            nested_list = "n.list";
        }
        let mut is_duplicate = "false";
        let rule = table.entity.duplicate_ids.as_ref();
        if let Some(part) = rule.and_then(|rule| self.duplicates(table, rule, &references)) {
            parts.push(part);
            joins.push(format!("left join duplicates d on d.id = v5_row.\"{KEY}\"::text"));
            is_duplicate = "d.id is not null";
        }
        let resolved: Vec<String> = references
            .iter()
            .map(|reference| format!("'{}', {}", reference.column, reference.resolved("v5_row")))
            .collect();
        format!(
            r#"
            {with}
            select v5_row."{KEY}"::text as id, to_json(v5_row.*)::text as json,
                json_build_object({resolved})::text as reference_ids, {nested_list}::text as nested, {is_duplicate} as is_duplicate
            from {from} v5_row {joins}
            order by v5_row."{KEY}"::text collate "C" nulls last, md5(to_json(v5_row.*)::text)
            "#,
            with = with(&parts),
            resolved = resolved.join(", "),
            from = self.table(table.name),
            joins = joins.join(" "),
        )
    }

    /// Returns true where duplicates can be detected in a table, or where its entity has none.
    pub(super) fn can_detect_duplicates(&self, table: &V5Table) -> bool {
        let rule = table.entity.duplicate_ids.as_ref();
        rule.is_none_or(|rule| self.duplicates(table, rule, &self.references(table)).is_some())
    }

    /// Returns the query of the rows of a nested table whose owner the table lacks, as [`super::reader::V5Row`]s.
    pub(super) fn orphans(&self, table: &V5Table, nested: &V5NestedList) -> String {
        let maps = self.id_maps(std::iter::once(table.entity.name));
        let key = if self.has_column(nested.name, KEY) { KEY } else { OWN_KEY };
        let key = if self.has_column(nested.name, key) {
            format!("v5_row.\"{key}\"::text")
        } else {
            "null".to_owned()
        };
        let condition = self.owner(nested, "v5_row").map_or_else(
            || "true".to_owned(),
            |owner| {
                format!("not exists (select from {} m where m.ref = {owner})", map_name(table.entity.name))
            },
        );
        format!(
            r"
            {with}
            select {key} as id, to_json(v5_row.*)::text as json, null::text as reference_ids, null::text as nested,
                false as is_duplicate
            from {from} v5_row
            where {condition}
            ",
            with = with(&maps),
            from = self.table(nested.name),
        )
    }

    /// Returns a table expression per entity that maps every id which V5 has for a record, that of the source and its
    /// own, to the id of the source.
    fn id_maps(&self, entities: impl Iterator<Item = &'static str>) -> Vec<String> {
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
                let own = if self.has_column(name, OWN_KEY) {
                    format!(
                        "union all select \"{OWN_KEY}\"::text, \"{KEY}\"::text, 1 from {table} \
                         where \"{KEY}\" is not null and \"{OWN_KEY}\" is not null"
                    )
                } else {
                    String::new()
                };
                Some(format!(
                    "{map} as materialized (select distinct on (ref) ref, id from ( \
                     select \"{KEY}\"::text as ref, \"{KEY}\"::text as id, 0 as rank from {table} \
                     where \"{KEY}\" is not null {own}) named order by ref, rank, id)"
                ))
            })
            .collect()
    }

    /// Returns the references of a table's rows for which V5 has a column.
    fn references(&self, table: &V5Table) -> Vec<Reference> {
        let columns = table.entity.columns.iter().enumerate();
        columns
            .filter_map(|(index, column)| {
                let target = column.references?;
                let sources = self.present(table, column.name);
                (!sources.is_empty()).then(|| Reference {
                    index,
                    column: column.name,
                    target,
                    sources,
                    is_mapped: self.targets.contains_key(target),
                })
            })
            .collect()
    }

    /// Returns the columns of the table that can fill a column of the entity, best first.
    fn present(&self, table: &V5Table, column: &'static str) -> Vec<&'static str> {
        table.sources(column).filter(|source| self.has_column(table.name, source)).collect()
    }

    /// Returns the expression that names the owner of a nested row; none where no column does.
    fn owner(&self, nested: &V5NestedList, row: &str) -> Option<String> {
        let owners: Vec<&str> =
            nested.owners.iter().copied().filter(|column| self.has_column(nested.name, column)).collect();
        (!owners.is_empty()).then(|| first_text(row, &owners))
    }

    /// Returns the table expression that lists the nested rows of each owner; none where no column names the owner.
    fn nested(&self, table: &V5Table, nested: &V5NestedList) -> Option<String> {
        let owner = self.owner(nested, "c")?;
        let mut order: Vec<String> = nested
            .first
            .iter()
            .filter(|column| self.has_column(nested.name, column))
            .map(|column| format!("c.\"{column}\"::text desc nulls last"))
            .collect();
        if self.has_column(nested.name, KEY) {
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

    /// Returns the table expressions that detect duplicates: `entries`, the texts of every entry in V5 and in the mirror,
    /// and `duplicates`, the entries under a foreign id that say the same as one under an id of the source, one for one.
    /// None where no column dates the entries.
    fn duplicates(
        &self,
        table: &V5Table,
        rule: &DuplicateIdRule,
        references: &[Reference],
    ) -> Option<String> {
        let texts = self.texts(table, rule, references)?;
        let about: Vec<String> = (0..rule.about.len()).map(about_column).collect();
        let equal: String = about.iter().map(|name| format!(" and o.{name} = f.{name}")).collect();
        Some(format!(
            r#"
            {texts},
            entries as materialized (
                select id, is_own, day, md5(text) as text, {about},
                    row_number() over (partition by is_own, day, md5(text), {about} order by id collate "C") as rank
                from texts where text <> '' and day is not null
            ),
            duplicates as materialized (
                select distinct f.id from entries f
                join entries o on o.is_own and not f.is_own and o.day = f.day and o.text = f.text and o.rank = f.rank {equal}
            )
            "#,
            about = about.join(", "),
        ))
    }

    /// Returns the table expression `texts`: the text, the day and the references of every entry in V5, and of those in
    /// the mirror that V5 lacks. None where no column dates the entries.
    fn texts(&self, table: &V5Table, rule: &DuplicateIdRule, references: &[Reference]) -> Option<String> {
        let entity = table.entity;
        let days = self.days(table, entity.partitioned_by?)?;
        let v5_about = rule.about.iter().map(|column| {
            references.iter().find(|reference| reference.column == *column).map_or_else(
                || "''".to_owned(),
                |reference| format!("coalesce({}, '')", reference.resolved("r")),
            )
        });
        let mirror_about = rule.about.iter().map(|column| format!("coalesce(t.{column}, '')"));
        let joins: Vec<String> = references
            .iter()
            .filter(|reference| rule.about.contains(&reference.column))
            .filter_map(|reference| reference.join("r"))
            .collect();
        let v5_texts: Vec<String> = rule
            .texts
            .iter()
            .map(|text| match self.present(table, text) {
                columns if columns.is_empty() => "null".to_owned(),
                columns => first_text("r", &columns),
            })
            .collect();
        let mirror_texts: Vec<String> = rule.texts.iter().map(|text| format!("t.{text}")).collect();
        let (length, prefix, day) = (rule.prefix.len(), rule.prefix, rule.day);
        Some(format!(
            r#"
            texts as (
                select r."{KEY}"::text as id, left(r."{KEY}"::text, {length}) = '{prefix}' as is_own,
                    {days} as day, {v5_text} as text {v5_about}
                from {from} r {joins}
                where r."{KEY}" is not null
                union all
                select t.id, true, t.{day}, {mirror_text} {mirror_about}
                from {mirror} t
                where left(t.id, {length}) = '{prefix}' and t.deleted_at is null
                    and not exists (select from {from} r where r."{KEY}"::text = t.id)
            )"#,
            v5_text = folded(&v5_texts),
            v5_about = about_columns(v5_about),
            from = self.table(table.name),
            joins = joins.join(" "),
            mirror_text = folded(&mirror_texts),
            mirror_about = about_columns(mirror_about),
            mirror = entity.table,
        ))
    }

    /// Returns the day of an entry in V5, from the columns that can fill its date; none where there is no such column.
    fn days(&self, table: &V5Table, column: &'static str) -> Option<String> {
        let days: Vec<String> = self
            .present(table, column)
            .into_iter()
            .filter_map(|column| day(column, self.columns.get(table.name)?.get(column)?))
            .collect();
        (!days.is_empty()).then(|| format!("coalesce({})", days.join(", ")))
    }
}

/// Returns the name under which a table expression carries a reference in which duplicates agree.
fn about_column(index: usize) -> String {
    format!("a{index}")
}

/// Returns the references in which duplicates agree as further columns of a select list.
fn about_columns(values: impl Iterator<Item = String>) -> String {
    values.enumerate().map(|(index, value)| format!(", {value} as {}", about_column(index))).collect()
}

/// Column that refers to another entity, and the columns of V5 that fill it.
#[derive(Debug)]
struct Reference {
    /// Index of the column among the entity's columns.
    index: usize,
    column: &'static str,
    /// Name of the entity referred to.
    target: &'static str,
    /// Columns of V5 that fill it, best first.
    sources: Vec<&'static str>,
    /// Set where V5 has a table of the entity referred to.
    is_mapped: bool,
}

impl Reference {
    /// Returns the join that finds the id at the source; none where V5 has no table of the entity.
    fn join(&self, row: &str) -> Option<String> {
        let (map, index) = (map_name(self.target), self.index);
        self.is_mapped
            .then(|| format!("left join {map} m{index} on m{index}.ref = {}", first_text(row, &self.sources)))
    }

    /// Returns the id at the source, or the value in V5 where it is not known.
    fn resolved(&self, row: &str) -> String {
        let value = first_text(row, &self.sources);
        if self.is_mapped { format!("coalesce(m{}.id, {value})", self.index) } else { value }
    }
}

fn map_name(entity: &str) -> String {
    format!("ids_of_{entity}")
}

fn with(parts: &[String]) -> String {
    if parts.is_empty() { String::new() } else { format!("with {}", parts.join(", ")) }
}

/// Returns the first of these columns that holds a text.
fn first_text(row: &str, columns: &[&str]) -> String {
    let texts: Vec<String> =
        columns.iter().map(|column| format!("nullif({row}.\"{column}\"::text, '')")).collect();
    format!("coalesce({})", texts.join(", "))
}

/// Returns the texts as one, in lower case and with single spaces.
fn folded(texts: &[String]) -> String {
    format!("lower(btrim(regexp_replace(concat_ws(' ', {}), '\\s+', ' ', 'g')))", texts.join(", "))
}

/// Returns the day in Montréal of a column of that type; none where the column holds no date.
fn day(column: &str, sql_type: &str) -> Option<String> {
    let column = format!("r.\"{column}\"");
    match sql_type {
        "timestamp with time zone" => Some(format!("({column} at time zone '{ZONE}')::date")),
        // V5 wrote UTC.
        "timestamp without time zone" => {
            Some(format!("({column} at time zone 'UTC' at time zone '{ZONE}')::date"))
        }
        "date" => Some(column),
        _ => None,
    }
}
