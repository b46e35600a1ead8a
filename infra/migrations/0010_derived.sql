-- Columns that people need and the source does not have. Rows that are there already get them by a replay.
alter table clients
    add column phone_e164 text,
    add column language text;
create index on clients (phone_e164) where phone_e164 is not null;

alter table measurements
    -- The source states no unit; these have one.
    add column temperature_celsius numeric,
    add column humidity_percent numeric,
    add column pitch_hertz numeric;

alter table timeline_entries
    -- technical, human or automated; null for a type that we have never seen.
    add column nature text,
    -- Read in the texts; `readings` says where: [{quantity, value, field, start, end}], bytes of that field.
    add column temperature_celsius numeric,
    add column humidity_percent numeric,
    add column pitch_hertz numeric,
    add column readings jsonb;

-- The climate of a piano, one row per piano and local day: a measurement and what a technician wrote about the
-- same day are one, and the measurement counts.
create view piano_climate with (security_invoker = true) as
with measured as (
    select piano_id, taken_on as day,
        array_agg(id order by gazelle_created_at, id) as measurement_ids,
        (array_agg(temperature_celsius order by gazelle_created_at, id) filter (where temperature_celsius is not null))[1] as temperature_celsius,
        (array_agg(humidity_percent order by gazelle_created_at, id) filter (where humidity_percent is not null))[1] as humidity_percent,
        (array_agg(pitch_hertz order by gazelle_created_at, id) filter (where pitch_hertz is not null))[1] as pitch_hertz
    from measurements
    where deleted_at is null and piano_id is not null and taken_on is not null
    group by piano_id, taken_on
),
noted as (
    select piano_id, occurred_on as day,
        array_agg(id order by occurred_at, id) as entry_ids,
        (array_agg(temperature_celsius order by occurred_at, id) filter (where temperature_celsius is not null))[1] as temperature_celsius,
        (array_agg(humidity_percent order by occurred_at, id) filter (where humidity_percent is not null))[1] as humidity_percent,
        (array_agg(pitch_hertz order by occurred_at desc, id desc) filter (where pitch_hertz is not null))[1] as pitch_hertz
    from timeline_entries
    where deleted_at is null and piano_id is not null and readings is not null
    group by piano_id, occurred_on
)
select coalesce(m.piano_id, n.piano_id) as piano_id,
    coalesce(m.day, n.day) as day,
    coalesce(m.temperature_celsius, n.temperature_celsius) as temperature_celsius,
    coalesce(m.humidity_percent, n.humidity_percent) as humidity_percent,
    coalesce(m.pitch_hertz, n.pitch_hertz) as pitch_hertz,
    coalesce(m.measurement_ids, '{}') as measurement_ids,
    coalesce(n.entry_ids, '{}') as entry_ids
from measured m
-- In this order: a condition on the piano then reaches both sides.
full join noted n on m.piano_id = n.piano_id and m.day = n.day;
create index on timeline_entries (piano_id, occurred_on) where readings is not null;
