-- What the platforms report, and what we made of it.

create table platform_metrics (
    id uuid primary key default gen_random_uuid(),
    platform_id text not null references social_platforms (id) on delete restrict,
    account_id uuid not null references social_accounts (id) on delete cascade,
    post_id uuid references social_posts (id) on delete set null,
    queue_id uuid references content_queue (id) on delete set null,
    collected_at timestamptz not null default now(),
    api_version text,
    engagement_data jsonb not null check (jsonb_typeof(engagement_data) = 'object'),
    unique nulls not distinct (account_id, queue_id, collected_at)
);
comment on table platform_metrics is
    'Append-only readings, of a post or (without post) of the whole account. A restatement is a new row. '
    'A metric that the platform did not give is absent from engagement_data: missing is not zero.';
create index platform_metrics_post on platform_metrics (post_id, collected_at);
create index platform_metrics_queue on platform_metrics (queue_id, collected_at);
create index platform_metrics_platform on platform_metrics (platform_id);
create index platform_metrics_collected_at on platform_metrics (collected_at);

create function app.refuse_update() returns trigger
language plpgsql set search_path = '' as $$
begin
    -- What a deleted post leaves behind loses its reference, and that only.
    if to_jsonb(old) - array['post_id', 'queue_id'] = to_jsonb(new) - array['post_id', 'queue_id']
       and (new.post_id is null or new.post_id = old.post_id)
       and (new.queue_id is null or new.queue_id = old.queue_id) then
        return new;
    end if;
    raise exception '% is append-only: a restatement is a new row', tg_table_name
        using errcode = 'insufficient_privilege';
end
$$;
comment on function app.refuse_update() is 'Keeps readings as they were. Deletion stays possible: retention and erasure need it.';
create trigger append_only before update on platform_metrics for each row execute function app.refuse_update();

create table analytics_snapshots (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    period text not null check (period in ('day', 'week', 'month')),
    period_start date not null,
    period_end date not null,
    version integer not null default 1 check (version >= 1),
    metrics jsonb not null check (jsonb_typeof(metrics) = 'object'),
    restates uuid references analytics_snapshots (id) on delete set null,
    created_at timestamptz not null default now(),
    unique (organization_id, period, period_start, version),
    check (period_end > period_start)
);
comment on table analytics_snapshots is 'Figures of a period as they were known then; a later version names the one that it restates.';
create index analytics_snapshots_period on analytics_snapshots (period, period_start desc, version desc);
create index analytics_snapshots_restates on analytics_snapshots (restates);
