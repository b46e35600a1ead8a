-- An ordinary day of the mirror: a run of every entity each half hour, the last one a minute ago, with an uneven number
-- of records each. `page.entities` holds the entities as a JSON array. Every name and number of these files is made up.
truncate sync_status, staged_pages, quarantine, admin_actions, stg_clients, stg_measurements;

with entities as (
    select place, name, coalesce(most, 10) as most
    from json_array_elements_text(current_setting('page.entities')::json) with ordinality as known (name, place)
    -- Records of a busy half hour; of an entity to come, ten.
    left join (values ('users', 2), ('clients', 14), ('pianos', 18), ('timeline', 63), ('measurements', 21))
        as busy (name, most) using (name)
), ticks as (
    select *, now() - interval '1 minute' - tick * interval '29 minutes' as began,
        (most * (0.55 + 0.45 * sin((tick + 7 * place) / 7.0)) * (0.6 + 0.4 * cos(tick * place)))::int as written
    from entities, generate_series(0, 48) as tick
)
insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at,
    records_fetched, records_staged, records_processed)
select 'page-' || name || '-' || tick, name, case when tick = 48 then 'full' else 'incremental' end, 'success',
    began - place * interval '11 seconds', began + interval '6 seconds', written, written, written
from ticks;
