-- What complete listings do not hold any more, and what became of it.

alter table sync_status
    -- Read and not stored: unchanged, or outside the period of a repair.
    add column pages_passed int not null default 0,
    add column records_passed int not null default 0,
    -- The source's own count at the beginning of the run; source_count is that at its end.
    add column source_count_first bigint,
    -- Different records that a full run has listed.
    add column records_distinct bigint,
    -- When what a complete listing lacks was looked for.
    add column swept_at timestamptz;
create index on sync_status (sync_type, started_at)
    where mode = 'full' and fetch_status = 'success' and swept_at is null;

-- One row per record that a complete listing lacked, until it is deleted or seen again.
create table missing_records (
    entity text not null,
    id text not null,
    -- The listing that lacked it last, and when that began.
    run_id text not null,
    missing_since timestamptz not null,
    -- Complete listings in a row that lacked it.
    times int not null default 1,
    -- When Gazelle was asked for it by id, and what it said.
    asked_at timestamptz,
    answer text check (answer in ('gone', 'unclear')),
    -- Too large a share of the table is missing: a person must confirm.
    withheld boolean not null default false,
    confirmed_by text,
    primary key (entity, id)
);
alter table missing_records enable row level security;

-- Releases the deletions that were withheld for an entity; answers how many. Names are resolved now, so
-- that the caller's search_path does not matter.
create function confirm_deletions(confirmed_entity text, person text)
returns int
language sql
begin atomic
    with released as (
        update missing_records set withheld = false, confirmed_by = person
        where entity = confirmed_entity and withheld and length(trim(person)) > 0
        returning id
    ),
    settled as (
        update admin_actions set resolved_at = now(), resolved_by = person
        where kind = 'deletion_withheld' and entity = confirmed_entity and resolved_at is null
            and exists (select from released)
    )
    select count(*)::int from released;
end;

-- When the record was found to be gone: a page fetched later that shows the same content again is news.
alter table stg_users add column gone_since timestamptz;
alter table stg_clients add column gone_since timestamptz;
alter table stg_pianos add column gone_since timestamptz;
alter table stg_timeline_entries add column gone_since timestamptz;
alter table stg_measurements add column gone_since timestamptz;

-- As in 0001, with that column.
create or replace procedure create_staging_table(staging_table text)
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
            gone_since timestamptz,
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
