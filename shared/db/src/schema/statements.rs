//! Statements that carry the name of the schema, assembled: a schema cannot be a parameter. The configuration has
//! checked that it is a plain identifier.

/// Returns the statements of this file that can be prepared on a migrated schema, by name. The others are utility
/// commands, which a server runs but does not plan.
pub(crate) fn assembled(schema: &str) -> Vec<(&'static str, String)> {
    vec![("findings", findings(schema)), ("newest_migration", newest_migration(schema))]
}

/// Returns the commands that create the schema where it is missing and make it the current one.
pub(super) fn create_schema(schema: &str) -> String {
    format!("create schema if not exists \"{schema}\"; set search_path to \"{schema}\"")
}

/// Returns the call that gives everything in the schema `$1` its owner, its row security and its grants.
pub(super) fn secure_schema(schema: &str) -> String {
    format!("call \"{schema}\".secure_schema($1)")
}

/// Returns the call that lets the role `$1` read the schema `$2`, or that takes this right back.
pub(super) fn set_exposure(schema: &str, is_exposed: bool) -> String {
    let procedure = if is_exposed { "expose_to" } else { "withdraw_from" };
    format!("call \"{schema}\".{procedure}($1, $2)")
}

/// Returns the query of the newest migration that was applied.
pub(super) fn newest_migration(schema: &str) -> String {
    format!("select max(version) from \"{schema}\"._sqlx_migrations where success")
}

/// Returns the query of everything in the schema `$1` that is less closed than it must be.
pub(super) fn findings(schema: &str) -> String {
    FINDINGS.replace("{schema}", schema)
}

const FINDINGS: &str = r#"
    with here as (
        select n.oid, n.nspacl, n.nspowner from pg_namespace n where n.nspname = $1
    ),
    relations as (
        select c.* from pg_class c join here on here.oid = c.relnamespace where c.relkind in ('r', 'p', 'v', 'm')
    ),
    routines as (
        select p.* from pg_proc p join here on here.oid = p.pronamespace
    ),
    -- Roles that may hold rights here; the server's administrators need none.
    welcome as (
        select unnest(array['gazelle_owner', 'gazelle_app', 'gazelle_reader']) as name
        union all
        select role_name from "{schema}".exposures
    ),
    rights as (
        select a.grantee, format('schema %s', $1) as object
        from here cross join lateral aclexplode(here.nspacl) a
        union all
        select a.grantee, c.oid::regclass::text
        from relations c cross join lateral aclexplode(c.relacl) a
        union all
        select a.grantee, p.oid::regprocedure::text
        from routines p cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
    )
    select 'no row security' as problem, c.oid::regclass::text as object
    from relations c where c.relkind in ('r', 'p') and not c.relrowsecurity
    union all
    select 'owned by ' || pg_get_userbyid(c.relowner), c.oid::regclass::text
    from relations c where pg_get_userbyid(c.relowner) <> 'gazelle_owner'
    union all
    select 'owned by ' || pg_get_userbyid(p.proowner), p.oid::regprocedure::text
    from routines p where pg_get_userbyid(p.proowner) <> 'gazelle_owner'
    union all
    select 'open to ' || case when grantee = 0 then 'everybody' else pg_get_userbyid(grantee) end, object
    from rights
    where grantee = 0 or pg_get_userbyid(grantee) not in (select name from welcome)
    union all
    select 'a policy for others', format('%s on %s', o.polname, o.polrelid::regclass)
    from pg_policy o
    join relations c on c.oid = o.polrelid
    cross join lateral unnest(o.polroles) role
    where role = 0 or pg_get_userbyid(role) not in (select name from welcome)
    union all
    select 'a view with its owner''s rights', c.oid::regclass::text
    from relations c
    where c.relkind = 'v' and not coalesce(c.reloptions @> array['security_invoker=true'], false)
    union all
    select 'a routine with the caller''s search_path', p.oid::regprocedure::text
    from routines p
    where not coalesce(p.proconfig @> array['search_path=""'], false)
    union all
    select 'a routine with its owner''s rights', p.oid::regprocedure::text
    from routines p
    where p.prosecdef and p.proname <> 'ensure_monthly_partitions'
    union all
    select 'a foreign key without an index', format('%s on %s', k.conname, k.conrelid::regclass)
    from pg_constraint k
    join relations c on c.oid = k.conrelid
    where k.contype = 'f' and not c.relispartition and not exists (
        select from pg_index i
        where i.indrelid = k.conrelid and i.indisvalid and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
    )
    union all
    select 'an extension in a schema that is served', e.extname
    from pg_extension e join here on here.oid = e.extnamespace
    order by 1, 2
"#;
