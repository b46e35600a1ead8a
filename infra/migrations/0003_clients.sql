call create_staging_table('stg_clients');

create table clients (
    id text primary key,
    company_name text,
    first_name text,
    last_name text,
    -- The company, else the contact.
    display_name text,
    status text,
    client_type text,
    email text,
    phone text,
    street1 text,
    street2 text,
    city text,
    region text,
    postal_code text,
    country_code text,
    personal_notes text,
    preference_notes text,
    locale text,
    tags text[] not null default '{}',
    preferred_technician_id text references users (id),
    lifecycle_state text,
    no_contact_until date,
    reason_inactive_code text,
    reference_id text,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz
);
call add_mirror_columns('clients');
create index on clients (preferred_technician_id);
