-- Raw pages that a person wants staged and promoted once more, until they are staged.
create table replayed_pages (
    source_key text primary key,
    asked_at timestamptz not null default now()
);
alter table replayed_pages enable row level security;
