-- Who is to be measured next, what each client costs, and which WhatsApp templates may be used.

create table analytics_agenda (
    organization_id uuid primary key references organizations (id) on delete restrict,
    measure_at timestamptz not null default 'infinity',
    notes bigint not null default 0,
    failures integer not null default 0 check (failures >= 0),
    snapshot_day date,
    week_reported date,
    figures_failures integer not null default 0 check (figures_failures >= 0),
    figures_at timestamptz,
    updated_at timestamptz not null default now()
);
comment on table analytics_agenda is
    'When each client''s posts are measured next, so that nobody has to ask a thousand databases. A note too many costs '
    'one look; the daily run at 06:00 UTC looks into every client and finds what was never noted.';
comment on column analytics_agenda.notes is 'Grows with each note: a look that began before a note does not put it off.';
comment on column analytics_agenda.snapshot_day is 'The last day (UTC) whose collection and snapshot are complete.';
comment on column analytics_agenda.week_reported is 'Monday of the last week whose report was written and planned to be sent.';
comment on column analytics_agenda.figures_at is
    'A snapshot or a report failed, and is not tried again before; null: none has. Whoever runs one by hand need not wait.';
create index analytics_agenda_due on analytics_agenda (measure_at) where measure_at < 'infinity';
select app.keep_updated_at('analytics_agenda');

create function app.known_zone(zone text) returns text
language plpgsql stable set search_path = '' as $$
begin
    perform now() at time zone zone;
    return zone;
exception when invalid_parameter_value then
    return 'UTC';
end
$$;
comment on function app.known_zone(text) is
    'The zone, or UTC for a name that nobody knows: one client''s misspelt zone must not end a question about all of them.';

create function app.numbers_due(at timestamptz)
returns table (organization_id uuid, slug text, measure_at timestamptz, is_due boolean, lacks_snapshot boolean)
language sql stable set search_path = '' as $$
    select o.id, o.slug, a.measure_at, found.is_due, found.lacks_snapshot
    from public.organizations o
    left join public.analytics_agenda a on a.organization_id = o.id
    cross join lateral (select (at at time zone 'UTC')::date as day) d
    cross join lateral (
        select coalesce(a.measure_at <= at, false) as is_due,
               coalesce(a.snapshot_day, '-infinity') < d.day
               and (at at time zone 'UTC')::time >= time '06:00' and (at at time zone app.known_zone(o.timezone))::date >= d.day
               and o.created_at < (d.day + time '06:00') at time zone 'UTC'
               and (coalesce(a.failures, 0) = 0 or a.measure_at <= at)
               and coalesce(a.figures_at, '-infinity') <= at as lacks_snapshot
    ) found
    where o.status = 'active' and (found.is_due or found.lacks_snapshot)
$$;
comment on function app.numbers_due(timestamptz) is
    'Active clients with posts to be read, or with a day that is over and has no snapshot: a UTC day begins at 06:00 and '
    'ends with the client''s own midnight. Who had trouble waits for its time with both.';

create function app.weeks_due(at timestamptz) returns table (slug text, week_start date)
language sql stable set search_path = '' as $$
    select o.slug, w.week_start
    from public.analytics_agenda a join public.organizations o on o.id = a.organization_id
    cross join lateral (select app.known_zone(o.timezone) as name) z
    cross join lateral (select (date_trunc('week', at at time zone z.name) - interval '7 days')::date as week_start) w
    where o.status = 'active' and (a.week_reported is null or a.week_reported < w.week_start)
      and a.snapshot_day >= w.week_start + 7 and at >= (w.week_start + 7 + time '06:00') at time zone 'UTC'
      and coalesce(a.figures_at, '-infinity') <= at
      and o.created_at < (w.week_start + 7)::timestamp at time zone z.name
$$;
comment on function app.weeks_due(timestamptz) is
    'The last week that is over at that moment where the client is, of active clients whose Sunday has its snapshot and '
    'who have no report of it. Who came after that week has none; whose report failed waits for its time.';

create table client_weeks (
    organization_id uuid not null references organizations (id) on delete restrict,
    week_start date not null check (extract(isodow from week_start) = 1),
    posts integer not null default 0 check (posts >= 0),
    readings integer not null default 0 check (readings >= 0),
    engagements bigint,
    ai_cost_usd numeric(12, 6) not null default 0 check (ai_cost_usd >= 0),
    x_cost_usd numeric(12, 6) not null default 0 check (x_cost_usd >= 0),
    figures jsonb not null default '{}' check (jsonb_typeof(figures) = 'object'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (organization_id, week_start)
);
comment on table client_weeks is 'What a client did and cost in a week, copied from its database with its weekly report.';
select app.keep_updated_at('client_weeks');

create table vendor_plan_costs (
    vendor text not null check (vendor ~ '^[a-z0-9_]{2,40}$'),
    effective_from date not null,
    usd_per_client_month numeric(10, 4) not null check (usd_per_client_month >= 0),
    note text not null default '',
    created_at timestamptz not null default now(),
    primary key (vendor, effective_from)
);
comment on table vendor_plan_costs is 'What a client''s place at a vendor costs a month, from a day on. Estimates until an operator enters the invoices.';
insert into vendor_plan_costs (vendor, effective_from, usd_per_client_month, note) values
    ('supabase', '2026-01-01', 10.0000, 'one small project beyond the first'),
    ('vercel', '2026-01-01', 0.5000, 'share of one team seat'),
    ('n8n', '2026-01-01', 0.2000, 'share of one instance'),
    ('server', '2026-01-01', 0.1000, 'share of one small machine');

create table message_templates (
    name text not null check (length(name) between 1 and 512),
    language text not null check (length(language) between 2 and 20),
    status text not null,
    category text,
    rejected_reason text,
    parameters integer check (parameters >= 0),
    checked_at timestamptz not null,
    changed_at timestamptz not null,
    primary key (name, language)
);
comment on table message_templates is 'WhatsApp''s templates as they stood at the last look. What is not APPROVED is not sent; e-mail goes out in its place.';

create table agency_reports (
    week_start date not null check (extract(isodow from week_start) = 1),
    version integer not null default 1 check (version >= 1),
    content jsonb not null check (jsonb_typeof(content) = 'object'),
    html text not null,
    run_id text,
    created_at timestamptz not null default now(),
    primary key (week_start, version)
);
comment on table agency_reports is 'One report over all clients: activity, cost and margin of a week.';
