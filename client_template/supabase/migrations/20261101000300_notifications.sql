-- Who was told what, and whether it arrived.

create table notification_deliveries (
    id uuid primary key default gen_random_uuid(),
    event_key text not null check (length(event_key) between 1 and 300),
    recipient text not null check (length(recipient) between 1 and 320),
    channel text not null check (channel in ('email', 'whatsapp', 'in_app')),
    user_id uuid references users (id) on delete set null,
    lead_id uuid references leads (id) on delete set null,
    payload jsonb not null default '{}' check (jsonb_typeof(payload) = 'object'),
    status text not null default 'pending' check (
        status in ('pending', 'sending', 'sent', 'delivered', 'unknown', 'failed', 'needs_review', 'skipped')
    ),
    attempts integer not null default 0 check (attempts >= 0),
    message_id text,
    vendor_message_id text,
    lease_until timestamptz,
    attempt_started_at timestamptz,
    settle_after timestamptz,
    last_error text,
    sent_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (event_key, recipient, channel),
    check (status <> 'sending' or (lease_until is not null and attempt_started_at is not null))
);
comment on table notification_deliveries is 'One row per event, recipient and channel. Sending is committed before the call; an unknown outcome is a state, never a resend.';
create index notification_deliveries_pending on notification_deliveries (created_at) where status = 'pending';
create index notification_deliveries_leases on notification_deliveries (lease_until) where status = 'sending';
create index notification_deliveries_unknown on notification_deliveries (settle_after) where status = 'unknown';
create index notification_deliveries_vendor_message on notification_deliveries (vendor_message_id)
    where vendor_message_id is not null;
create index notification_deliveries_user on notification_deliveries (user_id);
create index notification_deliveries_lead on notification_deliveries (lead_id);
select app.keep_updated_at('notification_deliveries');

create table notifications (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references users (id) on delete cascade,
    type text not null check (type ~ '^[a-z_]{2,60}$'),
    message text not null,
    metadata jsonb not null default '{}',
    event_key text not null,
    read_at timestamptz,
    created_at timestamptz not null default now(),
    unique (user_id, event_key)
);
comment on table notifications is 'What a person sees in the dashboard''s bell.';
create index notifications_unread on notifications (user_id, created_at desc) where read_at is null;
