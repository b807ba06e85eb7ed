-- What somebody must see to, in the database of the organization whom it concerns, and how far up the ladder it went.

-- name: put_alert!
-- Once per event key, however often it is raised; of posts of one account, one gathers at a time.
insert into alerts (event_key, event, subject, lines, link, account_id, about, escalate_at, created_at)
values (:event_key, :event, :subject, :lines, :link, :account_id, cast(:about as text[]), :escalate_at, :now)
on conflict do nothing;

-- name: gathering_alerts
-- Those about an account that nobody has acknowledged and that have not gone up: what comes now joins them.
select event_key, event, account_id, about from alerts
where acknowledged_at is null and level = 0 and account_id is not null;

-- name: gather!
update alerts set about = cast(:about as text[]), subject = :subject, lines = :lines
where event_key = :event_key and acknowledged_at is null and level = 0 and about <> cast(:about as text[]);

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
-- All, or those of one event. Without `escalate_at` there is nobody further up.
select id, event, subject, level, escalate_at, created_at
from alerts
where acknowledged_at is null and (cast(:event as text) is null or event = cast(:event as text))
order by created_at, id
limit :row_limit;

-- name: last_alert_of^
-- The newest alert whose key begins with this.
select event_key, acknowledged_by, acknowledged_at, created_at from alerts
where starts_with(event_key, :prefix) order by created_at desc, event_key desc limit 1;

-- name: standing_alerts
-- Of these events, those that nobody has acknowledged since before a moment.
select id, event_key, event, subject, lines, link, level, escalate_at, created_at from alerts
where event = any(cast(:events as text[])) and acknowledged_at is null and created_at <= :before
order by created_at, id;

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

-- name: reader_of_phone$
-- The active person with this number who may do more than look.
select email from users where phone_e164 = :phone and is_active and role <> 'viewer' order by email limit 1;

-- name: alerts_of_code
-- Open ones whose id begins with this.
select id, event, subject, acknowledged_at from alerts
where acknowledged_at is null and starts_with(id::text, :code) limit 2;

-- name: settle_account_alerts!
-- An account that came back, or stands still for another reason, needs nobody for what was raised before.
update alerts a set acknowledged_by = :by, acknowledged_at = :now
where a.event = 'account_trouble' and a.acknowledged_at is null
  and not exists (
      select from social_accounts s
      where starts_with(a.event_key, 'account:' || s.id || ':' || s.status || ':' || s.credentials_version)
  );

-- name: settle_publish_alerts!
-- Every question was answered, every refused post taken up again.
update alerts a set acknowledged_by = :by, acknowledged_at = :now
where a.event in ('publish_failed', 'publish_needs_review') and a.acknowledged_at is null
  and not exists (
      select from content_queue q
      where q.account_id = a.account_id and q.status in ('needs_review', 'refused')
        and app.publish_incident(q) = any(a.about)
  );

-- name: settle_others!
-- Those of an event that are raised no longer.
update alerts set acknowledged_by = :by, acknowledged_at = :now
where event = :event and acknowledged_at is null and event_key <> all(:open_keys);

-- name: publish_troubles
-- Posts and parts of them that wait for a person, and those that a network refused lately, with the event that they
-- are: those of one account and event together, `is_raised` where an alert tells of them already.
select q.account_id, i.event, i.incident, q.post_id, q.platform_id, q.publish_at,
       case q.status when 'needs_review' then q.question else q.last_error end as why,
       coalesce(nullif(p.title, ''), left(p.content, 60)) as title,
       coalesce(a.handle, a.display_name, a.external_id) as account,
       exists (select from alerts r
               where r.account_id = q.account_id and r.event = i.event and i.incident = any(r.about)) as is_raised
from content_queue q
cross join lateral (
    select case q.status when 'needs_review' then 'publish_needs_review' else 'publish_failed' end,
           app.publish_incident(q)
) i (event, incident)
join social_posts p on p.id = q.post_id
join social_accounts a on a.id = q.account_id
where q.status = 'needs_review' or (q.status = 'refused' and q.updated_at > :since)
order by q.account_id, i.event, q.publish_at, q.id;

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
