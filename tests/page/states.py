"""The states of the mirror, as rows: all is well, some things are not. Every name and number is made up."""

from __future__ import annotations

from ground import Ground

HOSTILE = "<script>alert(1)</script>"
LONG = "Pianoforte" * 30
"""300 characters without a place to break."""

EMPTY = "truncate sync_status, staged_pages, quarantine, admin_actions, stg_clients, stg_measurements;"

MOST = {"users": 2, "clients": 14, "pianos": 18, "timeline": 63, "measurements": 21}
"""Records of a busy half hour; of an entity to come, ten."""

# A run every half hour of the last day, and one that ended a minute ago; an uneven number of records each.
DAY = """
with entities (place, name, most) as (values {entities}), ticks as (
    select *, now() - interval '1 minute' - tick * interval '29 minutes' as began,
        (most * (0.55 + 0.45 * sin((tick + 7 * place) / 7.0)) * (0.6 + 0.4 * cos(tick * place)))::int as written
    from entities, generate_series(0, 48) as tick
)
insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at,
    records_fetched, records_staged, records_processed)
select 'page-' || name || '-' || tick, name, case when tick = 48 then 'full' else 'incremental' end, 'success',
    began - place * interval '11 seconds', began + interval '6 seconds', written, written, written
from ticks;
"""

ONE_ACTION = """
insert into admin_actions (kind, entity, subject, details, created_at) values
    ('probable_duplicate', 'clients', 'École du Diapason', '{"same_as": "cli_0417 Ecole Diapason"}', now() - interval '5 hours');
"""

# The last run of the clients brought less than it should have, that of the timeline nothing at all.
FAULTS = f"""
update sync_status set status = 'partial', records_processed = records_processed + 40, records_failed = 2,
    records_staged = records_staged + 45, records_fetched = records_fetched + 46, records_quarantined = 1,
    error_summary = '{{"fetch": "the answer ended before its last page"}}'
    where run_id = 'page-clients-0';
update sync_status set status = 'failed', records_fetched = 0, records_staged = 0, records_processed = 0,
    error_summary = '{{"fetch": "Gazelle answered 502 five times in a row: <html><body>Bad Gateway</body></html>"}}'
    where run_id in ('page-timeline-0', 'page-timeline-9');
update sync_status set status = 'running', completed_at = null where run_id = 'page-pianos-0';
insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at) values
    ('page-timeline-live', 'timeline', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds'),
    ('page-clients-live', 'clients', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds'),
    ('page-pianos-live', 'pianos', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds');
insert into stg_clients (raw_data, gazelle_id, content_hash, raw_bytes, run_id, source_key, first_fetched_at, processed, processed_at, outcome)
select '{{}}', 'page_' || n, decode(lpad(to_hex(n), 64, '0'), 'hex'), 2, 'page-clients-0', 'page', now() - interval '3 hours', n > 3,
    case when n > 3 then now() - interval '170 minutes' end, case when n > 3 then 'promoted' end
from generate_series(1, 100) as n;
insert into admin_actions (kind, entity, subject, details, created_at) values
    ('credentials', '', 'gazelle', '{{"reason": "the token endpoint answered 401"}}', now() - interval '9 days'),
    ('placeholder', 'users', 'usr_9f3c', '{{}}', now() - interval '6 days'),
    ('failed', 'timeline', '{HOSTILE}', '{{"reason": "<img src=x onerror=alert(2)>"}}', now() - interval '4 days'),
    ('probable_duplicate', 'clients', '{LONG}', '{{"same_as": "{LONG}"}}', now() - interval '3 days'),
    ('deletion_withheld', 'pianos', 'pianos', '{{"confirm": "select gazelle.confirm_deletions(''pianos'', ''votre nom'')"}}', now() - interval '2 days'),
    ('unmatched', 'users', 'Zoé "l''accordeuse" & fils', '{{}}', now() - interval '1 day'),
    ('a_kind_of_tomorrow', 'clients', 'cli_0001', '{{}}', now() - interval '1 hour');
insert into quarantine (source_key, kind, entity, reason) values
    ('page/1', 'object', 'timeline', 'not JSON'), ('page/2', 'message', null, 'not JSON');
"""


def healthy(ground: Ground) -> None:
    ground.query(EMPTY + _day(ground) + ONE_ACTION)


def degraded(ground: Ground) -> None:
    ground.query(EMPTY + _day(ground) + FAULTS)


def unreachable(ground: Ground) -> None:
    ground.lose_database()


def _day(ground: Ground) -> str:
    names = enumerate(ground.entities(), start=1)
    return DAY.format(entities=", ".join(f"({place}, '{name}', {MOST.get(name, 10)})" for place, name in names))


FILL = {"healthy": healthy, "degraded": degraded, "unreachable": unreachable}

VERDICT = {"healthy": "En ordre", "degraded": "À surveiller", "unreachable": "En panne"}
"""The word that the page must say."""
