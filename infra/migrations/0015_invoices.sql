call create_staging_table('stg_invoices');

create table invoices (
    id text primary key,
    client_id text references clients (id),
    contact_id text,
    assigned_to_id text references users (id),
    created_by_id text references users (id),
    number int,
    status text,
    archived boolean,
    -- ISO 4217. Every amount is in its units, not in cents.
    currency text,
    sub_total numeric,
    tax_total numeric,
    tip_total numeric,
    total numeric,
    paid_total numeric,
    due_total numeric,
    due_on date,
    net_days int,
    notes text,
    top_notes text,
    tags text[] not null default '{}',
    summarize boolean,
    has_payments_pending boolean,
    needs_quickbooks_sync boolean,
    last_quickbooks_sync_at timestamptz,
    alt_billing_company_name text,
    alt_billing_first_name text,
    alt_billing_last_name text,
    alt_billing_email text,
    alt_billing_phone text,
    alt_billing_street1 text,
    alt_billing_street2 text,
    alt_billing_city text,
    alt_billing_region text,
    alt_billing_postal_code text,
    alt_billing_country_code text,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz
);
call add_mirror_columns('invoices');
create index on invoices (client_id);
create index on invoices (assigned_to_id) where assigned_to_id is not null;
create index on invoices (created_by_id) where created_by_id is not null;

create table invoice_items (
    invoice_id text not null references invoices (id),
    -- The place in the invoice.
    line int not null,
    item_id text,
    piano_id text references pianos (id),
    master_service_item_id text,
    type text,
    description text,
    sequence_number int,
    -- Hundredths as a rule; Gazelle does not say.
    quantity int,
    amount numeric,
    sub_total numeric,
    tax_total numeric,
    total numeric,
    billable boolean,
    taxable boolean,
    -- As Gazelle says them: rates per 100,000, totals in minor units.
    taxes jsonb,
    gazelle_created_at timestamptz,
    gazelle_updated_at timestamptz,
    primary key (invoice_id, line)
);
call add_part_columns('invoice_items');
create index on invoice_items (piano_id) where piano_id is not null;

create table invoice_payments (
    invoice_id text not null references invoices (id),
    line int not null,
    payment_id text,
    amount numeric,
    tip_total numeric,
    currency text,
    type text,
    status text,
    payment_source text,
    paid_at timestamptz,
    -- The day in Montréal.
    paid_on date,
    payment_details text,
    notes text,
    failure_reason text,
    is_stripe_payment boolean,
    was_initiated_by_client boolean,
    gazelle_created_at timestamptz,
    primary key (invoice_id, line)
);
call add_part_columns('invoice_payments');
create index on invoice_payments (paid_on);
