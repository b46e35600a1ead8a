-- Who may do what, and nothing for anybody else.
--
--   gazelle_owner   owns everything and never logs in
--   gazelle_app     the functions: reads and writes rows, changes no table
--   gazelle_reader  people and their tools: reads what they need, writes nothing
--
-- Roles are of the whole server, so they may be there already. They get a password, and with it their login, from
-- an administrator; none is here.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['gazelle_owner', 'gazelle_app', 'gazelle_reader'] loop
        begin
            continue when exists (select from pg_roles where rolname = wanted);
            execute format('create role %I', wanted);
            -- The limits of a session that says nothing else.
            execute format('alter role %I set idle_in_transaction_session_timeout = ''60s''', wanted);
            if wanted = 'gazelle_app' then
                execute format('alter role %I set statement_timeout = ''60s''', wanted);
            elsif wanted = 'gazelle_reader' then
                execute format('alter role %I set statement_timeout = ''30s''', wanted);
                execute format('alter role %I set default_transaction_read_only = on', wanted);
            end if;
        exception
            -- Another migration of this server was faster.
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise exception 'the role % is missing and % may not create it', wanted, current_user
                    using hint = 'Migrate as an administrator (on Supabase: postgres), or have one create the roles gazelle_owner, gazelle_app and gazelle_reader.';
        end;
    end loop;
    begin
        -- Who migrates hands over what it makes, and changes it again at the next migration.
        if not pg_has_role(current_user, 'gazelle_owner', 'usage') then
            execute format('grant gazelle_owner to %I', current_user);
        end if;
    exception when unique_violation then null;
    end;
end
$$;

-- Roles that somebody lets read the production tables, as Supabase's `authenticated`: none unless it stands here.
create table exposures (
    role_name text primary key check (role_name <> 'public'),
    added_by text not null default current_user,
    created_at timestamptz not null default now()
);

-- Everything in a schema as it must be: owner, row security, policies, grants. The migrator calls it after each
-- migration, so that a table which forgets about it is closed all the same. Changes only what is not so yet.
create procedure secure_schema(target_schema text)
language plpgsql
set search_path = ''
as $$
declare
    item record;
begin
    if exists (
        select from pg_catalog.pg_namespace n
        where n.nspname = target_schema and pg_catalog.pg_get_userbyid(n.nspowner) <> 'gazelle_owner'
    ) then
        execute format('alter schema %I owner to gazelle_owner', target_schema);
    end if;
    for item in
        select c.oid::pg_catalog.regclass as name, c.relkind
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = target_schema and c.relkind in ('r', 'p', 'v', 'm')
            and pg_catalog.pg_get_userbyid(c.relowner) <> 'gazelle_owner'
    loop
        execute format('alter table %s owner to gazelle_owner', item.name);
    end loop;
    for item in
        select p.oid::pg_catalog.regprocedure as name
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = target_schema and pg_catalog.pg_get_userbyid(p.proowner) <> 'gazelle_owner'
    loop
        execute format('alter routine %s owner to gazelle_owner', item.name);
    end loop;

    -- Row security on every table and every partition: a policy of the parent does not protect a partition that is
    -- read directly.
    for item in
        select c.oid::pg_catalog.regclass as name
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = target_schema and c.relkind in ('r', 'p') and not c.relrowsecurity
    loop
        execute format('alter table %s enable row level security', item.name);
    end loop;

    -- Nothing for anybody else: not for everybody, and not for roles that Supabase grants to by default.
    for item in
        with rights as (
            select 'schema' as kind, format('%I', n.nspname) as name, a.grantee
            from pg_catalog.pg_namespace n
            cross join lateral pg_catalog.aclexplode(n.nspacl) a
            where n.nspname = target_schema
            union
            select 'table', c.oid::pg_catalog.regclass::text, a.grantee
            from pg_catalog.pg_class c
            join pg_catalog.pg_namespace n on n.oid = c.relnamespace
            cross join lateral pg_catalog.aclexplode(c.relacl) a
            where n.nspname = target_schema and c.relkind in ('r', 'p', 'v', 'm')
            union
            select 'routine', p.oid::pg_catalog.regprocedure::text, a.grantee
            from pg_catalog.pg_proc p
            join pg_catalog.pg_namespace n on n.oid = p.pronamespace
            cross join lateral pg_catalog.aclexplode(coalesce(p.proacl, pg_catalog.acldefault('f', p.proowner))) a
            where n.nspname = target_schema
        )
        select r.kind, r.name, case when r.grantee = 0 then 'public' else quote_ident(pg_catalog.pg_get_userbyid(r.grantee)) end as grantee
        from rights r
        where r.grantee = 0
            or pg_catalog.pg_get_userbyid(r.grantee) not in ('gazelle_owner', 'gazelle_app', 'gazelle_reader')
    loop
        execute format('revoke all on %s %s from %s', item.kind, item.name, item.grantee);
    end loop;

    -- The functions and the readers. A partition is reached through its table alone.
    execute format('grant usage on schema %I to gazelle_app, gazelle_reader', target_schema);
    for item in
        select c.oid::pg_catalog.regclass as name, c.relname, c.relkind
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = target_schema and c.relkind in ('r', 'p', 'v', 'm') and not c.relispartition
    loop
        if item.relkind in ('r', 'p') and item.relname <> '_sqlx_migrations' then
            execute format('grant select, insert, update, delete on table %s to gazelle_app', item.name);
        else
            execute format('grant select on table %s to gazelle_app', item.name);
        end if;
        continue when item.relname like 'stg\_%' or item.relname in ('quarantine', 'exposures', '_sqlx_migrations');
        execute format('grant select on table %s to gazelle_reader', item.name);
    end loop;
    for item in
        select p.oid::pg_catalog.regprocedure as name
        from pg_catalog.pg_proc p
        join pg_catalog.pg_namespace n on n.oid = p.pronamespace
        where n.nspname = target_schema and p.proname in ('ensure_monthly_partitions', 'confirm_deletions')
    loop
        execute format('grant execute on routine %s to gazelle_app', item.name);
    end loop;
    for item in
        select c.oid::pg_catalog.regclass as name, role.name as role_name, role.command
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        cross join (values ('gazelle_app', 'all'), ('gazelle_reader', 'select')) role (name, command)
        where n.nspname = target_schema and c.relkind in ('r', 'p') and not c.relispartition
            and not exists (
                select from pg_catalog.pg_policy o where o.polrelid = c.oid and o.polname = role.name
            )
    loop
        execute format('create policy %I on %s for %s to %I using (true)', item.role_name, item.name, item.command, item.role_name);
    end loop;

    -- What somebody opened stays open, new tables included.
    for item in execute format('select role_name from %I.exposures where exists (select from pg_catalog.pg_roles where rolname = role_name)', target_schema) loop
        execute format('call %I.expose_to(%L, %L)', target_schema, item.role_name, target_schema);
    end loop;
