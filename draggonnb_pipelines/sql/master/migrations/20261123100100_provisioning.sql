-- Who is being set up, in which state, by which run; calls for the kickoff; exports at the end.

create table provisionings (
    organization_id uuid primary key references organizations (id) on delete restrict,
    subscription_id uuid unique references subscriptions (id) on delete restrict,
    state text not null default 'waiting'
        check (state in ('waiting', 'running', 'done', 'failed', 'aborting', 'aborted')),
    owner_name text not null default '',
    owner_email text not null,
    owner_phone text,
    run_id text,
    not_before timestamptz not null default now(),
    attempts integer not null default 0 check (attempts >= 0),
    last_step text,
    last_error text,
    requested_by text not null,
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (state <> 'running' or run_id is not null),
    check (state not in ('done', 'aborted') or finished_at is not null)
);
comment on table provisionings is
    'One for each organization, and one for each subscription: a paid one waits here until a run has set it up.';
comment on column provisionings.attempts is 'Failures in a row without a step that was finished.';
create index provisionings_open on provisionings (not_before) where state in ('waiting', 'running', 'aborting');
select app.keep_updated_at('provisionings');

alter table stack_resources
    add column url text,
    add column monthly_cents integer not null default 0 check (monthly_cents >= 0);
comment on column stack_resources.monthly_cents is 'What it costs us a month, in cents of a US dollar.';
create index stack_resources_organization on stack_resources (organization_id, created_at);

create table kickoff_calls (
    organization_id uuid primary key references organizations (id) on delete restrict,
    starts_at timestamptz not null unique,
    ends_at timestamptz not null,
    uid text not null unique,
    created_at timestamptz not null default now(),
    check (ends_at > starts_at)
);
comment on table kickoff_calls is 'The agency''s half hours that are given away: unique, so that no two clients get the same one.';

create table offboardings (
    organization_id uuid primary key references organizations (id) on delete restrict,
    state text not null default 'exporting'
        check (state in ('exporting', 'grace', 'erasing', 'erased', 'withdrawn')),
    requested_by text not null,
    reason text not null default '',
    status_before text not null default 'active',
    export_path text,
    export_sha256 bytea check (octet_length(export_sha256) = 32),
    erase_after timestamptz,
    certificate jsonb check (jsonb_typeof(certificate) = 'object'),
    last_error text,
    run_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    check (state not in ('grace', 'erasing') or erase_after is not null),
    check (state <> 'erased' or (certificate is not null and finished_at is not null))
);
comment on table offboardings is 'How a client leaves: export, days of grace, erasure at every vendor, certificate.';
comment on column offboardings.status_before is 'What the organization is again if it stays after all.';
select app.keep_updated_at('offboardings');
