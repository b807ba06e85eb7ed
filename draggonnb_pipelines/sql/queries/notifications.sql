-- The outbox of a tenant: one row per event, recipient and channel, and what became of it. Where :lead_ids is null the
-- notices are meant, which are about no lead.

-- name: plan_deliveries
-- Rows that are there already stay as they are; returns the news of those that are new.
insert into notification_deliveries (topic, event_key, event, category, recipient, channel, user_id, contact_id, lead_id,
                                     post_id, payload, message_id, not_before, created_at)
select coalesce(d.topic, 'leads'), d.event_key, d.event, coalesce(d.category, 'service'), d.recipient, d.channel,
       d.user_id, d.contact_id, d.lead_id, d.post_id, d.payload, d.message_id, coalesce(d.not_before, '-infinity'),
       :now
from jsonb_to_recordset(:deliveries) as d (topic text, event_key text, event text, category text, recipient text,
                                           channel text, user_id uuid, contact_id uuid, lead_id uuid, post_id uuid,
                                           payload jsonb, message_id text, not_before timestamptz)
on conflict do nothing
returning id, event_key;

-- name: show_in_app!
-- In-app messages reach their reader by being stored.
with shown as (
    insert into notifications (user_id, type, message, metadata, event_key)
    select user_id, coalesce(payload ->> 'type', split_part(event_key, ':', 1)), payload ->> 'message',
           payload - '{message,type}'::text[], event_key
    from notification_deliveries
    where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
      and channel = 'in_app' and status = 'pending'
    on conflict (user_id, event_key) do nothing
)
update notification_deliveries
set status = 'delivered', sent_at = :now
where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
  and channel = 'in_app' and status = 'pending';

-- name: reap_lost!
-- Sends that were cut off: whether they went out is not known.
update notification_deliveries
set status = 'unknown', settle_after = attempt_started_at + make_interval(secs => :settle_seconds), lease_until = null,
    last_error = 'the run was cut off while sending'
where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
  and status = 'sending' and lease_until < :now;

-- name: resend_unknown_mails!
-- A repeated mail carries the same Message-ID, by which mailboxes show it once.
update notification_deliveries set status = 'pending'
where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
  and channel = 'email' and status = 'unknown';

-- name: settle_unknown_messages!
-- A WhatsApp message whose status webhook did not come within the settle time. Where the channel has brought other
-- webhooks since, it was never accepted and may go out; where it shows no life, a person decides.
update notification_deliveries
set status = case when settle_after < :channel_alive_at then 'pending' else 'needs_review' end,
    last_error = case when settle_after < :channel_alive_at then last_error
                      else 'no status webhook came; look into WhatsApp Manager before sending again' end
where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
  and channel = 'whatsapp' and status = 'unknown'
  and (settle_after < :channel_alive_at or settle_after + make_interval(secs => :patience_seconds) < :now);

