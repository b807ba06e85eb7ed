-- A post that only shows that publishing works. On an account that is for nothing else: every row there is a canary's.

-- name: add_post!
insert into social_posts (id, title, content, variants, platform_ids, status, scheduled_for, content_hash)
values (:id, 'Canary', :text, jsonb_build_object(cast(:platform_id as text), jsonb_build_object('text', cast(:text as text))),
        array[cast(:platform_id as text)], 'draft', now(), '');

-- name: approve_post^
-- In the transaction that puts it on the queue: nobody else ever sees it approved, and sends it to other accounts.
update social_posts set status = 'approved', approved_hash = content_hash, approved_at = now()
where id = :id
returning content_hash, revision, now() as db_now;

-- name: row^
select q.id, q.post_id, q.status, q.platform_post_id, q.platform_url, q.published_at, q.lateness_seconds, q.last_error, q.question
from content_queue q where q.id = :id;

-- name: left_behind
-- Of earlier canaries: what became public and still is, or is still to come. After a day it was told of often enough.
select id, post_id, status from content_queue
where account_id = :account_id and id <> :id
  and (status = 'published' and published_at > now() - interval '1 day' or (status in ('scheduled', 'needs_review') and attempts = 0))
order by created_at;

-- name: withdraw_post!
update social_posts set status = 'archived' where id = :post_id and status = 'scheduled';
