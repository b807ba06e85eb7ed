-- Approval: posts in review and what was decided about them in the tenant's database, the links in master.

-- name: waiting_reviews
-- Posts whose reviewers have not been asked about their present content.
select id from social_posts where status = 'in_review' and review_requested_at is null order by created_at, id;

-- name: posts_in_review
-- `decisions` tells the rounds of one content apart: sent back and submitted again unchanged, it is asked about again.
select p.id, p.title, p.content, p.content_hash, p.revision, p.platform_ids, p.scheduled_local,
       (select count(*) from review_decisions d where d.post_id = p.id and d.content_hash = p.content_hash) as decisions
from social_posts p
where p.id = any(:ids) and p.status = 'in_review'
order by p.created_at, p.id;

-- name: overdue_reviews
-- Posts in review for longer than the organization's hours, with what is due.
select p.id, o.reminder_hours, o.escalation_hours,
       p.reminded_at is null and p.review_requested_at + make_interval(hours => o.reminder_hours) <= :now
           as is_reminder_due,
       p.escalated_at is null and p.review_requested_at + make_interval(hours => o.escalation_hours) <= :now
           as is_escalation_due
from social_posts p cross join organizations o
where p.status = 'in_review'
  and p.review_requested_at <= cast(:now as timestamptz) - make_interval(hours => least(o.reminder_hours, o.escalation_hours))
  and (p.reminded_at is null or p.escalated_at is null);

-- name: note_requested!
update social_posts p set review_requested_at = :now
from unnest(cast(:ids as uuid[]), cast(:hashes as text[])) as r (id, hash)
where p.id = r.id and p.content_hash = r.hash and p.status = 'in_review' and p.review_requested_at is null;

-- name: note_reminded!
update social_posts set reminded_at = :now where id = any(:ids) and status = 'in_review';

-- name: note_escalated!
update social_posts set escalated_at = :now where id = any(:ids) and status = 'in_review';

-- name: untold_decisions
-- What was sent back or rejected, by link or in the app, and has not been told to those who wrote it.
select d.id, d.post_id, d.decision, d.comment, d.reviewer, p.title, p.content, r.requested_by, u.email as created_by
from review_decisions d
join social_posts p on p.id = d.post_id
left join content_requests r on r.id = p.request_id
left join users u on u.id = p.created_by and u.is_active
where d.decision <> 'approved' and d.decided_at > :since
  and not exists (
      select from notification_deliveries n where n.event_key = 'post_' || d.decision || ':' || d.id
  )
order by d.decided_at, d.id;

-- name: review_page^
-- The post as it is now, whether the reviewer may still decide (`reviewer_id`), and what was decided about the content
-- that the link is for. A time without a wall time is nobody's wish: it goes out as soon as it is approved.
select p.id, p.title, p.content, p.variants, p.media, p.platform_ids, p.status, p.content_hash, p.revision,
       case when p.scheduled_local is not null then p.scheduled_for end as scheduled_for, p.time_zone, p.findings, u.id as reviewer_id, d.decision, d.comment, d.decided_at, d.reviewer as decided_by
from social_posts p
left join users u on lower(u.email) = lower(:reviewer) and u.is_active and u.role in ('owner', 'approver')
left join lateral (
    select decision, comment, decided_at, reviewer from review_decisions
    where post_id = p.id and content_hash = :content_hash order by decided_at desc limit 1
) d on true
where p.id = :id;

-- name: platforms
select id, name, cast(api_config ->> 'text_max' as integer) as text_max from social_platforms;

-- name: decide_post^
-- Returns a row to the one caller whose decision this is; the row stays locked until its transaction ends.
update social_posts p
set status = cast(:decision as text),
    approved_hash = case when :decision = 'approved' then p.content_hash end,
    approved_by = case when :decision = 'approved' then u.id end,
    approved_at = case when :decision = 'approved' then cast(:now as timestamptz) end
from users u
where p.id = :id and p.status = 'in_review' and p.content_hash = :content_hash
  and lower(u.email) = lower(:reviewer) and u.is_active and u.role in ('owner', 'approver')
returning p.id, u.id as reviewer_id;

-- name: record_decision!
insert into review_decisions (post_id, content_hash, decision, comment, reviewer, via, decided_at)
values (:post_id, :content_hash, :decision, :comment, :reviewer, :via, :now);

-- name: audit_decision!
select append_audit(:actor, :action, :resource, :metadata);

-- name: put_review_links!
-- Master: one address per post, content and reviewer; asking again makes it good for longer.
insert into review_links (token_sha256, organization_id, post_id, content_hash, reviewer, created_at, expires_at)
select l.token_sha256, :organization_id, l.post_id, l.content_hash, l.reviewer, :now, :expires_at
from unnest(cast(:tokens_sha256 as bytea[]), cast(:post_ids as uuid[]), cast(:content_hashes as text[]),
            cast(:reviewers as text[])) as l (token_sha256, post_id, content_hash, reviewer)
on conflict (token_sha256) do update set expires_at = greatest(review_links.expires_at, excluded.expires_at);

-- name: review_link^
-- Master: what a token of a public address stands for.
select organization_id, post_id, content_hash, reviewer, expires_at from review_links
where token_sha256 = :token_sha256;

-- name: note_review_view!
update review_links set viewed_at = :now where token_sha256 = :token_sha256 and viewed_at is null;

-- name: note_review_decision!
update review_links set decided_at = :now where token_sha256 = :token_sha256;
