-- Rows that live and die with a record, and listings that are complete for a period.

-- The columns that every table of a part has, beside the record's id, the line, and its own.
create procedure add_part_columns(part_table text, target_schema text default current_schema())
language plpgsql
set search_path = ''
as $$
begin
    execute format($sql$
        alter table %1$I.%2$I
            add column created_at timestamptz not null default now(),
            add column updated_at timestamptz not null default now(),
            -- As the record's: set and taken back with it.
            add column deleted_at timestamptz
    $sql$, target_schema, part_table);
    execute format('alter table %I.%I enable row level security', target_schema, part_table);
end
$$;

-- Which period a listing was complete for, if not for all of time.
alter table sync_status
    add column window_start timestamptz,
    add column window_end timestamptz;
create index on sync_status (sync_type, started_at)
    where window_start is not null and fetch_status = 'success' and swept_at is null;

-- Asked for and there, although a complete listing of its period lacks it.
alter table missing_records
    drop constraint missing_records_answer_check,
    add constraint missing_records_answer_check check (answer in ('gone', 'unclear', 'found'));

-- As in 0013, the tables of parts included: what can be deleted is what is mirrored.
create or replace procedure expose_to(wanted_role text, target_schema text default current_schema())
language plpgsql
set search_path = ''
as $$
declare
    item record;
begin
    execute format('grant usage on schema %I to %I', target_schema, wanted_role);
    for item in
        select c.oid::pg_catalog.regclass as name, c.relkind
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = target_schema and not c.relispartition and (
            c.relkind = 'v'
            or c.relkind in ('r', 'p') and exists (
                select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'deleted_at'
            )
        )
    loop
        execute format('grant select on table %s to %I', item.name, wanted_role);
        if item.relkind <> 'v' then
            execute format('drop policy if exists %I on %s', 'exposed to ' || wanted_role, item.name);
            execute format('create policy %I on %s for select to %I using (deleted_at is null)',
                'exposed to ' || wanted_role, item.name, wanted_role);
        end if;
    end loop;
    execute format('insert into %I.exposures (role_name) values (%L) on conflict do nothing', target_schema, wanted_role);
end
$$;
