call create_staging_table('stg_appointments');

create table appointments (
    id text primary key,
    client_id text references clients (id),
    user_id text references users (id),
    created_by_id text references users (id),
    type text,
    status text,
    title text,
    notes text,
    starts_at timestamptz,
    ends_at timestamptz,
    -- The day and the time in Montréal.
    starts_on date,
    local_time time,
    -- Minutes.
    duration int,
    buffer int,
    is_all_day boolean,
    timezone text,
    confirmed_at timestamptz,
    confirmed_by_client boolean,
    confirmation_warning text,
    address_line text,
    city text,
    postal_code text,
    travel_mode text,
    lifecycle_state text,
    source text,
    recurrence_id text,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz
);
call add_mirror_columns('appointments');
create index on appointments (client_id);
create index on appointments (user_id);
create index on appointments (created_by_id) where created_by_id is not null;
create index on appointments (starts_at);

create table appointment_pianos (
    appointment_id text not null references appointments (id),
    line int not null,
    piano_id text references pianos (id),
    is_tuning boolean,
    primary key (appointment_id, line)
);
call add_part_columns('appointment_pianos');
create index on appointment_pianos (piano_id);
