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

-- name: client_story^
-- The client that came of a proposal: checkout, first payment, first invoice, and how far its stack is.
select c.created_at as placed_at, c.company, c.plan_key, s.amount_cents, pay.received_at as paid_at, pay.pf_payment_id,
       pay.deliveries, i.issued_at as invoiced_at, i.series, i.number, i.vat_cents, o.slug, o.status, p.state,
       p.last_step, p.last_error, p.started_at, p.finished_at
from checkouts c
join subscriptions s on s.checkout_id = c.id
join organizations o on o.id = s.organization_id
join provisionings p on p.organization_id = o.id
left join payments pay on pay.subscription_id = s.id and pay.state = 'applied'
left join invoices i on i.subscription_id = s.id
where c.proposal_id = :proposal_id
order by pay.received_at limit 1;

-- name: week_story^
-- The report of a week with its figures, and the first mail about it; `sent` once every message has left.
select r.id, r.html, s.metrics, d.message_id, d.sent
from weekly_reports r join analytics_snapshots s on s.id = r.snapshot_id
cross join lateral (
    select max(message_id) filter (where channel = 'email') as message_id,
           count(*) > 0 and bool_and(status in ('sent', 'delivered')) as sent
    from notification_deliveries where event_key = 'weekly_report:' || cast(:week_start as date)
) d
where r.week_start = :week_start order by r.version limit 1;

-- name: week_files
select name, content from report_files where report_id = :report_id order by name;

-- name: week_deliveries
select channel, status, event_key from notification_deliveries
where event_key = 'weekly_report:' || cast(:week_start as date) order by channel, recipient;
