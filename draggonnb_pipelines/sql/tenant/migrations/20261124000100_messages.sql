-- Messages of every kind through one outbox: what each person wants to hear, when, and what nobody has answered.

alter table users
    add column quiet_from time,
    add column quiet_until time,
    add check ((quiet_from is null) = (quiet_until is null)),
    add check (quiet_from <> quiet_until),
    add check (quiet_from < '24:00' and quiet_until < '24:00');  -- which is no time of a day for anybody else
comment on column users.quiet_from is 'From this wall time on, in the organization''s zone, only what cannot wait is sent, until quiet_until.';
grant update (quiet_from, quiet_until) on users to authenticated;

create table notification_preferences (
    user_id uuid not null references users (id) on delete cascade,
    event text not null check (event = '*' or event ~ '^[a-z_]{2,60}$'),
    channel text not null check (channel in ('email', 'whatsapp', 'in_app')),
    mode text not null check (mode in ('now', 'digest', 'off')),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (user_id, event, channel),
    check (mode <> 'digest' or channel = 'email')
);
comment on table notification_preferences is 'Where a person wants it otherwise than usual; event * is every event without a row of its own.';
select app.keep_updated_at('notification_preferences');
select app.protect('notification_preferences', '{}');
grant select, insert (user_id, event, channel, mode), update (mode), delete on notification_preferences to authenticated;
create policy own on notification_preferences for all to authenticated
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));

alter table notification_deliveries
    add column event text check (event ~ '^[a-z_]{2,60}$'),
    add column category text not null default 'service' check (category in ('service', 'marketing')),
    add column contact_id uuid references contacts (id) on delete set null,
    add column consent_id uuid references consents (id) on delete set null,
    add column not_before timestamptz not null default '-infinity',
    add column tried_since timestamptz,
    add column digest_id uuid references notification_deliveries (id) on delete set null,
    add column fallback_for uuid references notification_deliveries (id) on delete cascade,
    drop constraint notification_deliveries_event_key_recipient_channel_key;
-- An address in capitals is the same address.
create unique index notification_deliveries_once on notification_deliveries (event_key, lower(recipient), channel);
comment on column notification_deliveries.consent_id is 'Of marketing: the record that allowed it, as it stood when it was sent.';
comment on column notification_deliveries.not_before is
    'Held until then: quiet hours, a server that asked to come again. Infinity: for the next digest of its reader.';
comment on column notification_deliveries.tried_since is 'The first try: from here on a server may put us off for so long.';
comment on column notification_deliveries.digest_id is 'The digest that it went out in.';
comment on column notification_deliveries.fallback_for is 'The message on another channel that did not arrive, in whose place this is.';
create index notification_deliveries_contact on notification_deliveries (contact_id);
create index notification_deliveries_consent on notification_deliveries (consent_id);
create index notification_deliveries_digest on notification_deliveries (digest_id);
create index notification_deliveries_undelivered on notification_deliveries (tried_since)
    where channel = 'whatsapp' and status = 'failed' and payload ? 'in_its_place';
create unique index notification_deliveries_one_fallback on notification_deliveries (fallback_for);
create index notification_deliveries_review on notification_deliveries (attempt_started_at) where status = 'needs_review';
create index notification_deliveries_message on notification_deliveries (message_id) where channel = 'email';

create function app.close_messages_of_reader() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    update public.notification_deliveries set status = 'skipped', last_error = 'its reader was removed'
    where status = 'pending' and (user_id = old.id or contact_id = old.id);
    return old;
end
$$;
comment on function app.close_messages_of_reader() is 'What waits for somebody who is removed is not sent: without them the row would look like one to a stranger.';
create trigger close_messages before delete on users for each row execute function app.close_messages_of_reader();
create trigger close_messages before delete on contacts for each row execute function app.close_messages_of_reader();

create table refused_addresses (
    address text primary key check (address = lower(address) and length(address) between 3 and 320),
    reason text not null,
    refused_at timestamptz not null default now()
);
comment on table refused_addresses is 'Mailboxes that do not exist any more; nothing is sent there until an operator removes the row.';
select app.protect('refused_addresses', '{owner,admin}');

create table alerts (
    id uuid primary key default gen_random_uuid(),
    event_key text not null unique check (length(event_key) between 1 and 300),
    event text not null check (event ~ '^[a-z_]{2,60}$'),
    subject text not null,
    lines jsonb not null default '[]' check (jsonb_typeof(lines) = 'array'),
    link text,
    account_id uuid references social_accounts (id) on delete set null,
    about text[] not null default '{}',
    level smallint not null default 0 check (level between 0 and 5),
    escalate_at timestamptz,
    acknowledged_by text,
    acknowledged_at timestamptz,
    created_at timestamptz not null default now(),
    check ((acknowledged_by is null) = (acknowledged_at is null))
);
comment on table alerts is 'What somebody must see to. What nobody acknowledges goes to the next person at escalate_at.';
comment on column alerts.about is 'Of posts of one account: what it tells of, each as app.publish_incident names it.';
create unique index alerts_gathering on alerts (event, account_id) where acknowledged_at is null and level = 0;
create index alerts_account on alerts (account_id);
create index alerts_open on alerts (escalate_at) where acknowledged_at is null and escalate_at is not null;
select app.protect('alerts', '{owner,admin,editor,approver,viewer}');

create function app.publish_incident(trouble content_queue) returns text
language sql stable set search_path = '' as $$
    select concat_ws(':', trouble.id, trouble.status, trouble.attempts,
                     md5(coalesce(case trouble.status when 'needs_review' then trouble.question
                                                      else trouble.last_error end, '')))
$$;
comment on function app.publish_incident(content_queue) is 'What a post needs a person for: the same row may ask again later, and something else.';
create index content_queue_refused on content_queue (updated_at) where status = 'refused';

create function acknowledge_alert(alert_id uuid) returns boolean
language plpgsql security definer set search_path = '' as $$
begin
    if app.user_id() is null then
        raise exception 'only people of the organization acknowledge alerts' using errcode = 'insufficient_privilege';
    end if;
    update public.alerts
    set acknowledged_by = (select email from public.users where id = app.user_id()), acknowledged_at = now()
    where id = alert_id and acknowledged_at is null;
    if not found then
        return false;
    end if;
    perform public.append_audit('user:' || app.user_id(), 'alert.acknowledged', 'alert:' || alert_id);
    return true;
end
$$;
comment on function acknowledge_alert(uuid) is 'Called by the dashboard: this is being seen to. False if somebody was quicker.';
grant execute on function acknowledge_alert(uuid) to authenticated;
