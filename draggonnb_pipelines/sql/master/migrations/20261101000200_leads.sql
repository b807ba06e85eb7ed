-- What the lead workflow keeps outside the clients' databases.

create table proposal_links (
    token_sha256 bytea primary key check (octet_length(token_sha256) = 32),
    organization_id uuid not null references organizations (id) on delete restrict,
    proposal_id uuid not null,
    lead_id uuid not null,
    version integer not null check (version >= 1),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    viewed_at timestamptz,
    accepted_at timestamptz,
    accepted_by_name text,
    accepted_by_email text,
    unique (organization_id, proposal_id),
    check (accepted_at is null or (accepted_by_name is not null and accepted_by_email is not null))
);
comment on table proposal_links is 'Public proposal pages, found by the hash of their token; the token itself is derived, never stored.';
create index proposal_links_lead on proposal_links (organization_id, lead_id);

create table asset_ledger (
    organization_id uuid not null references organizations (id) on delete restrict,
    asset text not null,
    day date not null,
    rows integer not null default 0 check (rows >= 0),
    needs_review integer not null default 0 check (needs_review >= 0),
    code_version text,
    run_id text,
    materialized_at timestamptz not null default now(),
    primary key (organization_id, asset, day)
);
comment on table asset_ledger is 'What was materialized, per organization and day: the full truth, outliving the orchestrator''s pruned events.';
create index asset_ledger_asset_day on asset_ledger (asset, day);

create table message_batches (
    id uuid primary key default gen_random_uuid(),
    purpose text not null,
    vendor_batch_id text unique,
    state text not null default 'intent' check (state in ('intent', 'submitted', 'ended', 'stored', 'failed')),
    requests jsonb not null check (jsonb_typeof(requests) = 'object'),
    created_at timestamptz not null default now(),
    submitted_at timestamptz,
    ended_at timestamptz,
    last_error text,
    check (state in ('intent', 'failed') or vendor_batch_id is not null)
);
comment on table message_batches is 'Bulk requests to Claude: the intent is committed before the submission, so that a crash can be reconciled.';
create index message_batches_open on message_batches (created_at) where state in ('intent', 'submitted', 'ended');

create table reprocessings (
    id uuid primary key default gen_random_uuid(),
    organizations text[] not null,
    from_day date not null,
    to_day date not null,
    state text not null default 'open' check (state in ('open', 'done', 'failed')),
    requested_by text not null,
    run_id text,
    next_attempt_at timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    last_error text,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check (from_day <= to_day),
    check (state = 'open' or finished_at is not null)
);
comment on table reprocessings is 'Requests to run the analyses of past days again, through message batches.';
create index reprocessings_open on reprocessings (next_attempt_at) where state = 'open';