-- name: take_deliveries
-- The intent, committed before anything is sent: status sending, with a lease. What must not be sent ends here, by what
-- is on record at this moment: a mailbox that does not exist, a reader who has left or wants no more of it, marketing
-- that its reader did not agree to. What goes to people goes to the address that they have now.
with waiting as (
    select id from notification_deliveries
    where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
      and channel = any(:channels) and status = 'pending' and not_before <= :now
      and id <> all(cast(:passed_over as uuid[]))
    order by created_at, id
    limit :row_limit
    for update skip locked
), judged as (
    select d.id, case when c.granted then c.id end as consent_id, a.address, u.quiet_from, u.quiet_until,
           'nothing is sent to this address: ' || r.reason as refused,
           case when not u.is_active then 'its reader is not active here any more'
                when a.address is null then 'its reader has no phone number any more'
                when p.mode = 'off' and d.event <> all(:needed_events) then 'its reader wants no more of these'
                when exists (
                    select from notification_deliveries o
                    where o.event_key = d.event_key and o.channel = d.channel and o.id <> d.id
                      and (lower(o.recipient) = lower(a.address)
                           or o.user_id = d.user_id
                              and (o.status in ('sending', 'sent', 'delivered', 'unknown')
                                   or lower(d.recipient) <> lower(a.address) and o.id < d.id))
                ) then 'its reader has it under another address'
                when d.category = 'marketing' and c.id is null then 'no consent to marketing is on record'
                when d.category = 'marketing' and not c.granted
                    then to_char(c.recorded_at at time zone 'UTC', '"consent to marketing was refused on "YYYY-MM-DD')
           end as unwanted
    from waiting
    join notification_deliveries d using (id)
    left join users u on u.id = d.user_id
    cross join lateral (
        select case when u.id is null then d.recipient when d.channel = 'email' then u.email else u.phone_e164 end
    ) a (address)
    left join refused_addresses r on d.channel = 'email' and r.address = lower(a.address)
    left join lateral (
        -- A mail in the place of a WhatsApp message is wanted as that was.
        select mode from notification_preferences
        where user_id = d.user_id and event in (d.event, '*')
          and channel = case when d.fallback_for is null then d.channel else 'whatsapp' end
        order by event = '*' limit 1
    ) p on true
    left join lateral (
        select id, granted, recorded_at from consents where contact_id = d.contact_id and purpose = 'marketing'
        order by recorded_at desc, granted limit 1
    ) c on d.category = 'marketing'
), decided as (
    select *, case when unwanted is not null then 'skipped' when refused is not null then 'failed'
                   else 'sending' end as status
    from judged
)
update notification_deliveries d
set status = j.status, consent_id = j.consent_id, last_error = coalesce(j.unwanted, j.refused, d.last_error),
    recipient = case when j.status = 'sending' then j.address else d.recipient end,
    attempts = attempts + cast(j.status = 'sending' as integer), attempt_started_at = :now,
    tried_since = coalesce(d.tried_since, :now),
    lease_until = case when j.status = 'sending'
                       then cast(:now as timestamptz) + make_interval(secs => :lease_seconds) end
from decided j
where d.id = j.id
returning d.id, d.status, d.event_key, d.event, d.recipient, d.channel, d.lead_id, d.user_id, d.contact_id, d.payload,
          d.message_id, d.attempts, d.tried_since, j.quiet_from, j.quiet_until;

-- name: record_sends!
-- What the vendor answered, for many at once; only a row that is still ours to settle changes.
update notification_deliveries d
set status = s.status, vendor_message_id = coalesce(s.vendor_message_id, d.vendor_message_id), last_error = s.error,
    sent_at = case when s.status = 'sent' then cast(:now as timestamptz) else d.sent_at end, lease_until = null,
    not_before = coalesce(s.not_before, d.not_before),
    settle_after = case when s.status = 'unknown'
                        then cast(:now as timestamptz) + make_interval(secs => :settle_seconds) end
from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:vendor_ids as text[]), cast(:errors as text[]),
            cast(:not_before as timestamptz[])) as s (id, status, vendor_message_id, error, not_before)
where d.id = s.id and d.status in ('sending', 'unknown');

-- name: unusable_templates
-- Of master: templates that WhatsApp does not take at the moment, as far as anybody has looked.
select name, status from message_templates
where name = any(:names) and language = :language and status <> 'APPROVED';

-- name: mail_files
-- Charts and documents that a mail carries.
select id, name, content_type, content from report_files where id = any(cast(:ids as uuid[]));

-- name: plan_stand_ins!
-- A mail in the place of each WhatsApp message that did not arrive, where no mail was planned beside it.
insert into notification_deliveries (topic, event_key, event, category, recipient, channel, user_id, lead_id, post_id,
                                     payload, message_id, fallback_for, created_at)
select d.topic, d.event_key, d.event, d.category, m.recipient, 'email', d.user_id, d.lead_id, d.post_id, m.payload,
       m.message_id, d.id, :now
from notification_deliveries d,
     jsonb_to_record(d.payload -> 'in_its_place') as m (recipient text, payload jsonb, message_id text)
where d.channel = 'whatsapp' and d.status = 'failed' and d.payload ? 'in_its_place' and d.tried_since > :since
on conflict do nothing;

-- name: refuse_addresses!
insert into refused_addresses (address, reason, refused_at)
select distinct on (address) address, reason, cast(:now as timestamptz)
from unnest(cast(:addresses as text[]), cast(:reasons as text[])) as r (address, reason)
on conflict (address) do nothing;

