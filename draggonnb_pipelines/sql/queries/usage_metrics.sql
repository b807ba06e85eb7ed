-- How far the five metrics are used: the tenant's counters, their copy per day, and the API's calls in master.

-- name: plan_of^
-- Of the master database: the organization's plan by name, and its limits on a day; null is unlimited.
select o.plan_key,
       coalesce((
           select jsonb_object_agg(l.metric, l.limit_value) from (
               select distinct on (metric) metric, limit_value from plan_limits
               where plan_key = o.plan_key and effective_from <= :day
               order by metric, effective_from desc
           ) l
       ), '{}') as limits
from organizations o where o.id = :organization_id;

-- name: calls_by_day
-- Of the master database.
select day, calls from api_calls where organization_id = :organization_id and day >= :since and day < :until;

-- name: counters
select metric, period_start, period_end, used, reserved, limit_value as "limit", alerted_percent
from usage_counters where metric = any(:metrics) and period_start = any(:starts);

-- name: active_users$
select count(*) from users where is_active;

-- name: later_periods
-- What is planned beyond the current month, such as posts that are scheduled.
select metric, period_start, period_end, used, reserved, limit_value as "limit", alerted_percent
from usage_counters where metric = any(:metrics) and period_start > :day order by period_start, metric;

-- name: follow_plan!
-- The limits as the plan has them now, one period of each metric. Of a new limit nothing was told yet.
insert into usage_counters (metric, period_start, period_end, limit_value)
select * from unnest(cast(:metrics as text[]), cast(:starts as date[]), cast(:ends as date[]), cast(:limits as bigint[]))
on conflict (metric, period_start) do update set limit_value = excluded.limit_value, alerted_percent = 0
where usage_counters.limit_value is distinct from excluded.limit_value;

-- name: set_used!
-- Of what is counted elsewhere.
update usage_counters set used = :used
where metric = :metric and period_start = :period_start and used <> :used;

-- name: lock_users$
-- The turn that adding somebody takes.
select limit_value from usage_counters where metric = 'users' for update;

-- name: count_users!
update usage_counters set used = (select count(*) from users where is_active) where metric = 'users';

-- name: note_alert!
-- A limit that has changed meanwhile begins anew.
update usage_counters set alerted_percent = :percent
where metric = :metric and period_start = :period_start and alerted_percent < :percent
  and limit_value is not distinct from :limit_value;

-- name: put_work_days!
-- What was committed on each day of the organization's zone; nothing done is 0. Work that ended a moment after its
-- month still belongs to the month that it counts against, so that a month's days sum up to its counter.
insert into client_usage_metrics (metric_name, date, value)
select m.metric, d.day, coalesce(sum(done.amount), 0)
from unnest(cast(:metrics as text[])) m (metric)
cross join unnest(cast(:days as date[])) d (day)
left join (
    select r.metric, r.amount,
           greatest(least((r.updated_at at time zone :zone)::date, c.period_end - 1), c.period_start) as day
    from usage_reservations r join usage_counters c using (metric, period_start)
    where r.state = 'committed' and r.metric = any(:metrics) and r.period_start = any(:months)
) done on done.metric = m.metric and done.day = d.day
group by 1, 2
on conflict (organization_id, metric_name, date) do update set value = excluded.value
where client_usage_metrics.value <> excluded.value;

-- name: put_days!
-- Values that are known already.
insert into client_usage_metrics (metric_name, date, value)
select * from unnest(cast(:metrics as text[]), cast(:days as date[]), cast(:values as bigint[]))
on conflict (organization_id, metric_name, date) do update set value = excluded.value
where client_usage_metrics.value <> excluded.value;

-- name: add_calls!
-- Of the master database: what one process of the API has counted. In the order of the key, so that two processes
-- cannot wait for each other.
insert into api_calls (organization_id, day, calls)
select c.organization_id, c.day, c.calls
from unnest(cast(:organization_ids as uuid[]), cast(:days as date[]), cast(:calls as bigint[]))
    as c (organization_id, day, calls)
join organizations o on o.id = c.organization_id
order by 1, 2
on conflict (organization_id, day) do update set calls = api_calls.calls + excluded.calls;

-- name: call_standings
-- Of the master database: how many calls each organization's month has by now, and how many it may have.
select o.id as organization_id,
       (select coalesce(sum(a.calls), 0)::bigint from api_calls a
        where a.organization_id = o.id and a.day >= s.first and a.day < s.until) as used,
       (select l.limit_value from plan_limits l
        where l.plan_key = o.plan_key and l.metric = 'api_calls' and l.effective_from <= s.day
        order by l.effective_from desc limit 1) as limit_value
from unnest(cast(:organization_ids as uuid[]), cast(:days as date[]), cast(:firsts as date[]), cast(:untils as date[]))
    as s (organization_id, day, first, until)
join organizations o on o.id = s.organization_id;
