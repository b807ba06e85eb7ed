-- What people see of the publish ledger, and what they say about it.

-- name: run_rows
-- What a run worked on, the newest first.
select q.id, q.platform_id, q.part_kind, q.status, q.publish_at, q.published_at, q.lateness_seconds, q.platform_url,
       q.last_error, q.question, q.cost_usd, q.payload, coalesce(a.handle, a.display_name, a.external_id) as account
from content_queue q join social_accounts a on a.id = q.account_id
where q.run_id = :run_id
order by q.updated_at desc limit :row_limit;

-- name: day_counts^
-- What went out on a UTC day, whichever runs did it, and what waits for a person.
select count(*) filter (where status = 'published') as published, coalesce(sum(cost_usd), 0) as cost_usd,
       max(lateness_seconds) as latest_seconds,
       percentile_disc(0.5) within group (order by lateness_seconds) as median_seconds,
       (select count(*) from content_queue where status = 'needs_review') as needs_review
from content_queue
where published_at >= :day and published_at < cast(:day as date) + 1;

-- name: questions
-- What waits for a person, the oldest first.
select q.id, q.platform_id, q.part_kind, q.publish_at, q.question, q.last_error, q.attempts, q.payload, q.platform_url,
       q.undo_requested_at, coalesce(a.handle, a.display_name, a.external_id) as account
from content_queue q join social_accounts a on a.id = q.account_id
where q.status = 'needs_review'
order by q.publish_at, q.id
limit :row_limit;

-- name: one_row^
select q.id, q.status, q.platform_id, q.part_kind, q.publish_at, q.published_at, q.attempts, q.platform_post_id,
       q.undo_requested_at, q.question, o.undo_hours, now() as db_now, p.status as post_status,
       q.revision = p.revision as is_current
from content_queue q join social_posts p on p.id = q.post_id cross join organizations o
where q.id = :id;

-- name: answer$
-- A person's answer, if the row still waits for one.
update content_queue
set status = :status, question = null, last_error = :note, tries = 0, due_at = now(), late_ok = late_ok or :late_ok,
    platform_post_id = coalesce(:platform_post_id, platform_post_id), platform_url = coalesce(:platform_url, platform_url),
    published_at = case when :status = 'published' then coalesce(published_at, now()) end,
    undone_at = case when :status = 'undone' then now() end
where id = :id and status = 'needs_review'
returning id;

-- name: open_answers
-- What people said in the dashboard and no run has applied yet, the oldest first.
select a.id, a.queue_id, a.action, a.url, coalesce(u.email, 'somebody who left') as asked_by
from publish_answers a left join users u on u.id = a.asked_by
where a.applied_at is null order by a.created_at limit :row_limit;

-- name: close_answer!
update publish_answers set applied_at = now(), outcome = :outcome where id = :id and applied_at is null;

-- name: ask_undo$
-- Take a published post back, within the organization's window.
update content_queue q
set status = 'undo_requested', undo_requested_at = now(), undo_by = :by, due_at = now(), tries = 0
from organizations o
where q.id = :id and q.status = 'published' and q.published_at > now() - make_interval(hours => o.undo_hours)
returning q.id;

-- name: queue_rows
-- The ledger for a person, newest first.
select q.id, q.platform_id, q.part_kind, q.status, q.publish_at, q.published_at, q.lateness_seconds, q.attempts,
       q.platform_url, q.question, q.last_error, q.payload, coalesce(a.handle, a.display_name, a.external_id) as account
from content_queue q join social_accounts a on a.id = q.account_id
where cast(:status as text) is null or q.status = :status
order by q.publish_at desc, q.platform_id, q.part
limit :row_limit;

-- name: audit!
select append_audit(:actor, :action, :resource, cast(:metadata as jsonb));
