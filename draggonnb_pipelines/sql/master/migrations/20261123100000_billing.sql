-- From the accepted proposal to the paid subscription, its later life, and the books that tie it to PayFast's.

alter table plans add column trial_days smallint not null default 0 check (trial_days between 0 and 90);
alter table plans add column is_offered boolean not null default true;
comment on column plans.trial_days is 'Days before the first charge; PayFast then takes a first amount of R0.00.';
comment on column plans.is_offered is 'Whether new clients may choose it; those that have it keep it.';

create table checkouts (
    id uuid primary key default gen_random_uuid(),
    token_sha256 bytea not null unique check (octet_length(token_sha256) = 32),
    m_payment_id text not null unique check (m_payment_id ~ '^[!-~]{1,100}$'),
    seller_id uuid not null references organizations (id) on delete restrict,
    proposal_id uuid,
    lead_id uuid,
    plan_key text not null references plans (key) on delete restrict,
    amount_cents bigint not null check (amount_cents >= 0),
    recurring_cents bigint not null check (recurring_cents > 0),
    trial_days smallint not null default 0 check (trial_days between 0 and 90),
    currency text not null default 'ZAR' check (currency = 'ZAR'),
    company text not null check (length(company) between 1 and 200),
    contact_name text not null check (length(contact_name) between 1 and 200),
    contact_email text not null check (length(contact_email) between 3 and 320),
    contact_phone text,
    timezone text not null default 'Africa/Johannesburg',
    approved_at timestamptz not null,
    state text not null default 'open' check (state in ('open', 'paid', 'superseded', 'expired')),
    subscription_id uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    expires_at timestamptz not null,
    paid_at timestamptz,
    check (state <> 'paid' or (subscription_id is not null and paid_at is not null))
);
comment on table checkouts is
    'What a client was asked to pay, at the price that it saw. The organization and its subscription begin with the '
    'first believed payment, so that an abandoned checkout leaves nothing but this row.';
create unique index checkouts_one_open on checkouts (seller_id, proposal_id, plan_key) where state = 'open';
create unique index checkouts_one_paid on checkouts (seller_id, proposal_id)
    where state = 'paid' and proposal_id is not null;
create index checkouts_seller on checkouts (seller_id, proposal_id);
create index checkouts_plan_key on checkouts (plan_key);
create index checkouts_subscription on checkouts (subscription_id);
select app.keep_updated_at('checkouts');

-- Provisioning has a table of its own.
drop index subscriptions_to_provision;
alter table subscriptions drop constraint subscriptions_check1;
alter table subscriptions
    drop column provisioning,
    drop column provisioning_run_id,
    drop column provisioning_lease_until,
    drop column provisioning_attempts,
    drop constraint subscriptions_status_check,
    add constraint subscriptions_status_check check (
        status in ('pending', 'trial', 'active', 'past_due', 'suspended', 'paused', 'cancelled', 'expired')
    ),
    add column checkout_id uuid unique references checkouts (id) on delete restrict,
    add column started_on date,
    add column trial_ends_on date,
    add column paid_until date,
    add column paused_until date,
    add column suspended_at timestamptz,
    add column payfast_status text,
    add column payfast_run_date date,
    add column payfast_fetched_at timestamptz,
    add column next_plan_key text references plans (key) on delete restrict,
    add column next_amount_cents bigint check (next_amount_cents > 0),
    add column next_from date,
    add column version integer not null default 1;
comment on column subscriptions.paid_until is 'First day that is not paid for: the next charge is due then.';
comment on column subscriptions.next_plan_key is 'A change of plan that begins with the next period.';
comment on column subscriptions.version is 'Counts changes: who read an older one does not write.';
alter table checkouts add foreign key (subscription_id) references subscriptions (id) on delete restrict;
drop index subscriptions_one_live;
create unique index subscriptions_one_live on subscriptions (organization_id)
    where status in ('trial', 'active', 'past_due', 'suspended', 'paused');
create index subscriptions_next_plan_key on subscriptions (next_plan_key);

create table subscription_events (
    id bigint generated always as identity primary key,
    subscription_id uuid not null references subscriptions (id) on delete restrict,
    event_key text not null unique check (length(event_key) between 1 and 300),
    kind text not null check (kind ~ '^[a-z_]{2,40}$'),
    status text not null,
    plan_key text not null,
    amount_cents bigint not null,
    actor text not null,
    details jsonb not null default '{}' check (jsonb_typeof(details) = 'object'),
    at timestamptz not null default now(),
    copied_at timestamptz
);
comment on table subscription_events is 'Every change of a subscription, once by its key; copied into the client''s own history.';
create index subscription_events_subscription on subscription_events (subscription_id, id);
create index subscription_events_to_copy on subscription_events (id) where copied_at is null;

