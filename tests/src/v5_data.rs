//! Generated V5 data of any size, and its import into a mirror.

use admin::AdminError;
use admin::import_v5::{ImportReport, import};
use chrono::{DateTime, TimeDelta, Utc};
use db::Db;
use object_store::{MemoryObjectStore, ObjectStore};
use sqlx::{AssertSqlSafe, PgConnection};

use crate::mirror::{Mirror, rows};
use crate::pages::MemorySource;

/// Names of V5's tables.
pub const TABLES: [&str; 5] =
    ["users", "gazelle_clients", "gazelle_contacts", "gazelle_pianos", "gazelle_timeline_entries"];

/// Rows of V5 per unit: 15 users, 300 clients, 40 contacts, 300 pianos, 1,345 entries, of which 255 repeat
/// another under a `tme_` id (19 %).
pub const ROWS: u64 = 2_000;
/// Duplicate entries per unit.
pub const DOUBLES: u64 = 255;
/// Entries per unit without a readable date.
pub const DATELESS: u64 = 12;

/// Creates V5 tables of so many units in the schema.
pub async fn install(connection: &mut PgConnection, schema: &str, units: u32) {
    let sql = SQL.replace("{v5}", schema).replace("{u}", &units.to_string());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.expect("a V5");
}

const SQL: &str = r#"
create schema if not exists {v5};
create table {v5}.users (
    id text primary key, external_id text unique, first_name text, last_name text, email text, role text,
    created_at timestamptz default now(), updated_at timestamptz default now()
);
create table {v5}.gazelle_clients (
    id bigint primary key, external_id text unique, company_name text, first_name text, last_name text, status text,
    email text, phone text, city text, postal_code text, personal_notes text, preference_notes text, locale text,
    tags text[] default '{}', service_history_notes text, updated_at timestamptz default now()
);
create table {v5}.gazelle_contacts (
    id bigint primary key, external_id text unique, client_external_id text, first_name text, last_name text,
    email text, phone text, is_primary boolean, updated_at timestamptz default now()
);
create table {v5}.gazelle_pianos (
    id bigint primary key, external_id text unique, client_external_id text, make text, model text, serial_number text,
    type text, year int, location text, notes text, dampp_chaser_installed boolean default false,
    dampp_chaser_humidistat_model text, dampp_chaser_mfg_date date, updated_at timestamptz default now()
);
create table {v5}.gazelle_timeline_entries (
    id bigint generated always as identity primary key, external_id text unique, client_id text, piano_id text,
    user_id text, occurred_at timestamptz, entry_type text, title text, description text, entry_date date,
    updated_at timestamptz default now()
);
insert into {v5}.users (id, external_id, first_name, last_name, email)
select 'u' || n, format('usr_%s', n), 'Zoé', 'Lebrun ' || n, format('u%s@example.org', n) from generate_series(1, 15 * {u}) n;
insert into {v5}.gazelle_clients
select n, case when n % 300 <> 0 then format('cli_%s', n) end,
    case when n % 2 = 0 then 'École ' || left(md5(n::text), 9) when n % 101 = 0 then E'Robert\'); drop table clients;-- \u202e "🎹" \\u0000 <script>' end,
    case when n % 2 = 1 then 'Max' end, case when n % 2 = 1 then initcap(translate(left(md5('x' || n), 9), '0123456789', 'ghijklmnop')) end, 'active',
    case when n % 3 <> 0 then format('c%s@example.org', n) end, case when n % 4 <> 0 then format('514-%s-%s', 200 + n * 31 % 700, 1000 + n * 577 % 9000) end,
    'Laval', 'H1A 1A1', case when n % 20 = 0 then 'sonner deux fois' end, '', 'fr_CA',
    case when n % 10 = 0 then '{à la main,vip}' when n % 10 = 1 then null else '{}' end::text[], 'histoire ' || n
from generate_series(1, 300 * {u}) n;
insert into {v5}.gazelle_contacts
select n, format('con_%s', n), case when n % 40 = 0 then 'cli_nobody' else format('cli_%s', n * 3) end, 'Léa', 'Contact ' || n,
    format('k%s@example.org', n), '438-555-0000', n % 5 = 0
from generate_series(1, 40 * {u}) n;
insert into {v5}.gazelle_pianos
select n, case when n % 300 <> 0 then format('ins_%s', n) end, format('cli_%s', case when n % 300 = 0 then 1 else n end),
    'Heintzman', 'M' || n, upper(left(md5('s' || n), 8)), 'GRAND', case n % 100 when 0 then 0 when 1 then 19650 else 1900 + n % 100 end, 'salon',
    case when n % 9 = 0 then 'clé chez le concierge' end, case when n % 7 = 0 then true when n % 2 = 0 then false end,
    case when n % 7 = 0 then 'DC-' || n end, case when n % 7 = 0 then date '2019-05-01' end
