-- How records are recognised without their id.

-- What a person knows: this id or name means that record. Wins over everything but the id of a record that lives.
create table aliases (
    entity text not null,
    -- An id that is no more, as it was; or a name, in any case.
    alias text not null,
    id text not null,
    added_by text not null default current_user,
    created_at timestamptz not null default now(),
    primary key (entity, alias)
);

-- What a record can be found by: normalised e-mails, phones, serial numbers, and trigrams of its names. Kept
-- by the reconciler; extensions are not needed.
create table match_keys (
    entity text not null,
    kind text not null,
    value text not null,
    id text not null,
    primary key (entity, kind, value, id)
);
create index on match_keys (entity, id);

-- How far the rows of an entity have been matched, in the order in which they changed.
create table match_progress (
    entity text primary key,
    updated_at timestamptz not null,
    id text not null
);

-- Records that are linked without a reference of the source.
create table record_links (
    entity text not null,
    id text not null,
    relation text not null check (relation in ('predecessor')),
    other_id text not null,
    score double precision not null,
    linked_at timestamptz not null default now(),
    primary key (entity, id, relation)
);
create index on record_links (entity, other_id);

alter table aliases enable row level security;
alter table match_keys enable row level security;
alter table match_progress enable row level security;
alter table record_links enable row level security;

-- Whether something was asked before, whatever the answer was.
create index on admin_actions (kind, entity, subject);
