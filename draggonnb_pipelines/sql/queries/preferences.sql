-- What people want to hear no more: read and changed by the link at the foot of a mail.

-- name: subscription^
-- What the mail of this delivery was about, for a reader who is still there: event, is_marketing, is_ended.
select d.event, d.contact_id is not null and d.category = 'marketing' as is_marketing,
       case when d.category = 'marketing' then coalesce(not c.granted, true)
            else exists (select from notification_preferences p
                         where p.user_id = d.user_id and p.event = d.event and p.channel = 'email' and p.mode = 'off')
       end as is_ended
from notification_deliveries d
left join lateral (
    select granted from consents where contact_id = d.contact_id and purpose = 'marketing'
    order by recorded_at desc, granted limit 1
) c on true
where d.id = :delivery_id and d.channel = 'email'
  and case when d.category = 'marketing' then d.contact_id else d.user_id end is not null;

-- name: switch_off!
insert into notification_preferences (user_id, event, channel, mode)
select d.user_id, d.event, c.channel, 'off'
from notification_deliveries d, unnest(array['email', 'whatsapp']) as c (channel)
where d.id = :delivery_id and d.user_id is not null
on conflict (user_id, event, channel) do update set mode = excluded.mode where notification_preferences.mode <> 'off';

-- name: close_waiting!
-- What was planned for the reader before, and has not gone out.
update notification_deliveries w
set status = 'skipped', last_error = 'its reader wants no more of these'
from notification_deliveries d
where d.id = :delivery_id and w.user_id = d.user_id and w.event = d.event and w.channel in ('email', 'whatsapp')
  and w.status = 'pending' and w.digest_id is null;

-- name: withdraw_consent!
-- One row more, unless the newest one refuses already. The newest counts, so this takes a time of its own after it.
insert into consents (contact_id, purpose, granted, wording, source, recorded_at)
select d.contact_id, 'marketing', false, :wording, :source, greatest(now(), c.recorded_at + interval '1 microsecond')
from notification_deliveries d
left join lateral (
    select granted, recorded_at from consents where contact_id = d.contact_id and purpose = 'marketing'
    order by recorded_at desc, granted limit 1
) c on true
where d.id = :delivery_id and d.contact_id is not null and c.granted is distinct from false;
