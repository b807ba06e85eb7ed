-- When each post is measured next, what each figure rests on, and the weekly reports.

alter table content_queue
    add column measure_at timestamptz,
    add column measuring_run text,
    add column measure_problem text;
comment on column content_queue.measure_at is 'When the platform is asked for this post''s numbers next; null: it is not public, or 90 days old.';
comment on column content_queue.measuring_run is 'The run that has this post in hand, until measure_at at most; null: none.';
comment on column content_queue.measure_problem is 'Why the last try gave nothing, and what comes next; null: it gave numbers.';
create index content_queue_measure on content_queue (measure_at) where measure_at is not null;

create function app.first_measure_at(published_at timestamptz) returns timestamptz
language sql immutable set search_path = '' as $$
    select least(published_at + interval '1 hour',
                 (date_trunc('day', published_at at time zone 'UTC' - interval '6 hours') + interval '30 hours')
                     at time zone 'UTC')
$$;
comment on function app.first_measure_at(timestamptz) is
    'An hour after it became public, or at 06:00 UTC if that comes before: whatever is public by then belongs to the day.';

create function app.plan_measuring() returns trigger
language plpgsql set search_path = '' as $$
begin
    if tg_op = 'UPDATE' and new.status = old.status then
        return new;
    end if;
    -- Of a post that only a person saw (seen:) the platform's id is not known, so nothing can be asked about it.
    new.measure_at := case when new.status = 'published' and new.part_kind = 'post'
                            and new.platform_post_id not like 'seen:%'
                           then app.first_measure_at(new.published_at) end;
    new.measuring_run := null;
    new.measure_problem := null;
    return new;
end
$$;
comment on function app.plan_measuring() is 'A post is measured from the day on which it became public, and no longer once it was taken back.';
create trigger plan_measuring before insert or update of status on content_queue
    for each row execute function app.plan_measuring();
update content_queue set measure_at = app.first_measure_at(published_at)
where status = 'published' and part_kind = 'post' and published_at > now() - interval '90 days'
  and platform_post_id not like 'seen:%';

-- Of deleted posts nothing is left but null: those that were read at the same moment would be one and the same reading.
alter table platform_metrics
    drop constraint platform_metrics_account_id_queue_id_collected_at_key,
    add constraint platform_metrics_once unique (account_id, queue_id, collected_at),
    add column missing jsonb not null default '{}' check (jsonb_typeof(missing) = 'object'),
    add column is_gone boolean not null default false,
    add column run_id text;
comment on column platform_metrics.missing is 'Metrics that were asked for and not given, each with the reason.';
comment on column platform_metrics.is_gone is 'The platform says that the post is no longer there; it is not asked for again.';

alter table analytics_snapshots
    add column changes jsonb not null default '{}' check (jsonb_typeof(changes) = 'object'),
    add column run_id text;
comment on column analytics_snapshots.changes is 'Of a restatement: each figure that differs from the version before, as [before, after].';

create table weekly_reports (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    week_start date not null check (extract(isodow from week_start) = 1),
    version integer not null default 1 check (version >= 1),
    snapshot_id uuid not null references analytics_snapshots (id) on delete restrict,
    content jsonb not null check (jsonb_typeof(content) = 'object'),
    html text not null,
    run_id text,
    created_at timestamptz not null default now(),
    unique (organization_id, week_start, version)
);
comment on table weekly_reports is
    'What people were told about a week. A later version restates it; only the first is sent by itself.';
create index weekly_reports_snapshot on weekly_reports (snapshot_id);
select app.protect('weekly_reports', '{owner,admin,editor,approver,viewer}');

create table report_files (
    id uuid primary key default gen_random_uuid(),
    report_id uuid not null references weekly_reports (id) on delete cascade,
    name text not null check (name ~ '^[a-z0-9][a-z0-9._-]{0,80}$'),
    content_type text not null check (content_type in ('image/png', 'application/pdf')),
    content bytea not null check (octet_length(content) <= 5000000),
    created_at timestamptz not null default now(),
    unique (report_id, name)
);
comment on table report_files is 'Charts and the PDF of a report, for its mail and its page.';
select app.protect('report_files', '{owner,admin,editor,approver,viewer}');
