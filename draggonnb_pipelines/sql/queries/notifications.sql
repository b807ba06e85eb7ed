-- The outbox of a tenant: one row per event, recipient and channel, and what became of it. Where :lead_ids is null the
-- notices are meant, which are about no lead.

-- name: plan_deliveries
-- Rows that are there already stay as they are; returns the news of those that are new.
insert into notification_deliveries (topic, event_key, recipient, channel, user_id, lead_id, post_id, payload, message_id)
select coalesce(d.topic, 'leads'), d.event_key, d.recipient, d.channel, d.user_id, d.lead_id, d.post_id, d.payload,
       d.message_id
from jsonb_to_recordset(:deliveries) as d (topic text, event_key text, recipient text, channel text, user_id uuid,
                                           lead_id uuid, post_id uuid, payload jsonb, message_id text)
on conflict (event_key, recipient, channel) do nothing
returning event_key;

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
where lead_id = any(:lead_ids) and channel = 'whatsapp' and status = 'unknown'
  and (settle_after < :channel_alive_at or settle_after + make_interval(secs => :patience_seconds) < :now);

-- name: take_deliveries
-- The intent, committed before anything is sent: status sending, with a lease.
update notification_deliveries
set status = 'sending', attempts = attempts + 1, attempt_started_at = :now,
    lease_until = :now + make_interval(secs => :lease_seconds)
where id in (
    select id from notification_deliveries
    where (lead_id = any(cast(:lead_ids as uuid[])) or (topic = 'notices' and cast(:lead_ids as uuid[]) is null))
      and channel in ('email', 'whatsapp') and status = 'pending'
    order by created_at, id
    limit :row_limit
    for update skip locked
)
returning id, event_key, recipient, channel, lead_id, payload, message_id, attempts, created_at;

-- name: record_sends!
-- What the vendor answered, for many at once; only a row that is still ours to settle changes.
update notification_deliveries d
set status = s.status, vendor_message_id = coalesce(s.vendor_message_id, d.vendor_message_id), last_error = s.error,
    sent_at = case when s.status = 'sent' then cast(:now as timestamptz) else d.sent_at end, lease_until = null,
    settle_after = case when s.status = 'unknown'
                        then cast(:now as timestamptz) + make_interval(secs => :settle_seconds) end
from unnest(cast(:ids as uuid[]), cast(:statuses as text[]), cast(:vendor_ids as text[]), cast(:errors as text[]))
    as s (id, status, vendor_message_id, error)
where d.id = s.id and d.status in ('sending', 'unknown');

-- name: apply_message_status*!
-- A status webhook, found by our own id: proof that the message exists, whatever we knew of it.
update notification_deliveries
set status = case when :status in ('delivered', 'read') then 'delivered' when :status = 'failed' then 'failed'
                  when status = 'delivered' then status else 'sent' end,
    vendor_message_id = coalesce(vendor_message_id, :vendor_message_id),
    sent_at = coalesce(sent_at, :now), lease_until = null,
    last_error = case when :status = 'failed' then :error else null end
where id = :id and channel = 'whatsapp';

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
where lead_id = any(:lead_ids) and channel = 'whatsapp' and status = 'unknown' and settle_after < :now;
