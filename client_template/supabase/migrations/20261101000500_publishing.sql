-- The publish ledger: no network takes an idempotency key, so this is what keeps a post from going out twice.

create table content_queue (
    id uuid primary key default gen_random_uuid(),
    post_id uuid not null references social_posts (id) on delete restrict,
    platform_id text not null references social_platforms (id) on delete restrict,
    account_id uuid not null references social_accounts (id) on delete restrict,
    revision integer not null check (revision >= 1),
    publish_at timestamptz not null,
    status text not null default 'scheduled' check (
        status in ('scheduled', 'claimed', 'calling', 'published', 'refused', 'unknown', 'needs_review', 'cancelled',
                   'dropped')
    ),
    step text not null default 'start' check (step in ('start', 'container', 'ready', 'done')),
    payload jsonb not null default '{}',
    payload_hash text,
    container_id text,
    platform_post_id text,
    platform_url text,
    run_id text,
    lease_until timestamptz,
    attempts integer not null default 0 check (attempts >= 0),
    attempt_started_at timestamptz,
    settle_after timestamptz,
    error_class text,
    last_error text,
    published_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (post_id, account_id, revision),
    check (status not in ('claimed', 'calling') or lease_until is not null),
    check (status <> 'calling' or (payload_hash is not null and attempt_started_at is not null)),
    check (status <> 'published' or (platform_post_id is not null and published_at is not null))
);
comment on table content_queue is
    'One row per post, account and revision: scheduled, claimed, calling, then published, refused or unknown. '
    'The intent is committed before the call; unknown is settled by reading the platform, never by resending.';
comment on column content_queue.step is 'Where a publication of several calls stands (Instagram: container, ready, done).';
create index content_queue_due on content_queue (publish_at) where status = 'scheduled';
create index content_queue_leases on content_queue (lease_until) where status in ('claimed', 'calling');
create index content_queue_unknown on content_queue (settle_after) where status = 'unknown';
create index content_queue_review on content_queue (publish_at) where status = 'needs_review';
create index content_queue_account on content_queue (account_id, publish_at);
create index content_queue_platform on content_queue (platform_id);
create index content_queue_published on content_queue (published_at) where status = 'published';
create unique index content_queue_platform_post on content_queue (account_id, platform_post_id)
    where platform_post_id is not null;
select app.keep_updated_at('content_queue');

create table publish_attempts (
    id uuid primary key default gen_random_uuid(),
    queue_id uuid not null references content_queue (id) on delete cascade,
    attempt integer not null check (attempt >= 1),
    step text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome text not null check (
        outcome in ('published', 'progressed', 'retry', 'throttled', 'ambiguous', 'duplicate', 'auth', 'permission',
                    'blocked', 'input', 'config', 'adopted', 'not_found')
    ),
    http_status integer,
    error_code text,
    message text,
    vendor_request_id text,
    latency_ms integer check (latency_ms >= 0),
    created_at timestamptz not null default now()
);
comment on table publish_attempts is 'The publish log: every call and every look at the platform, added to and never changed. Holds no bodies.';
create index publish_attempts_queue on publish_attempts (queue_id, attempt);
create index publish_attempts_started_at on publish_attempts (started_at);
