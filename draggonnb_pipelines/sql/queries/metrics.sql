-- The reading of a client's posts: who reads which post, what was read, and what is left. Times are the run's own.

-- name: claim_posts
-- Posts that are due, those of a run of :free_runs, and with :fresh young ones whose last reading is a while ago. What is
-- claimed is nobody else's until :lease_until. In the order of the accounts, so that calls for many posts are full.
with due as (
    select q.id from content_queue q join social_accounts a on a.id = q.account_id
    where q.measure_at is not null and q.status = 'published' and q.part_kind = 'post'
      and a.status in ('connected', 'blocked') and coalesce(a.paused_until, '-infinity') <= :now
      and (q.measure_at <= :now or q.measuring_run = any(:free_runs)
           or (:fresh and q.measuring_run is null and q.measure_problem is null and q.published_at > :young_since
               and not exists (select from platform_metrics m where m.queue_id = q.id and m.collected_at > :fresh_since)))
    order by q.account_id, q.published_at, q.id
    limit :row_limit
    for update of q skip locked
)
update content_queue q set measure_at = :lease_until, measuring_run = :run_id
from due, social_accounts a
where q.id = due.id and a.id = q.account_id
returning q.id, q.account_id, q.platform_id, q.platform_post_id, q.published_at, a.external_id, a.credentials;

-- name: store_readings
-- What became of claimed posts, all in one statement; returns those of which a reading was stored. A post that was taken
-- back meanwhile, or that another run claimed since, is left alone.
with given as (
    select * from unnest(
        cast(:ids as uuid[]), cast(:next_times as timestamptz[]), cast(:problems as text[]), cast(:are_read as boolean[]),
        cast(:counts as jsonb[]), cast(:missing as jsonb[]), cast(:are_gone as boolean[]), cast(:api_versions as text[])
    ) as g (id, next_at, problem, is_read, counts, missing, is_gone, api_version)
), settled as (
    update content_queue q set measure_at = g.next_at, measure_problem = g.problem, measuring_run = null
    from given g
    where q.id = g.id and q.measuring_run = :run_id and q.measure_at = :lease_until
    returning q.id, q.post_id, q.platform_id, q.account_id
)
insert into platform_metrics (platform_id, account_id, post_id, queue_id, collected_at, api_version, engagement_data,
                              missing, is_gone, run_id)
select s.platform_id, s.account_id, s.post_id, s.id, :now, g.api_version, g.counts, g.missing, g.is_gone, :run_id
from given g join settled s on s.id = g.id
where g.is_read
on conflict (account_id, queue_id, collected_at) do nothing
returning queue_id;

-- name: accounts_left
-- Of each account what is still to be read: when, why not yet, and by which other runs it is held now.
select q.platform_id, a.status, case when a.paused_until > :now then a.paused_until end as paused_until,
       min(q.measure_at) as next_at,
       count(*) filter (where q.measure_at <= :now) as due,
       count(*) filter (where q.measure_problem is not null) as behind, max(q.measure_problem) as problem,
       array_agg(distinct q.measuring_run) filter (where q.measuring_run <> :run_id and q.measure_at > :now) as holders
from content_queue q join social_accounts a on a.id = q.account_id
where q.measure_at is not null
group by a.id, q.platform_id
order by q.platform_id, a.id;

-- name: stored_by_day
-- How much was read on each of these UTC days, and how much in their windows, which begin at 06:00 UTC.
select d.day, m.platform_id, count(*) filter (where m.collected_at < t.starts_at + interval '1 day') as readings,
       count(*) filter (where m.collected_at >= t.starts_at + interval '6 hours') as in_window,
       count(distinct m.queue_id) filter (where m.collected_at >= t.starts_at + interval '6 hours') as posts_in_window
from unnest(cast(:days as date[])) as d (day)
cross join lateral (select d.day::timestamp at time zone 'UTC' as starts_at) t
join platform_metrics m on m.collected_at >= t.starts_at and m.collected_at < t.starts_at + interval '30 hours'
group by d.day, m.platform_id
order by d.day, m.platform_id;
