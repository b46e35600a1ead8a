-- Indicators in production: how long a record takes from Gazelle to its row, which runs succeed, and how long a fault
-- takes until its alert.

alter table sync_status
    -- Records of the run whose way to production was timed, and those of them that were there within an hour.
    add column records_timed int not null default 0,
    add column records_on_time int not null default 0,
    -- Promoted ones by seconds: element n counts those above 0.0625 * 2 ^ ((n - 2) / 4) and up to
    -- 0.0625 * 2 ^ ((n - 1) / 4), 96 elements at most. Null while none was timed.
    add column latency_histogram int[],
    add column latency_max_seconds double precision,
    -- When its pages were staged once more on request: what follows says nothing of latency.
    add column replayed_at timestamptz;

-- One row per local day and entity, written from the runs that began that day. Kept longer than the runs themselves.
create table performance_metrics (
    day date not null,
    entity text not null,
    -- Runs that have ended, each judged by its last status.
    runs int not null default 0,
    runs_successful int not null default 0,
    runs_partial int not null default 0,
    runs_failed int not null default 0,
    records_timed bigint not null default 0,
    records_on_time bigint not null default 0,
    latency_histogram bigint[],
    latency_max_seconds double precision,
    updated_at timestamptz not null default now(),
    primary key (entity, day)
);
create index on performance_metrics (day);
alter table performance_metrics enable row level security;

-- From a fault to its alert: one row per alert that a channel accepted.
create table alert_delays (
    class text not null,
    subject text not null,
    fault_at timestamptz not null,
    delivered_at timestamptz not null,
    primary key (class, subject, fault_at)
);
create index on alert_delays (delivered_at);
alter table alert_delays enable row level security;