from generate_series(1, 300 * {u}) n;
create temporary table entry as
select n, c, c as p, format('usr_%s', n % (16 * {u}) + 1) as usr,
    timestamptz '2012-01-01 00:00+00' + n % 4000 * interval '1 day'
        + case when n % 10 = 0 then interval '23 hours 50 minutes' else interval '12 hours' end as at,
    case when n <= 995 * {u} then 'Accord ' || n end as title,
    case when n > 995 * {u} then '' when n % 100 = 0 then E'Noté : «\'"\\»\n\t🎹 ' || n else 'Laissé à 440 Hz,  ' || n end as description
from generate_series(1, 1000 * {u}) n,
    lateral (select n * 7 % (300 * {u}) + 1 as m) m, lateral (select case when m % 300 = 0 then m - 1 else m end as c) c;
insert into {v5}.gazelle_timeline_entries (external_id, client_id, piano_id, user_id, occurred_at, entry_type, title, description)
select format('tme_%s', n), format('cli_%s', c), case when n % 3 = 0 then p::text else format('ins_%s', p) end, usr, at,
    'SERVICE_ENTRY_MANUAL', title, description from entry
union all -- The same under another id, written a little otherwise.
select format('tle_%s', n), case when n % 2 = 0 then c::text else format('cli_%s', c) end, format('ins_%s', p), usr,
    at + interval '20 minutes', 'SERVICE_ENTRY_MANUAL', upper(title) || '  ', E' \n' || description || ' '
from entry where n <= 255 * {u}
union all -- A second one of the same: only one has its like.
select format('tle_b%s', n), format('cli_%s', c), format('ins_%s', p), usr, at, 'SERVICE_ENTRY_MANUAL', title, description
from entry where n <= 5 * {u}
union all -- Of another piano, and of another day.
select format('tle_p%s', n), format('cli_%s', c), null, usr, at, 'SERVICE_ENTRY_MANUAL', title, description
from entry where n <= 30 * {u}
union all
select format('tle_d%s', n), format('cli_%s', c), format('ins_%s', p), usr, at + interval '3 days', 'SERVICE_ENTRY_MANUAL', title, description
from entry where n <= 30 * {u}
union all -- That two say nothing is no likeness.
select format('tle_e%s', n), format('cli_%s', c), format('ins_%s', p), usr, at, 'INVOICE', title, description
from entry where n > 995 * {u}
union all -- Nobody has these clients.
select format('tme_m%s', n), format('cli_gone_%s', n % 3), null, null, at, 'INVOICE', 'Facture ' || n, null
from entry where n <= 6 * {u}
union all -- No date, or none that can be meant.
select format('tme_n%s', n), format('cli_%s', c), null, usr, null, 'INVOICE', 'sans date', null from entry where n <= 10 * {u}
union all
select format('tme_i%s', n), null, null, null, 'infinity', 'INVOICE', 'jamais', null from entry where n <= {u}
union all
select format('tme_c%s', n), null, null, null, '0044-03-15 00:00+00 BC', 'INVOICE', 'Césars', null from entry where n <= {u}
union all
select format('tme_o%s', n), null, null, null, '0001-01-01 00:00+00', 'INVOICE', 'an un', null from entry where n <= {u}
union all -- No id.
select null, format('cli_%s', c), null, null, at, 'INVOICE', 'sans identifiant', null from entry where n <= {u};
drop table entry;
"#;

/// Returns the content of V5 with the location of each row: any write changes it.
pub async fn fingerprint(connection: &mut PgConnection, schema: &str) -> Vec<serde_json::Value> {
    let mut all = Vec::new();
    for table in TABLES {
        let sql = format!(
            "select '{table}' as name, count(*), md5(string_agg(md5(to_json(t)::text) || t.xmin::text || t.ctid::text, '' order by t.ctid))
             from {schema}.{table} t"
        );
        all.extend(rows(connection, &sql).await);
    }
    all
}

/// Imports, stages and promotes V5, as a run of that minute.
pub async fn apply(mirror: &Mirror, schema: &str, minute: i64) -> (ImportReport, MemorySource) {
    let (report, source) = write(mirror, schema, minute).await.expect("an import");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    (report, source)
}

/// Imports V5 into the bucket, as a run of that minute.
///
/// # Errors
/// The import failed.
pub async fn write(
    mirror: &Mirror,
    schema: &str,
    minute: i64,
) -> Result<(ImportReport, MemorySource), AdminError> {
    let store = ObjectStore::Memory(MemoryObjectStore::default());
    let db = Db::new(&mirror.administrator());
    let report = Box::pin(import(&db, schema, Some(&store), at(minute))).await?;
    let source = MemorySource::default();
    if let ObjectStore::Memory(store) = &store {
        for (key, bytes) in store.objects() {
            source.put(&key, bytes);
        }
    }
    Ok((report, source))
}

/// Returns the report of a dry run.
///
/// # Errors
/// The import failed.
pub async fn dry_run(mirror: &Mirror, schema: &str) -> Result<ImportReport, AdminError> {
    import(&Db::new(&mirror.administrator()), schema, None, at(0)).await
}

fn at(minute: i64) -> DateTime<Utc> {
    Utc::now() + TimeDelta::minutes(minute)
}
