-- Requests for content in a tenant's database, from acceptance to the stored post.

-- name: desk^
-- The organization's own rules, and the brand's; without a row of brand rules, the defaults.
select o.requires_approval, o.country, o.skips_public_holidays, o.media_bucket,
       coalesce(b.voice, 'plain and friendly') as voice, coalesce(b.audience, '') as audience,
       coalesce(b.banned_words, '{}') as banned_words, coalesce(b.banned_claims, '{}') as banned_claims,
       b.required_disclaimer, coalesce(b.hashtags, '{}') as hashtags, coalesce(b.language, o.locale) as language
from organizations o left join brand_rules b on b.organization_id = o.id;

-- name: accounts
select platform_id, coalesce(handle, display_name, external_id) as name, status, status_reason
from social_accounts order by platform_id, created_at;

-- name: templates
select id, name, prompt_template, platform_config from content_templates where not is_archived order by name;

-- name: slots
select weekday, at_local, platform_ids from posting_slots order by weekday, at_local;

-- name: known_requests
select id, status from content_requests where id = any(:ids);

-- name: store_request*!
insert into content_requests (id, source, delivery_id, received_at, brief, template_id, platform_ids, media, schedule,
                              requested_by, status, faults)
values (:id, :source, :delivery_id, :received_at, :brief, :template_id, :platform_ids, :media, :schedule,
        :requested_by, :status, :faults)
on conflict (id) do nothing;

-- name: refuse_request!
-- Only what is still open: a second run that comes late changes nothing.
update content_requests set status = 'refused', faults = :faults where id = :id and status = 'received';

-- name: park_request!
update content_requests set status = 'needs_review', review_reason = :reason
where id = :id and status in ('received', 'needs_review');

-- name: reopen_request!
-- A request that was left to a person and is replayed is tried again.
update content_requests set status = 'received', review_reason = null
where id = any(:ids) and status = 'needs_review';

-- name: request_rows
-- What the steps need of their requests, and the post where there is one.
select r.id, r.source, r.received_at, r.brief, r.platform_ids, r.media, r.schedule, r.requested_by, r.status, r.faults,
       r.review_reason, t.name as template, t.prompt_template, t.platform_config, r.template_id,
       p.id as post_id, p.status as post_status, p.title, p.scheduled_local, p.findings
from content_requests r
left join content_templates t on t.id = r.template_id
left join social_posts p on p.request_id = r.id
where r.id = any(:ids)
order by r.received_at, r.id;

-- name: recent_variants
-- What was said on these platforms lately, newest first.
select id, variants from social_posts
where created_at > :since and platform_ids && :platform_ids and status not in ('rejected', 'archived', 'failed')
  and id <> :post_id
order by created_at desc
limit 100;

-- name: lock_slots!
-- Whoever takes a slot of this client takes turns.
select pg_advisory_xact_lock(hashtext('posting_slots'));

-- name: taken_times
-- Times that posts on these platforms hold, whether they are approved yet or not.
select id, scheduled_for from social_posts
where scheduled_for > :since and platform_ids && :platform_ids and id <> :post_id
  and status not in ('rejected', 'archived', 'failed');

-- name: store_post!
insert into social_posts (id, title, content, variants, media, platform_ids, status, scheduled_for, scheduled_local,
                          time_zone, request_id, request_key, template_id, generation_id, findings)
values (:id, :title, :content, :variants, :media, :platform_ids, :status, :scheduled_for, :scheduled_local, :time_zone,
        :request_id, :request_key, :template_id, :generation_id, :findings)
on conflict (id) do nothing;

-- name: approve_stored!
-- Where the organization asks nobody: approved as it is stored, and never twice.
update social_posts set status = 'approved', approved_hash = content_hash, approved_at = :now
where id = :id and status = 'in_review' and review_requested_at is null;

-- name: close_request!
update content_requests set status = 'generated' where id = :id and status = 'received';

-- name: recurring_requests
-- Rules that are not paused, with what became of their last occurrence: its request, and its post.
select c.id, c.name, c.request, c.every, c.unit, c.weekdays, c.at_local, c.starts_on, c.until, c.last_occurrence,
       c.created_at, r.status as request_status, p.status as post_status,
       (select max(q.published_at) from content_queue q where q.post_id = p.id) as published_at
from recurring_requests c
left join content_requests r
    on r.source = 'recurring' and r.delivery_id = 'recurring:' || c.id || ':' || c.last_occurrence
left join social_posts p on p.request_id = r.id
where not c.is_paused
order by c.name;

-- name: note_occurrence!
update recurring_requests set last_occurrence = :day
where id = :id and (last_occurrence is null or last_occurrence < :day);

-- name: day_counts
-- What there is of each asset on the days on which requests came, whichever runs made it.
select r.received_on as day, count(*) as content_requests, count(p.id) as generated_posts,
       count(*) filter (where r.status = 'needs_review' or p.status = 'blocked') as needs_review,
       coalesce(sum((select count(*) from content_queue where post_id = p.id)), 0)::integer as content_queue
from content_requests r left join social_posts p on p.request_id = r.id
where r.received_on = any(:days)
group by r.received_on;

-- name: findings_of
-- What the checks before scheduling said about these requests' posts.
select p.id as post_id, f.rule, f.severity, f.platform, f.reason
from social_posts p, jsonb_to_recordset(p.findings) as f (rule text, severity text, platform text, reason text)
where p.request_id = any(:request_ids)
order by f.severity, f.rule;
