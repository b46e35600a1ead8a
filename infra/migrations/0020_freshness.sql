-- What health and alerts are judged by: the fetch's own time, the lane of a run, and how long a record really waits.

alter table sync_status
    -- The lane of the run; none in the manifest of an older fetcher, whose mode stands for it.
    add column lane text,
    -- When the fetch ended. `completed_at` is when the last record was settled, which a replay moves.
    add column fetch_ended_at timestamptz;
-- The last run of a lane or an entity, the last that succeeded, the last that listed everything. Each is found by one
-- look at an index, even where nothing has succeeded for years.
create index sync_status_success on sync_status (sync_type, started_at desc) where status = 'success';
create index sync_status_failed on sync_status (sync_type, started_at) where status = 'failed';
create index sync_status_lane_success on sync_status (sync_type, (coalesce(lane, mode)), started_at desc)
    where status = 'success';
create index sync_status_lane on sync_status (sync_type, (coalesce(lane, mode)), started_at desc);
create index sync_status_settled on sync_status (sync_type, started_at desc) where status in ('success', 'partial');
create index sync_status_full on sync_status (sync_type, started_at desc) where mode = 'full';

-- When a replay or a retry made the record pending again: it waits since then, however old it is.
do $$
declare
    staging_table regclass;
begin
    for staging_table in
        select c.oid::regclass
        from pg_class c
        where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname like 'stg\_%'
    loop
        execute format('alter table %s add column if not exists requeued_at timestamptz', staging_table);
    end loop;
end
$$;

-- As in 0013, with that column.
create or replace procedure create_staging_table(staging_table text, target_schema text default current_schema())
language plpgsql
set search_path = ''
as $$
begin
    execute format($sql$
        create table %1$I.%2$I (
            id uuid primary key default pg_catalog.gen_random_uuid(),
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
            requeued_at timestamptz,
            unique (gazelle_id, content_hash)
        ) with (fillfactor = 80)
    $sql$, target_schema, staging_table);
    -- Not of fetched_at: it moves with every sighting, and a settled row must not pay for that.
    execute format('create index on %I.%I (first_fetched_at, id) where not processed', target_schema, staging_table);
    -- BRIN: rows arrive in the order of time, and settling a row must not pay for one more tree.
    execute format('create index on %I.%I using brin (first_fetched_at)', target_schema, staging_table);
    execute format('alter table %I.%I enable row level security', target_schema, staging_table);
end
$$;
