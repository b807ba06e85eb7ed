-- What somebody must see to, in the database of the organization whom it concerns, and how far up the ladder it went.

-- name: put_alert!
-- Once per event key, however often it is raised.
insert into alerts (event_key, event, subject, lines, link, escalate_at, created_at)
values (:event_key, :event, :subject, :lines, :link, :escalate_at, :now)
on conflict (event_key) do nothing;

-- name: alert_of_key^
select id, event_key, event, subject, lines, link, level, escalate_at, acknowledged_by, acknowledged_at, created_at
from alerts where event_key = :event_key;

-- name: one_alert^
select id, event_key, event, subject, lines, link, level, escalate_at, acknowledged_by, acknowledged_at, created_at
from alerts where id = :id;

-- name: due_alerts
-- Nobody has acknowledged them for long enough; the longest due first.
select id, event_key, event, subject, lines, link, level, escalate_at, acknowledged_by, acknowledged_at, created_at
from alerts
where acknowledged_at is null and escalate_at <= :now
order by escalate_at, id
limit :row_limit;

-- name: open_alerts
-- Without `escalate_at` there is nobody further up.
select id, event, subject, level, escalate_at, created_at
from alerts
where acknowledged_at is null
order by created_at, id
limit :row_limit;

-- name: told
-- Who has been told of an alert in this outbox, on whichever step.
select distinct lower(recipient) as email from notification_deliveries
where channel = 'email' and event_key = any(:event_keys);

-- name: move_up!
update alerts set level = :level, escalate_at = :escalate_at
where id = :id and level = :level_before and acknowledged_at is null;

-- name: acknowledge$
-- The first one counts.
update alerts set acknowledged_by = :by, acknowledged_at = :now
where id = :id and acknowledged_at is null
returning id;

-- name: audit_acknowledged!
select append_audit(:actor, 'alert.acknowledged', :resource, '{}');

-- name: reader_is_active$
select exists (select from users where lower(email) = lower(:email) and is_active);

-- name: settle_account_alerts!
-- An account that came back, or stands still for another reason, needs nobody for what was raised before.
update alerts a set acknowledged_by = :by, acknowledged_at = :now
where a.event = 'account_trouble' and a.acknowledged_at is null
  and not exists (
      select from social_accounts s
      where starts_with(a.event_key, 'account:' || s.id || ':' || s.status || ':' || s.credentials_version)
  );

-- name: settle_publish_alerts!
-- A question that was answered, or a refused post that was taken up again.
update alerts a set acknowledged_by = :by, acknowledged_at = :now
where a.event in ('publish_failed', 'publish_needs_review') and a.acknowledged_at is null
  and not exists (
      select from content_queue q
      where starts_with(a.event_key, 'publish:' || q.id || ':' || q.status || ':' || q.attempts || ':')
  );

-- name: settle_others!
-- Those of an event that are raised no longer.
update alerts set acknowledged_by = :by, acknowledged_at = :now
where event = :event and acknowledged_at is null and event_key <> all(:open_keys);

-- name: publish_troubles
-- Posts and parts of them that wait for a person, and those that a network refused lately.
select q.id, q.post_id, q.platform_id, q.status, q.publish_at, q.question, q.last_error, q.attempts,
       coalesce(nullif(p.title, ''), left(p.content, 60)) as title,
       coalesce(a.handle, a.display_name, a.external_id) as account
from content_queue q
join social_posts p on p.id = q.post_id
join social_accounts a on a.id = q.account_id
where q.status = 'needs_review' or (q.status = 'refused' and q.updated_at > :since)
order by q.publish_at, q.id;

-- name: stuck_clients
-- Master: who waits for more than an hour to be set up, or needs a person. `since` tells one trouble from the next.
select o.slug, o.name, p.state, p.last_step, p.last_error, p.created_at as since
from provisionings p join organizations o on o.id = p.organization_id
where (p.state = 'failed'
       or (p.state in ('waiting', 'running', 'aborting') and p.created_at < cast(:now as timestamptz) - interval '1 hour'))
  and not exists (select from offboardings f
                  where f.organization_id = p.organization_id and (f.state <> 'withdrawn' or f.finished_at is null))
order by p.created_at;

-- name: failed_payments
-- Master: clients whose card could not be charged.
select o.slug, o.name, s.id, s.plan_key, s.amount_cents, s.paid_until, s.grace_until
from subscriptions s join organizations o on o.id = s.organization_id
where s.status = 'past_due'
order by o.slug;
