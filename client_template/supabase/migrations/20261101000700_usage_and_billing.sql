-- What the client uses and pays. The money itself is in the master database; these are the client's own copies.

create table usage_counters (
    metric text not null
        check (metric in ('posts_monthly', 'ai_generations', 'social_accounts', 'users', 'api_calls', 'ai_spend_microusd')),
    period_start date not null,
    period_end date not null,
    used bigint not null default 0 check (used >= 0),
    reserved bigint not null default 0 check (reserved >= 0),
    limit_value bigint check (limit_value >= 0),
    alerted_percent smallint not null default 0 check (alerted_percent in (0, 80, 100)),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (metric, period_start),
    check (period_end > period_start)
);
comment on table usage_counters is
    'Use against the limit (null: unlimited). One conditional update reserves; it may stand above the limit only '
    'after a change to a smaller plan.';
comment on column usage_counters.alerted_percent is 'The last threshold that was told, so that each is told once.';
select app.keep_updated_at('usage_counters');

create table usage_reservations (
    id uuid primary key default gen_random_uuid(),
    metric text not null,
    period_start date not null,
    amount bigint not null check (amount > 0),
    key text not null unique check (length(key) between 1 and 300),
    state text not null default 'held' check (state in ('held', 'committed', 'released')),
    expires_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (metric, period_start) references usage_counters (metric, period_start) on delete restrict
);
comment on table usage_reservations is 'What work in progress holds of a limit. Expired ones are released: their worker died.';
create index usage_reservations_counter on usage_reservations (metric, period_start);
create index usage_reservations_held on usage_reservations (expires_at) where state = 'held';
select app.keep_updated_at('usage_reservations');

create table client_usage_metrics (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    metric_name text not null check (length(metric_name) between 1 and 60),
    value bigint not null check (value >= 0),
    date date not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (organization_id, metric_name, date)
);
comment on table client_usage_metrics is 'Use per day, for the charts of the dashboard.';
create index client_usage_metrics_date on client_usage_metrics (date);
select app.keep_updated_at('client_usage_metrics');

create table subscription_history (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    subscription_id uuid not null,
    plan text not null,
    status text not null
        check (status in ('pending', 'active', 'past_due', 'paused', 'cancelled', 'expired')),
    amount_cents bigint not null check (amount_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    billing_date date,
    event_key text not null unique,
    created_at timestamptz not null default now()
);
comment on table subscription_history is 'Every change of the subscription, added to and never changed.';
comment on column subscription_history.subscription_id is 'Row of subscriptions in the master database.';
create index subscription_history_organization on subscription_history (organization_id, created_at desc);
create index subscription_history_subscription on subscription_history (subscription_id);

create table invoices (
    id uuid primary key,
    organization_id uuid not null default app.organization_id() references organizations (id) on delete restrict,
    subscription_id uuid not null,
    number text not null unique,
    period_start date not null,
    period_end date not null,
    net_cents bigint not null check (net_cents >= 0),
    vat_cents bigint not null check (vat_cents >= 0),
    amount_cents bigint not null check (amount_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    status text not null check (status in ('issued', 'paid', 'void')),
    issued_at timestamptz not null,
    paid_at timestamptz,
    payfast_payment_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (subscription_id, period_start),
    check (period_end > period_start),
    check (net_cents + vat_cents = amount_cents),
    check (status <> 'paid' or paid_at is not null)
);
comment on table invoices is 'The client''s copy of its invoices; ids as in the master database.';
create index invoices_organization on invoices (organization_id, period_start desc);
select app.keep_updated_at('invoices');
