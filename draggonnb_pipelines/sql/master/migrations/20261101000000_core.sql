-- The agency's own database: who the organizations are, what they may use, and whom we may call for them.
--
-- No row level security here: this database is never exposed through Supabase or a browser. Only our processes
-- connect to it, with one login, and the tables hold every client's rows by design.

create schema if not exists app;
comment on schema app is 'Functions and triggers that the tables need; nothing that a client calls.';

create function app.touch_updated_at() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.updated_at := now();
    return new;
end
$$;
comment on function app.touch_updated_at() is 'Keeps updated_at true whoever writes.';

create function app.keep_updated_at(target regclass) returns void
language plpgsql set search_path = '' as $$
begin
    execute format(
        'create trigger touch_updated_at before update on %s for each row execute function app.touch_updated_at()',
        target
    );
end
$$;
comment on function app.keep_updated_at(regclass) is 'Called by migrations, once for each table with updated_at.';

create table plans (
    key text primary key check (key ~ '^[a-z][a-z0-9_]{1,39}$'),
    name text not null,
    position smallint not null unique,
    description text not null default '',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table plans is 'What a client can subscribe to. Prices have dates of their own: see plan_prices.';
select app.keep_updated_at('plans');

create table plan_prices (
    plan_key text not null references plans (key) on delete restrict,
    effective_from date not null,
    amount_cents bigint not null check (amount_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    created_at timestamptz not null default now(),
    primary key (plan_key, effective_from)
);
comment on table plan_prices is 'Monthly price of a plan from a day on, in cents, VAT included. The latest row not after a day is valid on it.';

create table plan_limits (
    plan_key text not null references plans (key) on delete restrict,
    metric text not null
        check (metric in ('posts_monthly', 'ai_generations', 'social_accounts', 'users', 'api_calls')),
    effective_from date not null,
    limit_value bigint check (limit_value >= 0),
    created_at timestamptz not null default now(),
    primary key (plan_key, metric, effective_from)
);
comment on table plan_limits is 'What a plan allows from a day on; null is unlimited. The latest row not after a day is valid on it.';

create table organizations (
    id uuid primary key default gen_random_uuid(),
    slug text not null unique check (slug ~ '^[a-z0-9](-?[a-z0-9])*$' and length(slug) between 2 and 40),
    name text not null check (length(name) between 1 and 200),
    status text not null default 'provisioning'
        check (status in ('provisioning', 'active', 'suspended', 'offboarding', 'closed')),
    plan_key text references plans (key) on delete restrict,
    timezone text not null default 'Africa/Johannesburg',
    locale text not null default 'en-ZA',
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    database_name text unique check (length(database_name) between 1 and 63),
    dsn_sealed bytea,
    data_key_wrapped bytea,
    webhook_token_sha256 bytea check (octet_length(webhook_token_sha256) = 32),
    webhook_secret_sealed bytea,
    -- A stable spread over runs and workers, from the slug alone, so that every process and version agrees on it.
    shard integer not null generated always as (('x' || substr(md5(slug), 1, 7))::bit(28)::integer) stored,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check (database_name is null or dsn_sealed is null)
);
comment on table organizations is 'Every client, and the agency itself (slug draggonnb). Never deleted: closed, with its key shredded.';
comment on column organizations.database_name is 'Database on the same server as this one; null when dsn_sealed names another.';
comment on column organizations.data_key_wrapped is 'The key of everything sealed for this client, wrapped by a master key. Null after erasure: unreadable for ever.';
create index organizations_status on organizations (status);
create index organizations_plan_key on organizations (plan_key);
select app.keep_updated_at('organizations');

create table vendor_credentials (
    id uuid primary key default gen_random_uuid(),
    vendor text not null check (vendor ~ '^[a-z0-9_]{2,40}$'),
    name text not null,
    secret_sealed bytea not null,
    expires_at timestamptz,
    rotated_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (vendor, name)
);
comment on table vendor_credentials is 'The agency''s own accounts at vendors, sealed. Clients'' accounts are in their own databases.';
create index vendor_credentials_expiry on vendor_credentials (expires_at) where expires_at is not null;
select app.keep_updated_at('vendor_credentials');

create table publisher_shards (
    shard smallint primary key check (shard >= 0),
    holder text,
    lease_until timestamptz,
    last_tick_at timestamptz,
    last_error text,
    updated_at timestamptz not null default now()
);
comment on table publisher_shards is 'Which run publishes for which part of the organizations, under a lease.';
select app.keep_updated_at('publisher_shards');

insert into plans (key, name, position, description) values
    ('starter', 'Starter', 1, 'One brand that begins to publish with a plan.'),
    ('growth', 'Growth', 2, 'A team that publishes every day on several networks.'),
    ('scale', 'Scale', 3, 'Several teams, high volume, every network.');

insert into plan_prices (plan_key, effective_from, amount_cents) values
    ('starter', '2026-01-01', 150000),
    ('growth', '2026-01-01', 350000),
    ('scale', '2026-01-01', 750000);

insert into plan_limits (plan_key, metric, effective_from, limit_value) values
    ('starter', 'posts_monthly', '2026-01-01', 30),
    ('starter', 'ai_generations', '2026-01-01', 100),
    ('starter', 'social_accounts', '2026-01-01', 3),
    ('starter', 'users', '2026-01-01', 3),
    ('starter', 'api_calls', '2026-01-01', 10000),
    ('growth', 'posts_monthly', '2026-01-01', 120),
    ('growth', 'ai_generations', '2026-01-01', 500),
    ('growth', 'social_accounts', '2026-01-01', 8),
    ('growth', 'users', '2026-01-01', 10),
    ('growth', 'api_calls', '2026-01-01', 50000),
    ('scale', 'posts_monthly', '2026-01-01', 600),
    ('scale', 'ai_generations', '2026-01-01', 2500),
    ('scale', 'social_accounts', '2026-01-01', 25),
    ('scale', 'users', '2026-01-01', 50),
    ('scale', 'api_calls', '2026-01-01', 250000);
