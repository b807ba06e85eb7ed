-- Subscriptions, what PayFast told us about payments, and the invoices that follow.

create table subscriptions (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete restrict,
    plan_key text not null references plans (key) on delete restrict,
    status text not null default 'pending'
        check (status in ('pending', 'active', 'past_due', 'paused', 'cancelled', 'expired')),
    m_payment_id text not null unique check (length(m_payment_id) between 1 and 100),
    amount_cents bigint not null check (amount_cents >= 0),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    payfast_token_sha256 bytea unique check (octet_length(payfast_token_sha256) = 32),
    payfast_token_sealed bytea,
    approved_at timestamptz,
    paid_at timestamptz,
    next_billing_on date,
    grace_until timestamptz,
    cancelled_at timestamptz,
    provisioning text not null default 'none'
        check (provisioning in ('none', 'waiting', 'claimed', 'done', 'failed')),
    provisioning_run_id text,
    provisioning_lease_until timestamptz,
    provisioning_attempts integer not null default 0 check (provisioning_attempts >= 0),
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    check ((payfast_token_sha256 is null) = (payfast_token_sealed is null)),
    check (provisioning = 'none' or (paid_at is not null and approved_at is not null))
);
comment on table subscriptions is 'One agreement of one organization. Paid and approved, it waits for provisioning, once.';
create unique index subscriptions_one_live on subscriptions (organization_id)
    where status in ('active', 'past_due', 'paused');
create index subscriptions_organization on subscriptions (organization_id, created_at);
create index subscriptions_plan_key on subscriptions (plan_key);
create index subscriptions_to_provision on subscriptions (created_at) where provisioning in ('waiting', 'claimed');
create index subscriptions_billing on subscriptions (next_billing_on) where status in ('active', 'past_due');
select app.keep_updated_at('subscriptions');

create table payments (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid references organizations (id) on delete restrict,
    subscription_id uuid references subscriptions (id) on delete restrict,
    received_at timestamptz not null default now(),
    raw_sealed bytea not null,
    raw_sha256 bytea not null check (octet_length(raw_sha256) = 32),
    source_ip inet,
    deliveries integer not null default 1 check (deliveries >= 1),
    state text not null default 'received'
        check (state in ('received', 'verified', 'applied', 'rejected', 'needs_review')),
    checks jsonb not null default '{}' check (jsonb_typeof(checks) = 'object'),
    pf_payment_id text,
    m_payment_id text,
    payment_status text,
    token_sha256 bytea,
    billing_date date,
    amount_gross_cents bigint,
    amount_fee_cents bigint,
    amount_net_cents bigint,
    reason text,
    applied_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique nulls not distinct (raw_sha256, source_ip),
    check (state <> 'applied' or applied_at is not null)
);
comment on table payments is 'Every ITN as it came, stored before any check. A repeat counts up deliveries.';
comment on column payments.checks is 'The verdicts: signature, source, amount, postback.';
-- Only verified rows are unique: otherwise a forged notice, stored first, would keep the true one out.
create unique index payments_once on payments (pf_payment_id, payment_status, token_sha256, billing_date)
    nulls not distinct where state in ('verified', 'applied');
create index payments_open on payments (received_at) where state in ('received', 'verified', 'needs_review');
create index payments_organization on payments (organization_id, received_at);
create index payments_subscription on payments (subscription_id, received_at);
create index payments_m_payment_id on payments (m_payment_id);
select app.keep_updated_at('payments');

create table invoice_series (
    series text primary key,
    last_number bigint not null default 0 check (last_number >= 0)
);
comment on table invoice_series is 'The last number given, per series. A row, not a sequence: tax invoices may have no gaps.';
insert into invoice_series (series) values ('DRG');

create table invoices (
    id uuid primary key default gen_random_uuid(),
    organization_id uuid not null references organizations (id) on delete restrict,
    subscription_id uuid not null references subscriptions (id) on delete restrict,
    payment_id uuid unique references payments (id) on delete restrict,
    series text not null default 'DRG' references invoice_series (series) on delete restrict,
    number bigint not null check (number > 0),
    period_start date not null,
    period_end date not null,
    net_cents bigint not null check (net_cents >= 0),
    vat_cents bigint not null check (vat_cents >= 0),
    amount_cents bigint not null check (amount_cents >= 0),
    vat_basis_points integer not null default 1500 check (vat_basis_points between 0 and 10000),
    currency text not null default 'ZAR' check (currency ~ '^[A-Z]{3}$'),
    status text not null default 'issued' check (status in ('issued', 'paid', 'void')),
    issued_at timestamptz not null default now(),
    due_on date,
    paid_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (subscription_id, period_start),
    unique (series, number),
    check (period_end > period_start),
    check (net_cents + vat_cents = amount_cents),
    check (status <> 'paid' or paid_at is not null)
);
comment on table invoices is 'One invoice per subscription and period, VAT shown, numbered without gaps.';
create index invoices_organization on invoices (organization_id, period_start);
create index invoices_unpaid on invoices (due_on) where status = 'issued';
select app.keep_updated_at('invoices');
