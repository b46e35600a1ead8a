-- What keeps the pipeline moving: partitions that can always be made, tasks that resume, and what people are told when.

-- When people are told of an action: at once, later, or (`infinity`) not before something is known.
alter table admin_actions add column told_from timestamptz not null default '-infinity';

alter table sync_status
    -- Elements of the listing without a usable id, null ones included: any record that is missing may be one of them.
    add column records_unidentified int not null default 0,
    -- Access level of the mirror's own user during the run, as Gazelle states it; null where it is unknown.
    add column access_level text;
create index on sync_status (started_at desc) where access_level is not null;

-- Withheld because the listing proves nothing: the source is asked for the record all the same, as it may be there.
alter table missing_records add column is_unproven boolean not null default false;

-- Tasks that met their deadline, with the position from which they continue.
create table unfinished_tasks (
    task text primary key,
    request jsonb not null,
    position text not null,
    updated_at timestamptz not null default now()
);
alter table unfinished_tasks enable row level security;

-- Entries of one day, for the search of entries under two ids.
create index on timeline_entries (occurred_on);

-- Times that a wrong clock put into the future would be newer than everything until then.
do $$
declare
    item record;
begin
    for item in
        select c.oid::regclass as name, a.attname as time
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid and not a.attisdropped
        where n.nspname = current_schema() and c.relkind in ('r', 'p') and not c.relispartition
            and (c.relname like 'stg\_%' and a.attname in ('fetched_at', 'first_fetched_at') or a.attname = 'synced_at')
    loop
        execute format('update %s set %I = now() where %I > now()', item.name, item.time, item.time);
    end loop;
end
$$;

-- Makes the partition of each month that has none yet, and returns how many it made. Rows of such a month that lie in
-- the default partition move into the new one: there they would make it impossible.
--
-- The new table is attached, which lets readers of the other partitions go on. The tables that it refers to are locked
-- first, in the order in which they were created, as batches lock them; and no wait is longer than half a second, so
-- that nobody queues behind this one, and the deadlock detection (1 s) never has to choose between it and a batch.
do $do$
declare
    -- As the routine has it so far: every name in it is qualified.
    routine_path text := (
        select coalesce(nullif(substr(setting, length('search_path=') + 1), '""'), '''''')
        from pg_proc p
        join pg_namespace n on n.oid = p.pronamespace
        cross join unnest(p.proconfig) setting
        where n.nspname = current_schema() and p.proname = 'ensure_monthly_partitions' and setting like 'search_path=%'
    );
begin
    execute format(
        $sql$
        create or replace function %1$I.ensure_monthly_partitions(partitioned_table text, months date[])
        returns int
        language plpgsql
        security definer
        set search_path = %2$s
        set lock_timeout = '500ms'
        as $$
        declare
            parent pg_catalog.regclass;
            fallback pg_catalog.regclass;
            key pg_catalog.text;
            names pg_catalog.text;
            referenced pg_catalog.regclass;
            wanted pg_catalog.date;
            partition_name pg_catalog.text;
            first_instant pg_catalog.timestamptz;
            end_instant pg_catalog.timestamptz;
            made int := 0;
        begin
            -- By name in this schema: a table of that name elsewhere is none of ours.
            select c.oid into strict parent
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            where c.relname = partitioned_table and n.nspname = %1$L and c.relkind = 'p';
            foreach wanted in array months loop
                wanted := pg_catalog.date_trunc('month', wanted)::pg_catalog.date;
                partition_name := pg_catalog.format('%%s_%%s', partitioned_table, pg_catalog.to_char(wanted, 'YYYY_MM'));
                continue when exists (
                    select from pg_catalog.pg_class c
                    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                    where c.relname = partition_name and n.nspname = %1$L
                );
                for referenced in
                    select distinct o.confrelid from pg_catalog.pg_constraint o
                    where o.conrelid = parent and o.contype = 'f' order by o.confrelid
                loop
                    execute pg_catalog.format('lock table %%s in share row exclusive mode', referenced);
                end loop;
                -- Two at once would race for the same name.
                execute pg_catalog.format('lock table only %%s in share update exclusive mode', parent);
                continue when exists (
                    select from pg_catalog.pg_class c
                    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                    where c.relname = partition_name and n.nspname = %1$L
                );
                first_instant := wanted::timestamp at time zone 'UTC';
                end_instant := (wanted + interval '1 month')::timestamp at time zone 'UTC';
                execute pg_catalog.format('create table %%I.%%I (like %%s including all)', %1$L, partition_name, parent);
                -- A policy on the parent does not protect a partition that is read directly.
                execute pg_catalog.format('alter table %%I.%%I enable row level security', %1$L, partition_name);
                select p.partdefid into fallback from pg_catalog.pg_partitioned_table p
                where p.partrelid = parent and p.partdefid <> 0;
                if fallback is not null then
                    execute pg_catalog.format('lock table %%s in access exclusive mode', fallback);
                    select a.attname into strict key
                    from pg_catalog.pg_partitioned_table p
                    join pg_catalog.pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0]
                    where p.partrelid = parent;
                    select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by a.attnum) into strict names
                    from pg_catalog.pg_attribute a
                    where a.attrelid = parent and a.attnum > 0 and not a.attisdropped;
                    execute pg_catalog.format(
                        'with moved as (delete from %%s where %%I >= %%L and %%I < %%L returning %%s)
                         insert into %%I.%%I (%%s) select %%s from moved',
                        fallback, key, first_instant, key, end_instant, names, %1$L, partition_name, names, names
                    );
                end if;
                execute pg_catalog.format(
                    'alter table %%s attach partition %%I.%%I for values from (%%L) to (%%L)',
                    parent, %1$L, partition_name, first_instant, end_instant
                );
                made := made + 1;
            end loop;
            return made;
        end
        $$
        $sql$,
        current_schema(), routine_path
    );
end
$do$;
