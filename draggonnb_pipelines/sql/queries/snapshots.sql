-- What was read of a client's posts, and the snapshots that are made of it.

-- name: published_posts
-- Also posts that were taken back since: what happened on a day stays what happened.
select q.id, q.post_id, q.platform_id as platform, q.published_at, left(coalesce(q.payload ->> 'text', ''), 80) as text,
       q.platform_url as url, q.status <> 'published' as is_taken_back
from content_queue q
where q.part_kind = 'post' and q.published_at >= :since and q.published_at < :until and q.platform_post_id is not null
order by q.published_at, q.id;

-- name: readings^
-- Of the posts above, in the order of their time: columns in one row, since a client has thousands of them and each
-- value of its own costs the driver more than the database.
select array_agg(m.id) as ids, array_agg(m.queue_id) as queue_ids, array_agg(m.collected_at) as times,
       jsonb_agg(m.engagement_data) as "values", jsonb_agg(m.missing) as missing, array_agg(m.is_gone) as are_gone
from (
    select r.id, r.queue_id, r.collected_at, r.engagement_data, nullif(r.missing, '{}') as missing, r.is_gone
    from platform_metrics r join content_queue q on q.id = r.queue_id
    where q.part_kind = 'post' and q.published_at >= :since and q.published_at < :until
      and q.platform_post_id is not null and r.collected_at < :until
    order by r.collected_at, r.id
) m;

-- name: newest
-- The newest version of each of these periods.
select distinct on (s.period, s.period_start)
       s.id, s.period, s.period_start, s.period_end, s.version, s.metrics, s.restates, s.changes, s.run_id, s.created_at
from analytics_snapshots s
join unnest(cast(:periods as text[]), cast(:starts as date[])) as wanted (period, start)
  on s.period = wanted.period and s.period_start = wanted.start
order by s.period, s.period_start, s.version desc;

-- name: store
-- Who comes second with a version stores nothing, and compares again.
insert into analytics_snapshots (period, period_start, period_end, version, metrics, restates, changes, run_id)
select * , :run_id
from unnest(cast(:periods as text[]), cast(:starts as date[]), cast(:ends as date[]), cast(:versions as int[]),
            cast(:metrics as jsonb[]), cast(:restated as uuid[]), cast(:changes as jsonb[]))
on conflict (organization_id, period, period_start, version) do nothing
returning id, period, period_start, period_end, version, metrics, restates, changes, run_id, created_at;
