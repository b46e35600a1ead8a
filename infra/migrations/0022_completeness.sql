-- Completeness: Gazelle's count of an entity against the rows here and what explains the others.

alter table sync_status
    -- When the last of its pages was fetched; a record seen first after that was not listed by the run.
    add column listed_until timestamptz;
create index on sync_status (sync_type, started_at desc) where mode = 'full';

-- The count of each entity at its newest full run that is settled. The equation:
--   source_count = rows_present + skipped + failed + waiting + deleted + gap
create table completeness (
    entity text primary key,
    run_id text not null,
    -- When the run began, and the counts of the run that were taken into account.
    listed_at timestamptz not null,
    run_state text not null,
    source_count bigint not null,
    rows_present bigint not null,
    -- Without a row for a reason that is kept; elements without an id among them.
    skipped bigint not null,
    -- Without a row because a person must look; records on unreadable pages among them.
    failed bigint not null,
    waiting bigint not null,
    -- Listed by the run and gone since.
    deleted bigint not null,
    gap bigint not null,
    -- The listing was proven, or the one before it was not proven either: a gap is no passing movement of the source.
    is_confirmed boolean not null,
    -- Some ids that the gap consists of.
    unexplained_ids text[] not null default '{}',
    counted_at timestamptz not null default now()
);
alter table completeness enable row level security;

-- The records that this run listed, kept because staging moves on: a record may change and change back, or go and return.
create table listed_records (
    entity text not null,
    id text not null,
    primary key (entity, id)
);
alter table listed_records enable row level security;