-- name: untold_refusals
-- Mailboxes that do not exist and that nobody was told of: address, reason, refused_on.
select r.address, r.reason, to_char(r.refused_at at time zone 'UTC', 'YYYY-MM-DD') as refused_on
from refused_addresses r
where r.refused_at > :since and not exists (
    select from notification_deliveries d
    where d.event_key = concat_ws(
        ':', 'address_refused', r.address, to_char(r.refused_at at time zone 'UTC', 'YYYY-MM-DD')
    )
)
order by r.refused_at, r.address;

-- name: held_for_digest
-- Mails that wait for their readers' digest since before the morning, locked until they are in one; and their readers
-- as they are now.
select d.id, d.event, d.user_id, u.email, d.payload ->> 'subject' as subject, d.payload ->> 'link' as link,
       u.quiet_from, u.quiet_until, p.preferences
from notification_deliveries d
join users u on u.id = d.user_id
cross join lateral (
    select coalesce(jsonb_object_agg(event || ':' || channel, mode), '{}') as preferences
    from notification_preferences where user_id = u.id
) p
where d.channel = 'email' and d.status = 'pending' and d.not_before = 'infinity' and d.digest_id is null
  and d.created_at < :morning
order by d.user_id, d.created_at, d.id
for update of d skip locked;

-- name: skip_deliveries!
update notification_deliveries set status = 'skipped', last_error = :reason
where id = any(cast(:ids as uuid[])) and status = 'pending';

-- name: put_in_digest!
update notification_deliveries set digest_id = :digest_id where id = any(cast(:ids as uuid[]));

-- name: close_digested!
-- What went out in a digest shares its fate.
update notification_deliveries m
set status = d.status, sent_at = d.sent_at, last_error = d.last_error
from notification_deliveries d
where d.id = any(cast(:digest_ids as uuid[])) and m.digest_id = d.id and m.status = 'pending'
  and d.status in ('sent', 'delivered', 'failed', 'needs_review', 'skipped');

-- name: bounced^
-- A mail came back: found by its Message-ID. Returns recipient and whether this is news.
with found as (
    select id, recipient, status from notification_deliveries where message_id = :message_id and channel = 'email'
), closed as (
    update notification_deliveries d set status = 'failed', last_error = :error, lease_until = null
    from found f where d.id = f.id and d.status in ('sending', 'sent', 'delivered', 'unknown', 'pending')
    returning d.id
)
select recipient, exists (select from closed) as is_news from found limit 1;

-- name: apply_message_status*!
-- A status webhook, found by our own id: proof that the message exists, whatever we knew of it. They come in any order:
-- what has arrived neither fails nor is under way any more, and what has failed is not under way again.
update notification_deliveries
set status = case when :status in ('delivered', 'read') or status = 'delivered' then 'delivered'
                  when :status = 'failed' or status = 'failed' then 'failed' else 'sent' end,
    vendor_message_id = coalesce(vendor_message_id, :vendor_message_id),
    sent_at = coalesce(sent_at, :now), lease_until = null,
    last_error = case when :status in ('delivered', 'read') or status = 'delivered' then null
                      when :status = 'failed' then :error when status = 'failed' then last_error end
where id = :id and channel = 'whatsapp';

-- name: unsent
-- What waits for a person since this moment, without its readers: channel, event, reason, messages.
select channel, event, last_error as reason, count(*) as messages from notification_deliveries
where status = 'needs_review' and attempt_started_at > :since
group by 1, 2, 3;

-- name: open_deliveries
-- What is not settled yet, by lead: its leads' inbox rows wait for it.
select lead_id, count(*) as waiting, min(settle_after) as settle_after, max(last_error) as reason
from notification_deliveries
where lead_id = any(:lead_ids) and status in ('pending', 'sending', 'unknown')
group by lead_id;

-- name: delivery_summary
select lead_id, channel, status from notification_deliveries where lead_id = any(cast(:lead_ids as uuid[])) order by lead_id, channel;

-- name: unknown_messages_since$
-- The earliest settle time of WhatsApp messages whose fate is unknown and due to be settled; null if there is none.
select min(settle_after) from notification_deliveries
where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
  and channel = 'whatsapp' and status = 'unknown' and settle_after < :now;