create table subscription_orders (
    id uuid primary key default gen_random_uuid(),
    subscription_id uuid not null references subscriptions (id) on delete restrict,
    key text not null unique check (length(key) between 1 and 300),
    verb text not null check (verb in ('pause', 'unpause', 'cancel', 'change_plan', 'charge')),
    arguments jsonb not null default '{}' check (jsonb_typeof(arguments) = 'object'),
    m_payment_id text unique check (m_payment_id ~ '^[!-~]{1,100}$'),
    amount_cents bigint check (amount_cents > 0),
    state text not null default 'waiting'
        check (state in ('waiting', 'calling', 'done', 'refused', 'unknown', 'needs_review')),
    requested_by text not null,
    run_id text,
    attempts integer not null default 0 check (attempts >= 0),
    attempt_started_at timestamptz,
    not_before timestamptz not null default now(),
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    check ((verb = 'charge') = (amount_cents is not null and m_payment_id is not null)),
    check (state not in ('done', 'refused') or finished_at is not null)
);
comment on table subscription_orders is 'What PayFast is to be told about a subscription: written before the call, settled by asking.';
create unique index subscription_orders_one_open on subscription_orders (subscription_id)
    where state in ('waiting', 'calling', 'unknown');
create index subscription_orders_open on subscription_orders (not_before) where state in ('waiting', 'calling', 'unknown');
create index subscription_orders_subscription on subscription_orders (subscription_id, created_at);
select app.keep_updated_at('subscription_orders');

alter table payments
    add column kind text not null default 'period' check (kind in ('period', 'charge', 'cancellation', 'other')),
    add column found_in_history boolean not null default false,
    add column attempts integer not null default 0 check (attempts >= 0),
    add column not_before timestamptz not null default now(),
    add column told_at timestamptz,
    add column settled_as text check (settled_as in ('refunded', 'applied-by-hand')),
    add column settled_by text,
    add column settled_note text check (length(settled_note) between 1 and 1000),
    add column settled_at timestamptz,
    drop constraint payments_state_check,
    add constraint payments_state_check
        check (state in ('received', 'verified', 'applied', 'rejected', 'needs_review', 'settled')),
    add constraint payments_settled
        check ((state = 'settled') = (num_nulls(settled_as, settled_by, settled_note, settled_at) = 0));
comment on column payments.settled_as is 'What a person did about a payment for which there was no place.';
comment on column payments.found_in_history is 'No notice came: the daily comparison found it in PayFast''s history.';
create index payments_to_check on payments (not_before) where state in ('received', 'verified');
-- Money counts once, whether its notice or PayFast's history told of it first.
create unique index payments_one_effect on payments (pf_payment_id)
    where state = 'applied' and payment_status = 'COMPLETE';
create index payments_to_tell on payments (received_at)
    where state in ('rejected', 'needs_review') and told_at is null;

create table payfast_transactions (
    pf_payment_id text not null,
    kind text not null,
    m_payment_id text,
    day date not null,
    gross_cents bigint not null,
    fee_cents bigint not null,
    net_cents bigint not null,
    first_seen_at timestamptz not null default now(),
    primary key (pf_payment_id, kind, day)
);
comment on table payfast_transactions is 'PayFast''s own history as last read: the other side of the books.';
create index payfast_transactions_day on payfast_transactions (day);
create index payfast_transactions_m_payment_id on payfast_transactions (m_payment_id);

create table payfast_history_days (
    day date primary key,
    read_at timestamptz not null
);
comment on table payfast_history_days is
    'Days of South Africa of which PayFast''s history was read, and when last: what was not read looks not like nothing.';

create table book_findings (
    key text primary key check (length(key) between 1 and 300),
    organization_id uuid references organizations (id) on delete restrict,
    kind text not null check (kind ~ '^[a-z_]{2,60}$'),
    day date not null,
    difference_cents bigint not null,
    what text not null,
    found_at timestamptz not null default now(),
    settled_at timestamptz
);
comment on table book_findings is 'Where notices, invoices and PayFast''s history do not agree to the cent; settled when they do.';
create index book_findings_organization on book_findings (organization_id);
create index book_findings_open on book_findings (day) where settled_at is null;

alter table invoices drop constraint invoices_subscription_id_period_start_key;
alter table invoices
    add column kind text not null default 'period' check (kind in ('period', 'charge')),
    add column order_id uuid unique references subscription_orders (id) on delete restrict,
    add column seller jsonb not null default '{}' check (jsonb_typeof(seller) = 'object'),
    add column buyer jsonb not null default '{}' check (jsonb_typeof(buyer) = 'object'),
    add column lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
    add column token_sha256 bytea unique check (octet_length(token_sha256) = 32),
    add column mailed_at timestamptz,
    add column copied_at timestamptz;
create index invoices_subscription on invoices (subscription_id);
create unique index invoices_one_per_period on invoices (subscription_id, period_start) where kind = 'period';
create index invoices_to_send on invoices (issued_at) where mailed_at is null or copied_at is null;

create table invoice_documents (
    invoice_id uuid primary key references invoices (id) on delete restrict,
    pdf bytea not null,
    pdf_sha256 bytea not null check (octet_length(pdf_sha256) = 32),
    created_at timestamptz not null default now()
);
comment on table invoice_documents is 'An invoice as it was sent: what is issued never looks different later.';

create table api_calls (
    organization_id uuid not null references organizations (id) on delete restrict,
    day date not null,
    calls bigint not null default 0 check (calls >= 0),
    primary key (organization_id, day)
);
comment on table api_calls is 'Calls of our API per organization and day of its own zone, added up by the API''s processes every few seconds.';
