-- The stack ledger: what was set up for whom at which vendor.

create table stack_resources (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete restrict,
    step text not null check (
        step in (
            'supabase_project', 'tenant_schema', 'api_keys', 'github_repo', 'environment', 'vercel_deployment',
            'n8n_webhooks', 'onboarding_email', 'training_materials', 'kickoff_call'
        )
    ),
    name text not null check (length(name) between 1 and 200),
    vendor text not null check (vendor ~ '^[a-z0-9_]{2,40}$'),
    vendor_id text,
    mark text not null,
    state text not null default 'intent'
        check (state in ('intent', 'calling', 'ready', 'unknown', 'failed', 'needs_review', 'removing', 'removed')),
    payload_hash text,
    details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
    secrets_sealed bytea,
    run_id text,
    attempts integer not null default 0 check (attempts >= 0),
    attempt_started_at timestamptz,
    lease_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    ready_at timestamptz,
    removed_at timestamptz,
    unique (organization_id, step, name),
    check (state <> 'ready' or ready_at is not null),
    check (state <> 'removed' or removed_at is not null)
);
comment on table stack_resources is 'Intent before each vendor call, result after it. Suspend, resume, offboard and the orphan check read it.';
comment on column stack_resources.mark is 'What the resource carries at the vendor to be known as ours: only that is ever adopted.';
create unique index stack_resources_vendor_id on stack_resources (vendor, step, vendor_id)
    where vendor_id is not null and state <> 'removed';
create index stack_resources_open on stack_resources (lease_until)
    where state in ('intent', 'calling', 'unknown', 'removing');
select app.keep_updated_at('stack_resources');
