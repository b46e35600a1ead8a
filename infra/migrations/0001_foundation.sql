-- Runs, pages and what a person must look at.
--
-- Names are unqualified on purpose: the migrator sets search_path to the configured schema, so that
-- the mirror lives beside whatever else the database holds.

-- One row per run of one entity. The equations that it must satisfy:
--   records_fetched = records_staged + records_duplicate + records_quarantined
--   records_staged  = records_processed + records_unchanged + records_skipped + records_failed + records_pending
create table sync_status (
    id uuid primary key default gen_random_uuid(),
    run_id text not null,
    sync_type text not null,
    mode text not null,
    status text not null default 'running' check (status in ('running', 'success', 'partial', 'failed')),
    started_at timestamptz not null,
    completed_at timestamptz,

    -- What the fetcher said when it ended; null while it runs.
    fetch_status text,
    -- The newest manifest read: an older one, delivered late, changes nothing.
    manifest_revision int not null default 0,
    pages_expected int,
    pages_staged int not null default 0,
    source_count bigint,

    records_fetched int not null default 0,
    records_staged int not null default 0,
    records_duplicate int not null default 0,
    records_quarantined int not null default 0,
    -- Left out on purpose: they lie outside the period of a repair.
    records_outside int not null default 0,
    records_processed int not null default 0,
    records_unchanged int not null default 0,
    records_skipped int not null default 0,
    records_failed int not null default 0,
    records_pending int not null generated always as
        (records_staged - records_processed - records_unchanged - records_skipped - records_failed) stored,

    error_rate double precision,
    data_freshness_score double precision,
    error_summary jsonb,
    performance_metrics jsonb,
    created_at timestamptz not null default now(),
    unique (run_id, sync_type)
);
create index on sync_status (sync_type, started_at desc);
create index on sync_status (sync_type, completed_at desc) where status = 'success';

-- One row per raw page that reached staging: a page delivered twice is staged once.
create table staged_pages (
    source_key text primary key,
    entity text not null,
    run_id text not null,
    page int not null,
    records int not null,
    staged_at timestamptz not null default now()
);
create index on staged_pages (run_id);
create index on staged_pages (entity, staged_at desc);

-- What no staging table can take as a whole: a message or an object that cannot be read.
create table quarantine (
    id uuid primary key default gen_random_uuid(),
    -- The object's key; for a message, its digest.
    source_key text not null unique,
    kind text not null check (kind in ('object', 'message')),
    entity text,
    reason text not null,
    -- A message is kept here; an object stays where it is, in S3.
    bytes bytea,
    times_seen int not null default 1,
    created_at timestamptz not null default now(),
    resolved_at timestamptz
);

-- Every reference that was not resolved by its exact id.
create table match_decisions (
    id uuid primary key default gen_random_uuid(),
    entity text not null,
    record_id text not null,
    reference text not null,
    asked jsonb not null,
    candidates jsonb not null default '[]',
    score double precision,
    method text not null,
    choice text,
    decided_at timestamptz not null default now()
);
create index on match_decisions (entity, record_id);

-- What a person must look at; open until resolved.
create table admin_actions (
    id uuid primary key default gen_random_uuid(),
    kind text not null,
    entity text not null,
    subject text not null,
    details jsonb not null default '{}',
    created_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolved_by text
);
create unique index admin_actions_open on admin_actions (kind, entity, subject) where resolved_at is null;

alter table sync_status enable row level security;
alter table staged_pages enable row level security;
alter table quarantine enable row level security;
alter table match_decisions enable row level security;
alter table admin_actions enable row level security;

-- The staging table of an entity. All are alike, so that the engines never name one.
create procedure create_staging_table(staging_table text)
language plpgsql as $$
begin
    execute format($sql$
        create table %1$I (
            id uuid primary key default gen_random_uuid(),
            raw_data jsonb not null,
            fetched_at timestamptz not null default now(),
            processed boolean not null default false,
            processing_attempts int not null default 0,
            last_error text,
            created_at timestamptz not null default now(),

            -- Empty where the record has no usable id.
            gazelle_id text not null default '',
            -- The record in which this one came.
            parent_id text,
            content_hash bytea not null,
            raw_bytes int not null,
            -- The run that made it pending, and the page where it was last seen.
            run_id text not null,
            source_key text not null,
            first_fetched_at timestamptz not null,
            times_seen int not null default 1,
            outcome text check (outcome in ('promoted', 'unchanged', 'skipped', 'superseded', 'failed')),
            note text,
            next_attempt_at timestamptz not null default now(),
            processed_at timestamptz,
            unique (gazelle_id, content_hash)
        ) with (fillfactor = 80)
    $sql$, staging_table);
    -- Not of fetched_at: it moves with every sighting, and a settled row must not pay for that.
    execute format('create index on %I (first_fetched_at, id) where not processed', staging_table);
    -- BRIN: rows arrive in the order of time, and settling a row must not pay for one more tree.
    execute format('create index on %I using brin (first_fetched_at)', staging_table);
    execute format('alter table %I enable row level security', staging_table);
end
$$;

-- The columns that every production table has; a table adds its own.
create procedure add_mirror_columns(production_table text)
language plpgsql as $$
begin
    execute format($sql$
        alter table %1$I
            add column is_placeholder boolean not null default false,
            add column created_at timestamptz not null default now(),
            add column updated_at timestamptz not null default now(),
            -- When Gazelle said what the row holds, and on which page.
            add column synced_at timestamptz,
            add column source_key text,
            add column deleted_at timestamptz,
            add column version int not null default 1,
            add column raw_data jsonb
    $sql$, production_table);
    execute format('alter table %I enable row level security', production_table);
end
$$;
