-- The inbox: what webhooks brought, until a run has worked it off.

create table inbox (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete restrict,
    topic text not null check (topic ~ '^[a-z][a-z_]{1,39}$'),
    source text not null check (length(source) between 1 and 100),
    delivery_id text not null check (length(delivery_id) between 1 and 300),
    received_at timestamptz not null default now(),
    content_type text not null default 'application/json',
    raw_sealed bytea,
    parsed_sealed bytea,
    state text not null default 'received' check (state in ('received', 'claimed', 'done', 'dead')),
    stage smallint not null default 0 check (stage >= 0),
    batch_id uuid,
    run_id text,
    lease_until timestamptz,
    attempts integer not null default 0 check (attempts >= 0),
    not_before timestamptz not null default now(),
    last_error text,
    lead_id uuid,
    finished_at timestamptz,
    unique (organization_id, topic, source, delivery_id),
    check (state <> 'claimed' or (batch_id is not null and lease_until is not null)),
    check (state not in ('done', 'dead') or finished_at is not null)
)
with (
    -- Every row is rewritten some ten times within a minute and then never again. Room in its page keeps the lease
    -- and stage updates heap-only; early vacuum keeps the partial indexes as small as the work that is open.
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02,
    autovacuum_analyze_threshold = 500
);
comment on table inbox is 'Webhook deliveries. The state of a row is the only memory of what is still to be done.';
comment on column inbox.raw_sealed is 'The body as it came, sealed with the client''s key; null once its retention is over.';
comment on column inbox.stage is 'How far its workflow came. Leads: 0 received, 1 captured, 2 researched, 3 competitors, 4 analysed, 5 proposed, 6 notified.';
comment on column inbox.attempts is 'Claims without progress: a finished stage sets it back to 0.';

-- Sealed bytes do not compress: skip the attempt.
alter table inbox alter column raw_sealed set storage external;
alter table inbox alter column parsed_sealed set storage external;

-- No index holds lease_until, stage, attempts, run_id or lead_id: updates of these alone stay heap-only.
create index inbox_waiting on inbox (topic, not_before) where state = 'received';
create index inbox_claimed on inbox (topic) where state = 'claimed';
create index inbox_open on inbox (received_at) where state in ('received', 'claimed');
create index inbox_dead on inbox (organization_id, received_at) where state = 'dead';
create index inbox_batch on inbox (batch_id) where batch_id is not null;
create index inbox_received_at on inbox (received_at);
