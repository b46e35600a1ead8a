call create_staging_table('stg_users');

create table users (
    id text primary key,
    first_name text,
    last_name text,
    email text,
    access_level text,
    status text,
    timezone text,
    color text,
    is_schedulable boolean,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz
);
call add_mirror_columns('users');