end
$$;

-- Lets a role read the production tables and the views, and nothing else: what PostgREST serves to those who log in
-- as that role. To be called by an administrator; `withdraw_from` takes it back.
create procedure expose_to(wanted_role text, target_schema text default current_schema())
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
                select from pg_catalog.pg_attribute a where a.attrelid = c.oid and a.attname = 'is_placeholder'
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

-- Takes back what `expose_to` gave.
create procedure withdraw_from(wanted_role text, target_schema text default current_schema())
language plpgsql
set search_path = ''
as $$
declare
    item record;
begin
    for item in
        select c.oid::pg_catalog.regclass as name, c.relkind
        from pg_catalog.pg_class c
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
        where n.nspname = target_schema and c.relkind in ('r', 'p', 'v')
    loop
        execute format('revoke all on table %s from %I', item.name, wanted_role);
        if item.relkind <> 'v' then
            execute format('drop policy if exists %I on %s', 'exposed to ' || wanted_role, item.name);
        end if;
    end loop;
    execute format('revoke all on schema %I from %I', target_schema, wanted_role);
    execute format('delete from %I.exposures where role_name = %L', target_schema, wanted_role);
end
$$;

-- With the owner's rights, because the functions change no table; so it stays in its own schema, whoever calls it.
do $do$
begin
    execute format(
        $sql$
        create or replace function %1$I.ensure_monthly_partitions(partitioned_table text, months date[])
        returns int
        language plpgsql
        security definer
        set search_path = ''
        as $$
        declare
            wanted date;
            partition_name text;
            made int := 0;
        begin
            -- Two at once would race for the same name.
            perform pg_catalog.pg_advisory_xact_lock(
                pg_catalog.hashtext('ensure_monthly_partitions'), pg_catalog.hashtext(partitioned_table));
            foreach wanted in array months loop
                wanted := pg_catalog.date_trunc('month', wanted)::date;
                partition_name := format('%%s_%%s', partitioned_table, to_char(wanted, 'YYYY_MM'));
                -- By name in this schema: a table of that name elsewhere is none of ours.
                continue when exists (
                    select from pg_catalog.pg_class c
                    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
                    where c.relname = partition_name and n.nspname = %1$L
                );
                execute format(
                    'create table %%I.%%I partition of %%I.%%I for values from (%%L) to (%%L)',
                    %1$L, partition_name, %1$L, partitioned_table,
                    (wanted::timestamp at time zone 'UTC'),
                    ((wanted + interval '1 month')::timestamp at time zone 'UTC')
                );
                -- A policy on the parent does not protect a partition that is read directly.
                execute format('alter table %%I.%%I enable row level security', %1$L, partition_name);
                made := made + 1;
            end loop;
            return made;
        end
        $$
        $sql$,
        current_schema()
    );
end
$do$;

alter function confirm_deletions(text, text) set search_path = '';

-- As in 0007 and 0001, finding their schema without the caller's search_path.
drop procedure create_staging_table(text);
create procedure create_staging_table(staging_table text, target_schema text default current_schema())
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

drop procedure add_mirror_columns(text);
create procedure add_mirror_columns(production_table text, target_schema text default current_schema())
language plpgsql
set search_path = ''
as $$
begin
    execute format($sql$
        alter table %1$I.%2$I
            add column is_placeholder boolean not null default false,
            add column created_at timestamptz not null default now(),
            add column updated_at timestamptz not null default now(),
            -- When Gazelle said what the row holds, and on which page.
            add column synced_at timestamptz,
            add column source_key text,
            add column deleted_at timestamptz,
            add column version int not null default 1,
            add column raw_data jsonb
    $sql$, target_schema, production_table);
    execute format('alter table %I.%I enable row level security', target_schema, production_table);
end
$$;
