-- The watch of every minute asks for runs that have not ended: a handful among all.
create index on sync_status (started_at) where status = 'running';
