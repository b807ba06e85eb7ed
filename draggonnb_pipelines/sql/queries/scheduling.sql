-- From approved posts to rows of the publish ledger.

-- name: approved_posts
-- Posts that everybody who must has agreed to, with what was asked for as their time. While nobody knows whether an
-- earlier revision is public somewhere, a post waits: only then is known where these words are still to go.
select p.id, p.revision, p.content_hash, p.variants, p.media, p.platform_ids, p.scheduled_for, p.time_zone,
       coalesce(r.schedule, '{}') as schedule, r.requested_by, o.country, o.skips_public_holidays, o.timezone,
       p.generation_id is not null as made_with_ai, p.approved_at, now() as db_now,
       array(select q.account_id from content_queue q
             where q.post_id = p.id and q.revision <> p.revision and q.part = 0
               and q.status in ('published', 'undo_requested')) as spoken_account_ids
from social_posts p
cross join organizations o
left join content_requests r on r.id = p.request_id
where p.status = 'approved' and p.scheduled_for is not null and p.approved_hash = p.content_hash
  and not exists (
      select from content_queue q
      where q.post_id = p.id and q.revision <> p.revision
        and (q.status in ('calling', 'unknown') or (q.status = 'needs_review' and q.attempts > 0)))
order by p.scheduled_for, p.id
limit :row_limit;

-- name: accounts_of_platforms
select id, platform_id, status from social_accounts where status <> 'disconnected' order by platform_id, created_at;

-- name: slots
select weekday, at_local, platform_ids from posting_slots order by weekday, at_local;

-- name: taken_times
select distinct account_id, publish_at from content_queue
where publish_at > now() - interval '1 day' and status in ('scheduled', 'claimed', 'calling', 'unknown', 'published');

-- name: enqueue
-- The rows of one approved post, unless it was edited or enqueued meanwhile. Returns the rows that are new.
with post as (
    update social_posts
    set status = 'scheduled', scheduled_for = :publish_at, scheduled_local = :scheduled_local, last_error = :left_out
    where id = :post_id and status = 'approved' and content_hash = :content_hash
    returning id
)
insert into content_queue (id, post_id, platform_id, account_id, revision, part, part_kind, publish_at, due_at, payload,
                           fingerprint)
select g.id, post.id, g.platform_id, g.account_id, :revision, g.part, g.part_kind, :publish_at, :publish_at, g.payload,
       g.fingerprint
from post, unnest(cast(:ids as uuid[]), cast(:platform_ids as text[]), cast(:account_ids as uuid[]),
                  cast(:parts as smallint[]), cast(:kinds as text[]), cast(:payloads as jsonb[]),
                  cast(:fingerprints as text[])) as g (id, platform_id, account_id, part, part_kind, payload, fingerprint)
on conflict (post_id, account_id, revision, part) do nothing
returning id, part;

-- name: refuse_post!
-- It cannot be scheduled: out of the way, with the reason.
update social_posts
set status = 'blocked', last_error = :reason, approved_hash = null, approved_by = null, approved_at = null,
    findings = findings || jsonb_build_array(
        jsonb_build_object('rule', cast(:rule as text), 'severity', 'block', 'platform', null, 'reason', cast(:reason as text)))
where id = :post_id and status = 'approved';
