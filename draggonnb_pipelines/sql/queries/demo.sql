-- What the demo tells of its post.

-- name: post_story^
select r.status as request_status, r.received_at as asked_at, r.faults, p.id, p.status, p.title, p.findings, p.last_error,
       p.created_at as written_at, p.approved_at,
       (select max(published_at) from content_queue where post_id = p.id) as published_at,
       (select coalesce(sum(tokens_used), 0) from ai_generation_log where content_request_id = r.id) as tokens,
       (select coalesce(sum(cost_usd), 0) from ai_generation_log where content_request_id = r.id) as cost_usd
from content_requests r left join social_posts p on p.request_id = r.id
where r.id = :request_id;

-- name: post_rows
select platform_id, part_kind, status, lateness_seconds, attempts, platform_url
from content_queue where post_id = :post_id order by platform_id, part;
