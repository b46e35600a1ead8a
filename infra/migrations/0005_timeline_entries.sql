call create_staging_table('stg_timeline_entries');

create table timeline_entries (
    id text not null,
    client_id text references clients (id),
    piano_id text references pianos (id),
    user_id text references users (id),
    entry_type text,
    occurred_at timestamptz not null,
    -- The day in Montréal.
    occurred_on date,
    summary text,
    comment text,
    duration int,
    related_type text,
    related_id text,
    alert_type text,
    email_status text,
    email_failure_reason text,
    sms_status text,
    appointment_id text,
    invoice_id text,
    estimate_id text,
    primary key (id, occurred_at)
) partition by range (occurred_at);
call add_mirror_columns('timeline_entries');
create index on timeline_entries (client_id);
create index on timeline_entries (piano_id) where piano_id is not null;
create index on timeline_entries (user_id) where user_id is not null;

-- Where each entry lies. A partitioned table cannot hold `id` unique by itself; this one does, so
-- that a corrected date moves an entry to another month instead of doubling it.
create table timeline_entries_keys (
    id text primary key,
    occurred_at timestamptz not null
);
alter table timeline_entries_keys enable row level security;

-- Dates that no one means: they land here instead of failing or making partitions.
create table timeline_entries_default partition of timeline_entries default;
alter table timeline_entries_default enable row level security;

-- Makes the partition of each month that has none yet; answers how many it made.
create function ensure_monthly_partitions(partitioned_table text, months date[])
returns int
language plpgsql as $$
declare
    wanted date;
    partition_name text;
    made int := 0;
begin
    -- Two at once would race for the same name.
    perform pg_advisory_xact_lock(hashtext('ensure_monthly_partitions'), hashtext(partitioned_table));
    foreach wanted in array months loop
        wanted := date_trunc('month', wanted)::date;
        partition_name := format('%s_%s', partitioned_table, to_char(wanted, 'YYYY_MM'));
        -- By name in the current schema: a table of that name elsewhere is none of ours.
        continue when exists (
            select from pg_class c
            where c.relname = partition_name and c.relnamespace = current_schema()::regnamespace
        );
        execute format(
            'create table %I partition of %I for values from (%L) to (%L)',
            partition_name, partitioned_table,
            (wanted::timestamp at time zone 'UTC'),
            ((wanted + interval '1 month')::timestamp at time zone 'UTC')
        );
        -- A policy on the parent does not protect a partition that is read directly.
        execute format('alter table %I enable row level security', partition_name);
        made := made + 1;
    end loop;
    return made;
end
$$;
