//! What keeps others out: the migrator's last step, who may log in, and findings where something stands open.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use crate::pool::DatabaseConfig;

/// Who may be given a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// The functions.
    App,
    /// People and their tools, who only read.
    Reader,
}

impl Login {
    /// The role's name in the database.
    #[must_use]
    pub const fn role(self) -> &'static str {
        match self {
            Self::App => "gazelle_app",
            Self::Reader => "gazelle_reader",
        }
    }
}

/// Gives everything in the schema its owner, its row security and its grants; closes what stands open.
///
/// # Errors
/// The database refused: the connection is not an administrator's.
pub(crate) async fn secure(connection: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    sqlx::query(AssertSqlSafe(format!("call \"{schema}\".secure_schema($1)")))
        .bind(schema)
        .execute(connection)
        .await?;
    Ok(())
}

/// Lets a role log in with this password, and with no other from now on.
///
/// # Errors
/// The database refused: the connection is not an administrator's.
pub async fn set_password(config: &DatabaseConfig, login: Login, password: &str) -> Result<(), sqlx::Error> {
    let mut connection = config.connect().await?;
    // The password's place in the statement takes no parameter: the server quotes it.
    let sql: String =
        sqlx::query_scalar("select format('alter role %I login password %L', $1::text, $2::text)")
            .bind(login.role())
            .bind(password)
            .fetch_one(&mut connection)
            .await?;
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    sqlx::Connection::close(connection).await
}

/// Lets a role read the production tables and the views, or takes that back.
///
/// # Errors
/// The database refused: there is no such role, or the connection is not an administrator's.
pub async fn expose(config: &DatabaseConfig, role: &str, is_exposed: bool) -> Result<(), sqlx::Error> {
    let mut connection = config.connect().await?;
    let procedure = if is_exposed { "expose_to" } else { "withdraw_from" };
    sqlx::query(AssertSqlSafe(format!("call \"{0}\".{procedure}($1, $2)", config.schema())))
        .bind(role)
        .bind(config.schema())
        .execute(&mut connection)
        .await?;
    sqlx::Connection::close(connection).await
}

/// Something that stands open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong, such as `no row security`.
    pub problem: String,
    /// Where.
    pub object: String,
}

/// What stands open in a schema, by its catalogue: nothing, where it is as it must be.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn findings(connection: &mut PgConnection, schema: &str) -> Result<Vec<Finding>, sqlx::Error> {
    let rows = sqlx::query(AssertSqlSafe(FINDINGS.replace("{schema}", schema)))
        .bind(schema)
        .persistent(false)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok(Finding { problem: row.try_get(0)?, object: row.try_get(1)? })).collect()
}

/// Takes `$1` the schema.
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
    -- Who has a right here without being one of ours; the server's administrators need none.
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
    select 'no row security', c.oid::regclass::text
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

/// What a connection of the functions meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The server's version, as in `180004`.
    pub server_version: i32,
    /// Who we are there.
    pub role: String,
    /// That role may do more than it must: it passes row security by, or owns what it only writes to.
    pub is_powerful: bool,
    /// The newest migration applied; none where there is no mirror.
    pub migration: Option<i64>,
    /// What stands open.
    pub findings: Vec<Finding>,
}

/// Looks at the database as the functions see it. Works through a transaction pooler, too.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn inspect(config: &DatabaseConfig) -> Result<Inspection, sqlx::Error> {
    let mut connection = config.connect().await?;
    let mut tx = sqlx::Connection::begin(&mut connection).await?;
    let row = sqlx::query(
        "select current_setting('server_version_num')::int, current_user::text,
            exists (select from pg_roles where rolname = current_user and (rolsuper or rolbypassrls))
                or exists (select from pg_roles o where o.rolname = 'gazelle_owner' and pg_has_role(current_user, o.oid, 'usage')),
            to_regclass(format('%I._sqlx_migrations', $1::text)) is not null",
    )
    .bind(config.schema())
    .persistent(false)
    .fetch_one(&mut *tx)
    .await?;
    let mut inspection = Inspection {
        server_version: row.try_get(0)?,
        role: row.try_get(1)?,
        is_powerful: row.try_get(2)?,
        migration: None,
        findings: Vec::new(),
    };
    if row.try_get::<bool, _>(3)? {
        let newest =
            format!("select max(version) from \"{}\"._sqlx_migrations where success", config.schema());
        inspection.migration =
            sqlx::query(AssertSqlSafe(newest)).persistent(false).fetch_one(&mut *tx).await?.try_get(0)?;
        inspection.findings = findings(&mut tx, config.schema()).await?;
    }
    tx.rollback().await?;
    sqlx::Connection::close(connection).await?;
    Ok(inspection)
}
