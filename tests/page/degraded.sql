-- After day.sql: the last run of the clients brought less than it should have, that of the timeline nothing at all, and
-- the actions have subjects that are hostile, or 300 characters long without a place to break.
update sync_status set status = 'partial', records_processed = records_processed + 40, records_failed = 2,
    records_staged = records_staged + 45, records_fetched = records_fetched + 46, records_quarantined = 1,
    error_summary = '{"fetch": "the answer ended before its last page"}'
    where run_id = 'page-clients-0';
update sync_status set status = 'failed', records_fetched = 0, records_staged = 0, records_processed = 0,
    error_summary = '{"fetch": "Gazelle answered 502 five times in a row: <html><body>Bad Gateway</body></html>"}'
    where run_id in ('page-timeline-0', 'page-timeline-9');
update sync_status set status = 'running', completed_at = null where run_id = 'page-pianos-0';
insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at) values
    ('page-timeline-live', 'timeline', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds'),
    ('page-clients-live', 'clients', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds'),
    ('page-pianos-live', 'pianos', 'incremental', 'success', now() - interval '150 seconds', now() - interval '140 seconds');
insert into stg_clients (raw_data, gazelle_id, content_hash, raw_bytes, run_id, source_key, first_fetched_at, processed, processed_at, outcome)
select '{}', 'page_' || n, decode(lpad(to_hex(n), 64, '0'), 'hex'), 2, 'page-clients-0', 'page', now() - interval '3 hours', n > 3,
    case when n > 3 then now() - interval '170 minutes' end, case when n > 3 then 'promoted' end
from generate_series(1, 100) as n;
insert into admin_actions (kind, entity, subject, details, created_at) values
    ('credentials', '', 'gazelle', '{"reason": "the token endpoint answered 401"}', now() - interval '9 days'),
    ('placeholder', 'users', 'usr_9f3c', '{}', now() - interval '6 days'),
    ('failed', 'timeline', '<script>alert(1)</script>', '{"reason": "<img src=x onerror=alert(2)>"}', now() - interval '4 days'),
    ('probable_duplicate', 'clients', repeat('Pianoforte', 30), jsonb_build_object('same_as', repeat('Pianoforte', 30)), now() - interval '3 days'),
    ('deletion_withheld', 'pianos', 'pianos', '{"confirm": "select gazelle.confirm_deletions(''pianos'', ''votre nom'')"}', now() - interval '2 days'),
    ('unmatched', 'users', 'Zoé "l''accordeuse" & fils', '{}', now() - interval '1 day'),
    ('a_kind_of_tomorrow', 'clients', 'cli_0001', '{}', now() - interval '1 hour');
insert into quarantine (source_key, kind, entity, reason) values
    ('page/1', 'object', 'timeline', 'not JSON'), ('page/2', 'message', null, 'not JSON');
