-- Probable duplicates as groups: the pairs are kept here, and one action stands for each connected set of them.
create table duplicate_pairs (
    entity text not null,
    -- The two ids; `one` is the lesser.
    one text not null,
    other text not null check (other <> one),
    score double precision not null,
    -- Fields in which the two agree.
    evidence text[] not null default '{}',
    -- Action of the group that the pair is in; null while it waits for its turn.
    action_id uuid,
    -- A person has closed that action: the pair is never proposed again.
    decided_at timestamptz,
    found_at timestamptz not null default now(),
    primary key (entity, one, other)
);
create index on duplicate_pairs (entity, other);
alter table duplicate_pairs enable row level security;

-- Whether pairs have changed since the groups were made, and how many groups wait because enough are open.
alter table match_progress
    add column groups_stale boolean not null default false,
    add column groups_waiting int not null default 0;

-- What a person has decided about a pair stays decided.
insert into duplicate_pairs (entity, one, other, score, action_id, decided_at)
select distinct on (a.entity, a.details ->> 'one', a.details ->> 'other')
    a.entity, a.details ->> 'one', a.details ->> 'other', coalesce((a.details ->> 'score')::double precision, 0), a.id, a.resolved_at
from admin_actions a
where a.kind = 'probable_duplicate' and a.resolved_at is not null
    and a.details ->> 'one' <> a.details ->> 'other'
order by a.entity, a.details ->> 'one', a.details ->> 'other', a.resolved_at desc;

-- The open pairs give way to groups, which the next comparison of all clients finds.
update admin_actions set resolved_at = now(), resolved_by = 'reconciler'
where kind = 'probable_duplicate' and resolved_at is null;
delete from match_progress where entity = 'clients';
